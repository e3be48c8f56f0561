package sensors

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	methods := []string{fasthttp.MethodGet, fasthttp.MethodPost}
	return protocol.Protocol{
		Name: "sensors",
		Endpoints: []protocol.Endpoint{
			// Images and sendBeacon have cookies with them. The library makes /sa.gif of /sa.
			{Path: "/sa.gif", Methods: methods, Credentials: true, Handler: handler{}},
			{Path: "/sa", Methods: methods, Credentials: true, Handler: handler{}},
		},
	}
}

// handler takes an event or a list of them.
type handler struct{}

// batch is the State of a request that has a list, which is sent again.
type batch struct{}

// Read reads the events.
func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	head := &r.Ctx.Request.Header
	r.Prefetched, r.Server = protocol.Prefetched(head), !protocol.FromPage(head)
	form := r.Query()
	if r.Ctx.IsPost() {
		body, ref := r.Body()
		if ref != nil {
			return nil, ref
		}
		if body = bytes.TrimSpace(body); len(body) > 0 {
			form = fasthttp.AcquireArgs()
			defer fasthttp.ReleaseArgs(form) // the events are in the memory of the Parser by then
			form.ParseBytes(body)
		}
	}
	if string(form.Peek("gzip")) == "1" {
		return nil, protocol.BadRequest(protocol.ReasonEncoding, "gzip", "is 1: events that are packed so are not taken, as apps and servers send them")
	}
	data := form.Peek("data")
	r.NeverResends = true
	if list := form.Peek("data_list"); len(list) > 0 {
		data, r.State, r.NeverResends = list, batch{}, false
	}
	r.Parser.Reset()
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now, origin: protocol.PageOrigin(head)}
	for _, name := range [...]string{"token", "project"} {
		if rd.token = protocol.View(r.Query().Peek(name)); rd.token == "" {
			continue
		}
		if _, ok := r.Sites.Token(rd.token); ok {
			break
		}
	}
	if err := rd.events(data); err != nil {
		ref := protocol.Invalid(err)
		if err.Path == tokenPath {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	r.Unknown = rd.unknown
	return rd.Inputs(), nil
}

// Accept answers with an image, or with nothing that says anything.
func (handler) Accept(r *protocol.Request, _ protocol.Outcome) {
	if r.Ctx.IsGet() {
		protocol.WriteGIF(r.Ctx)
		return
	}
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString("{}")
}

// Refuse answers {"error":"path: message"}, of a list with 200 where it can't be mended without
// another library: at no other status does it let go of one.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	translated := *ref
	if _, ok := r.State.(batch); ok || ref.Reason == protocol.ReasonTooLarge {
		switch ref.Reason {
		case protocol.ReasonInvalid, protocol.ReasonEncoding, protocol.ReasonTooLarge, protocol.ReasonBug:
			translated.Status = fasthttp.StatusOK
		}
	}
	protocol.RefuseJSON(r.Ctx, &translated)
}
