package v1

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	return protocol.Protocol{
		Name:    "v1",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/v1/events", Methods: []string{fasthttp.MethodPost}, Handler: handler{}},
		},
	}
}

type handler struct{}

// Read reads the events of the body.
func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	r.NeverResends = protocol.FromPage(&r.Ctx.Request.Header) // it may be gone
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	reader := reader{&r.Parser, r.Trusted, r.Now}
	inputs, err := reader.read(r.BeginBody(), body)
	if err != nil {
		return nil, protocol.Invalid(err)
	}
	for i := range inputs {
		if _, made := event.CutRepeat(inputs[i].ID); made {
			return nil, protocol.BadRequest(protocol.ReasonInvalid, protocol.InputPath(inputs, i, "id"),
				protocol.Quote(inputs[i].ID)+" has the form of those that collectors make")
		}
	}
	return inputs, nil
}

// Accept answers {"accepted":N}.
func (handler) Accept(r *protocol.Request, o protocol.Outcome) {
	res := &r.Ctx.Response
	res.SetStatusCode(fasthttp.StatusAccepted)
	res.Header.SetContentType("application/json")
	var b [32]byte
	out := append(b[:0], `{"accepted":`...)
	out = strconv.AppendInt(out, int64(o.Stored), 10)
	res.AppendBody(append(out, '}'))
}

// Refuse answers {"error":"path: message"}.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }
