package snowplow

import (
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	return protocol.Protocol{
		Name:    "snowplow",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			// Trackers of pages send with credentials unless they are told otherwise.
			{Path: "/com.snowplowanalytics.snowplow/tp2", Methods: []string{fasthttp.MethodPost}, Credentials: true, Handler: post{}},
			{Path: "/i", Methods: []string{fasthttp.MethodGet}, Credentials: true, NeverResends: true, Handler: get{}},
		},
	}
}

// post takes events of a body.
type post struct{ refuser }

// Read reads the events.
func (post) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	rd := begin(r)
	return rd.result(r, rd.batch(body))
}

// Accept answers "ok", as Snowplow's collector does.
func (post) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("text/plain; charset=utf-8")
	r.Ctx.Response.AppendBodyString("ok")
}

// get takes the event of a query.
type get struct{ refuser }

// Read reads the event.
func (get) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	rd := begin(r)
	return rd.result(r, rd.query(r.Query()))
}

// Accept answers with the image.
func (get) Accept(r *protocol.Request, _ protocol.Outcome) { protocol.WriteGIF(r.Ctx) }

// refuser answers refusals at both endpoints.
type refuser struct{}

// Refuse answers {"error":"path: message"}. What is not to be sent again has a status at which
// browser-tracker does not: 400, 401, 403, 410 and 422 are all there are. No tracker has another
// method than those of the endpoints, so that 405 is nobody's but an author's.
func (refuser) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	final := *ref
	switch {
	case ref.RetryAfter != "":
	case ref.Status == fasthttp.StatusRequestEntityTooLarge, ref.Status >= fasthttp.StatusInternalServerError:
		final.Status = fasthttp.StatusBadRequest
	}
	protocol.RefuseJSON(r.Ctx, &final)
}

// begin returns a reader of the events of a request.
func begin(r *protocol.Request) reader {
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	r.Parser.Reset()
	return reader{
		Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now,
		referer:   strings.TrimSpace(protocol.View(r.Ctx.Request.Header.Referer())),
		anonymous: len(r.Ctx.Request.Header.Peek("SP-Anonymous")) > 0,
	}
}

// result returns the inputs that were read, or the refusal of an error.
func (rd *reader) result(r *protocol.Request, err *protocol.FieldError) ([]protocol.Input, *protocol.Refusal) {
	if err != nil {
		ref := protocol.Invalid(err)
		if err.Path == tokenPath {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	r.Unknown, r.Server = rd.unknown, rd.server
	return rd.Inputs(), nil
}

// batch reads the events of a body. What is wrong with one of them is its own matter, unless there
// is nothing else.
func (rd *reader) batch(body []byte) *protocol.FieldError {
	root, wrong := rd.Document(body)
	if wrong != nil {
		return wrong
	}
	list := root.GetArray("data")
	switch {
	case len(list) == 0:
		return protocol.BadField("data", "is no list of events")
	case len(list) > protocol.MaxEvents:
		return protocol.BadField("data", "%d events, at most %d are allowed", len(list), protocol.MaxEvents)
	}
	rd.many = len(list) > 1
	_, first := rd.AddEach(list, tokenPath, rd.object)
	if len(rd.Inputs()) == 0 {
		return first
	}
	return nil
}
