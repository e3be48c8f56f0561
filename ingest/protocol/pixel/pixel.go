package pixel

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	return protocol.Protocol{
		Name: "pixel",
		Endpoints: []protocol.Endpoint{
			{Path: "/v1/pixel.gif", Methods: []string{fasthttp.MethodGet}, NeverResends: true, Handler: handler{}},
		},
	}
}

type handler struct{}

// Read reads the event of the query.
func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	q := query{Parser: &r.Parser}
	if err := q.read(r.Query(), r.Ctx.Request.Header.Referer()); err != nil {
		return nil, protocol.Invalid(err)
	}
	return r.Parser.Inputs(), nil
}

// Accept answers with the image.
func (handler) Accept(r *protocol.Request, _ protocol.Outcome) { protocol.WriteGIF(r.Ctx) }

// Refuse answers {"error":"path: message"}: the author of a page reads it in the browser's console.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }
