package ga4

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	get, post := fasthttp.MethodGet, fasthttp.MethodPost
	return protocol.Protocol{
		Name:    "ga4",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/g/collect", Methods: []string{get, post}, Credentials: true, NeverResends: true, Handler: collect{}},
			{Path: "/mp/collect", Methods: []string{post}, SecretParam: "api_secret", NeverResends: true, Handler: measurement{}},
			{Path: "/debug/mp/collect", Methods: []string{post}, SecretParam: "api_secret", Handler: debug{}},
		},
	}
}

// collect is the endpoint of gtag.js.
type collect struct{}

// Read reads the events of the query and of the lines of the body. A view that comes while its page
// is rendered ahead counts: gtag.js waits until it is shown, and its request may still have the
// header.
func (collect) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	var body []byte
	if r.Ctx.IsPost() {
		var ref *protocol.Refusal
		if body, ref = r.Body(); ref != nil {
			return nil, ref
		}
	}
	return inputsOf(r, func(rd *reader) *protocol.FieldError { return rd.hits(r.Query(), body) })
}

// Accept answers 204, as Google does.
func (collect) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// Refuse answers {"error":"path: message"}: gtag.js does not look at it, the author of a page does.
func (collect) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }

// measurement is the endpoint of the Measurement Protocol.
type measurement struct{ collect }

// Read reads the events of the body.
func (measurement) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	r.Server = true
	return inputsOf(r, func(rd *reader) *protocol.FieldError { return rd.measurement(stream(r.Query()), body) })
}

// stream returns the id of the stream of data that the query of the Measurement Protocol names.
func stream(query *fasthttp.Args) string {
	if id := query.Peek("measurement_id"); len(id) > 0 {
		return protocol.View(id)
	}
	return protocol.View(query.Peek("firebase_app_id"))
}

// inputsOf returns the inputs that read makes of a request.
func inputsOf(r *protocol.Request, read func(*reader) *protocol.FieldError) ([]protocol.Input, *protocol.Refusal) {
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now}
	if err := read(&rd); err != nil {
		if rd.noSite {
			ref := protocol.Invalid(err)
			ref.Reason = protocol.ReasonSite
			return nil, ref
		}
		return nil, protocol.Invalid(err)
	}
	r.Unknown = rd.unknown
	return r.Parser.Inputs(), nil
}

// debug is the twin of the Measurement Protocol's endpoint that stores nothing and reports what is
// wrong.
type debug struct{ collect }

// Read looks through the body and leaves the findings in State.
func (debug) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	v := validation{Parser: &r.Parser, now: r.Now}
	v.body(body)
	v.site(r.Sites, stream(r.Query()))
	r.State = v.messages
	return nil, nil
}

// Accept answers {"validationMessages":[]} with what was found.
func (debug) Accept(r *protocol.Request, _ protocol.Outcome) {
	messages, _ := r.State.([]message)
	if messages == nil {
		messages = []message{}
	}
	protocol.WriteJSON(r.Ctx, fasthttp.StatusOK, struct {
		Messages []message `json:"validationMessages"`
	}{messages})
}
