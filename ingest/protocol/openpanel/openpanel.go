package openpanel

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	return protocol.Protocol{
		Name:    "openpanel",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/track", Methods: []string{fasthttp.MethodPost}, Claims: claims, Handler: handler{}},
		},
	}
}

// claims reports whether a request is OpenPanel's and not Mixpanel's, whose bodies are forms, lists,
// or objects that name an event.
func claims(r *protocol.Request) bool {
	if len(r.Ctx.Request.Header.Peek(clientID)) > 0 {
		return true
	}
	body, ref := r.Body()
	if ref != nil {
		return false
	}
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(body), []byte("{"))
	return ok && bytes.HasPrefix(bytes.TrimSpace(rest), []byte(`"type"`))
}

// clientID is the header that names the site.
const clientID = "Openpanel-Client-Id"

// handler takes an event.
type handler struct{}

// Read reads the event.
func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	h := &r.Ctx.Request.Header
	page := protocol.FromPage(h)
	r.Server, r.Prefetched = !page, protocol.Prefetched(h)
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	r.Parser.Reset()
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now,
		token: protocol.View(h.Peek(clientID)), address: protocol.View(h.Peek("X-Client-Ip"))}
	if page {
		rd.origin = protocol.View(h.Peek("Origin"))
	}
	if r.Trusted && rd.address != "" {
		rd.agent = protocol.View(h.UserAgent())
	}
	if err := rd.read(body); err != nil {
		ref := protocol.Invalid(err)
		if err.Path == clientID {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	return rd.Inputs(), nil
}

// Accept answers with an object that names no visitor and no visit.
func (handler) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString("{}")
}

// Refuse answers {"error":"path: message"}. At 401 alone the trackers neither send again nor take it
// for stored.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	final := *ref
	if ref.RetryAfter == "" {
		final.Status = fasthttp.StatusUnauthorized
	}
	protocol.RefuseJSON(r.Ctx, &final)
}
