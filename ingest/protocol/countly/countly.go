package countly

import (
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	both := []string{fasthttp.MethodGet, fasthttp.MethodPost}
	return protocol.Protocol{
		Name:    "countly",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/i", Methods: both, Claims: claims, Handler: write{}},
			{Path: "/i/bulk", Methods: both, Handler: write{}},
			{Path: "/o/sdk", Methods: both, Handler: settings{}},
		},
	}
}

// claims reports whether a request is Countly's and not Snowplow's, which is a GET without a key of
// an app.
func claims(r *protocol.Request) bool {
	return r.Ctx.IsPost() || r.Query().Has(appKey)
}

// write takes requests of an SDK's queue.
type write struct{ refuser }

// Read reads the events of a request, or of those in it.
func (write) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	h := &r.Ctx.Request.Header
	page := protocol.FromPage(h)
	r.Server, r.Prefetched = !page, protocol.Prefetched(h)
	form := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(form) // the events are in the memory of the Parser by then
	r.Query().CopyTo(form)
	if r.Ctx.IsPost() {
		body, ref := r.Body()
		if ref != nil {
			return nil, ref
		}
		if len(body) > 0 {
			form.ParseBytes(body)
		}
	}
	r.Parser.Reset()
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now}
	if page {
		rd.origin = strings.Clone(originOf(h))
	}
	if err := rd.read(form); err != nil {
		ref := protocol.Invalid(err)
		if err.Path == appKey {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	r.Unknown = rd.unknown
	return rd.Inputs(), nil
}

// originOf returns the origin of the page that makes a request, "" for none.
func originOf(h *fasthttp.RequestHeader) string {
	from := protocol.View(h.Peek("Origin"))
	if from == "" || from == "null" {
		from = protocol.View(h.Referer())
	}
	if from == "" || protocol.CheckURL(from) != "" || protocol.CheckText(from, protocol.MaxURL) != "" {
		return ""
	}
	scheme, rest, _ := strings.Cut(from, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return from[:len(scheme)+len("://")+len(rest)]
}

// Accept answers as Countly does.
func (write) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(`{"result":"Success"}`)
}

// settings answers SDKs that look for settings and widgets.
type settings struct{ refuser }

// Read returns no events.
func (settings) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if !r.Ctx.IsPost() {
		return nil, nil
	}
	_, ref := r.BodyAs("")
	return nil, ref
}

// Accept answers that there are none.
func (settings) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString("{}")
}

// refuser answers refusals at all endpoints.
type refuser struct{}

// Refuse answers {"result":"Refused","error":"path: message"}, with 200 where it can't be mended
// without a new SDK: at no other status does an SDK let go of a request.
func (refuser) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	status := ref.Status
	switch ref.Reason {
	case protocol.ReasonInvalid, protocol.ReasonEncoding, protocol.ReasonTooLarge, protocol.ReasonBug:
		status = fasthttp.StatusOK
	}
	text := (&protocol.FieldError{Path: ref.Path, Msg: ref.Msg}).Error()
	protocol.WriteJSON(r.Ctx, status, struct {
		Result string `json:"result"`
		Error  string `json:"error"`
	}{"Refused", text})
}
