package segment

import (
	"encoding/json"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	p := protocol.Protocol{Name: "segment", Servers: true}
	serve := func(h protocol.Handler, method string, paths ...string) {
		for _, path := range paths {
			// Credentials because browsers want Authorization by its name in the answer to a preflight.
			p.Endpoints = append(p.Endpoints, protocol.Endpoint{Path: path, Methods: []string{method},
				Credentials: true, BasicToken: true, BasicSecret: true, Handler: h})
		}
	}
	for _, kind := range [...]string{"track", "page", "screen", "identify", "group", "alias"} {
		serve(messages{kind: kind}, fasthttp.MethodPost, "/v1/"+kind, "/v1/"+kind[:1])
	}
	serve(messages{kind: "merge"}, fasthttp.MethodPost, "/v1/merge")
	serve(messages{}, fasthttp.MethodPost, "/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")
	serve(nothing{}, fasthttp.MethodPost, "/v1/m")
	serve(settings{}, fasthttp.MethodGet, "/sourceConfig/", "/sourceConfig")
	serve(projectSettings{}, fasthttp.MethodGet, "/v1/projects/{key}/settings")
	return p
}

// messages takes messages of a type, "" where each names its own.
type messages struct {
	refuser
	kind string
}

// Read reads the messages of the body.
func (m messages) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	h := &r.Ctx.Request.Header
	r.Server, r.Prefetched = !protocol.FromPage(h), protocol.Prefetched(h)
	r.NeverResends = neverResends(h)
	body, ref := r.BodyByContent()
	if ref != nil {
		return nil, ref
	}
	token := protocol.BasicUser(h.Peek("Authorization"))
	if token == "" {
		token = protocol.View(r.Query().Peek(protocol.WriteKey))
	}
	return r.Messages(body, m.kind, token)
}

// neverResends reports whether a request is one of a library for pages that looks at no status, as
// Customer.io's does. Those that do have the write key in the header Authorization.
func neverResends(h *fasthttp.RequestHeader) bool {
	return protocol.FromPage(h) && len(h.Peek("Authorization")) == 0
}

// Accept answers as Segment does.
func (messages) Accept(r *protocol.Request, _ protocol.Outcome) { accept(r) }

func accept(r *protocol.Request) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(`{"success":true}`)
}

// nothing takes what is passed over.
type nothing struct{ refuser }

// Read returns no events.
func (nothing) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	_, ref := r.BodyAs("")
	return nil, ref
}

// Accept answers.
func (nothing) Accept(r *protocol.Request, _ protocol.Outcome) { accept(r) }

// settings answers RudderStack's analytics.js, which sends nothing before it has its settings.
type settings struct{ refuser }

// Read returns no events.
func (settings) Read(*protocol.Request) ([]protocol.Input, *protocol.Refusal) { return nil, nil }

// Accept answers.
func (settings) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(`{"source":{"id":"millrace","name":"millrace","enabled":true,"workspaceId":"millrace",` +
		`"config":{"statsCollection":{"errors":{"enabled":false},"metrics":{"enabled":false}}},` +
		`"connections":[],"destinations":[],"dataplanes":{}},"updatedAt":"2026-01-01T00:00:00.000Z"}`)
}

// projectSettings answers Segment's analytics.js, which asks the address cdnURL for the settings of a
// write key and sends nothing before it has them. Where it sends to is said in the page.
type projectSettings struct{ refuser }

// Read returns no events.
func (projectSettings) Read(*protocol.Request) ([]protocol.Input, *protocol.Refusal) { return nil, nil }

// Accept answers.
func (projectSettings) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	key, err := json.Marshal(r.PathValue("key"))
	if err != nil {
		panic(err) // a string has a JSON
	}
	r.Ctx.Response.AppendBodyString(`{"integrations":{"Segment.io":{"apiKey":` + string(key) + `}}}`)
}

// refuser answers refusals at all endpoints.
type refuser struct{}

// Refuse answers {"error":"path: message"}, with a status at which clients do what they should.
func (refuser) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	shown := *ref
	if ref.RetryAfter == "" && ref.Status >= fasthttp.StatusInternalServerError {
		shown.Status = fasthttp.StatusBadRequest
	}
	protocol.RefuseJSON(r.Ctx, &shown)
}
