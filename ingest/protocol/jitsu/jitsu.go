package jitsu

import (
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	p := protocol.Protocol{Name: "jitsu", Servers: true}
	for _, kind := range [...]string{"track", "page", "screen", "identify", "group", "alias", "batch"} {
		h := handler{kind}
		if kind == "batch" {
			h.kind = "" // each names its own
		}
		for _, path := range [...]string{"/api/s/", "/api/s/s2s/"} {
			p.Endpoints = append(p.Endpoints, protocol.Endpoint{Path: path + kind, Methods: []string{fasthttp.MethodPost},
				NeverResends: true, Handler: h})
		}
	}
	return p
}

// handler takes messages of a type, "" where each names its own.
type handler struct{ kind string }

// Read reads the messages of the body.
func (h handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	header := &r.Ctx.Request.Header
	r.Server, r.Prefetched = !protocol.FromPage(header), protocol.Prefetched(header)
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	key := strings.TrimSpace(protocol.View(header.Peek("X-Write-Key")))
	if key == "" {
		key = masked(r, body)
	}
	if _, ok := r.Sites.Token(key); !ok {
		key, _, _ = strings.Cut(key, ":")
	}
	return r.Messages(body, h.kind, key)
}

// masked returns the key that a body names, of which the secret may be masked; "" for none. What is
// wrong with the body is found by Messages.
func masked(r *protocol.Request, body []byte) string {
	v, err := r.Parser.JSON(body)
	if err != nil {
		return ""
	}
	return strings.Clone(protocol.TextOf(v.Get(protocol.WriteKey)))
}

// Accept answers as Jitsu does.
func (handler) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(`{"ok":true}`)
}

// Refuse answers {"ok":false,"error":"path: message"}. The tracker sends nothing again, whatever the
// status.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	text := (&protocol.FieldError{Path: ref.Path, Msg: ref.Msg}).Error()
	protocol.WriteJSON(r.Ctx, ref.Status, struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}{false, text})
}
