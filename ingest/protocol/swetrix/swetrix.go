package swetrix

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	post, get := []string{fasthttp.MethodPost}, []string{fasthttp.MethodGet}
	return protocol.Protocol{
		Name:    "swetrix",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/log", Methods: post, NeverResends: true, Handler: events{kind: view}},
			{Path: "/log/", Methods: post, NeverResends: true, Handler: events{kind: view}}, // as the library has it
			{Path: "/log/custom", Methods: post, NeverResends: true, Handler: events{kind: custom}},
			{Path: "/log/error", Methods: post, NeverResends: true, Handler: events{kind: failure}},
			{Path: "/log/hb", Methods: post, NeverResends: true, Handler: events{kind: heartbeat}},
			{Path: "/log/noscript", Methods: get, NeverResends: true, Handler: noscript{}},
			{Path: "/log/identify", Methods: post, Handler: settings{body: `{"profileId":null}`}},
			{Path: "/feature-flag/evaluate", Methods: post, Handler: settings{body: `{"flags":{},"experiments":{}}`}},
		},
	}
}

// events takes an event of a kind.
type events struct {
	refuser
	kind kind
}

// Read reads the event.
func (e events) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	rd := begin(r)
	root, err := rd.Document(body)
	if err == nil {
		err = rd.event(e.kind, root)
	}
	return rd.result(err)
}

// Accept answers as Swetrix does.
func (events) Accept(r *protocol.Request, _ protocol.Outcome) { writeJSON(r, "{}") }

// noscript takes the view of a page that has an image in place of the script.
type noscript struct{ refuser }

// Read reads the view of the query.
func (noscript) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	rd, query := begin(r), r.Query()
	p := payload{pid: protocol.View(query.Peek("pid")), page: protocol.View(query.Peek("pg"))}
	return rd.result(rd.add(view, &p))
}

// Accept answers with an image.
func (noscript) Accept(r *protocol.Request, _ protocol.Outcome) { protocol.WriteGIF(r.Ctx) }

// settings answers with a JSON that is always the same.
type settings struct {
	refuser
	body string
}

// Read returns no events. What the client says of the visitor is passed over.
func (settings) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	_, ref := r.Body()
	return nil, ref
}

// Accept answers.
func (s settings) Accept(r *protocol.Request, _ protocol.Outcome) { writeJSON(r, s.body) }

func writeJSON(r *protocol.Request, body string) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(body)
}

// refuser answers refusals at all endpoints. The library looks at no status.
type refuser struct{}

// Refuse answers {"error":"path: message"}.
func (refuser) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }

// begin returns a reader of the event of a request.
func begin(r *protocol.Request) reader {
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	r.Parser.Reset()
	return reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, head: &r.Ctx.Request.Header}
}

// result returns the inputs that were read, or the refusal of an error.
func (rd *reader) result(err *protocol.FieldError) ([]protocol.Input, *protocol.Refusal) {
	if err == nil {
		return rd.Inputs(), nil
	}
	ref := protocol.Invalid(err)
	if err.Path == tokenPath {
		ref.Reason = protocol.ReasonSite
	}
	return nil, ref
}
