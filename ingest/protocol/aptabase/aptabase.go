package aptabase

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	methods := []string{fasthttp.MethodPost}
	return protocol.Protocol{
		Name:    "aptabase",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			// Pages send singly and never again, apps several and again.
			{Path: "/api/v0/event", Methods: methods, NeverResends: true, Handler: handler{}},
			{Path: "/api/v0/events", Methods: methods, Handler: handler{batch: true}},
		},
	}
}

// handler takes an event or a list of them.
type handler struct{ batch bool }

// Read reads the events.
func (h handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	head := &r.Ctx.Request.Header
	r.Prefetched, r.Server = protocol.Prefetched(head), !protocol.FromPage(head)
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	r.Parser.Reset()
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now, head: head}
	if err := rd.body(body, h.batch); err != nil {
		ref := protocol.Invalid(err)
		if err.Path == tokenPath {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	return rd.Inputs(), nil
}

// Accept answers as Aptabase does.
func (handler) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString("{}")
}

// Refuse answers {"error":"path: message"}. Apps send again at 5xx and give up below, at 429 too.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	translated := *ref
	switch {
	case ref.RetryAfter != "":
		translated.Status = fasthttp.StatusServiceUnavailable
	case ref.Status >= fasthttp.StatusInternalServerError:
		translated.Status = fasthttp.StatusBadRequest
	}
	protocol.RefuseJSON(r.Ctx, &translated)
}
