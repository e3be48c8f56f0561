package script

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

//go:generate go run -tags generated ./internal/gen script.js script.min.js

//go:embed script.min.js
var text []byte

// path is where the script is always served.
const path = "/js/script.js"

// Protocol returns the protocol, which serves the script under further paths too.
func Protocol(more ...string) protocol.Protocol {
	h := newHandler(text)
	p := protocol.Protocol{Name: "script"}
	serve := func(path string, h protocol.Handler) {
		p.Endpoints = append(p.Endpoints, protocol.Endpoint{Path: path, Methods: []string{fasthttp.MethodGet}, Handler: h})
	}
	serve(path, h)
	serve("/js/{file}", named{h})
	for _, m := range more {
		if m != path {
			serve(m, h)
		}
	}
	return p
}

// handler answers with the script.
type handler struct {
	plain, packed         []byte
	plainETag, packedETag string
}

func newHandler(text []byte) *handler {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	sum := sha256.Sum256(text)
	tag := hex.EncodeToString(sum[:8])
	return &handler{plain: text, packed: b.Bytes(), plainETag: `"` + tag + `"`, packedETag: `"` + tag + `-gzip"`}
}

// Read returns no events.
func (*handler) Read(*protocol.Request) ([]protocol.Input, *protocol.Refusal) { return nil, nil }

// Accept answers with the script, or with 304 to who has it.
func (h *handler) Accept(r *protocol.Request, _ protocol.Outcome) {
	body, tag := h.plain, h.plainETag
	header := &r.Ctx.Response.Header
	if takesGzip(string(r.Ctx.Request.Header.Peek("Accept-Encoding"))) {
		body, tag = h.packed, h.packedETag
		header.SetContentEncoding("gzip")
	}
	header.Set("ETag", tag)
	header.Set("Vary", "Accept-Encoding")
	header.Set("Cache-Control", "public, max-age=3600")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if has(string(r.Ctx.Request.Header.Peek("If-None-Match")), tag) {
		header.Del("Content-Encoding")
		r.Ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	r.Ctx.SetContentType("text/javascript; charset=utf-8")
	r.Ctx.Response.SetBodyRaw(body)
}

// Refuse answers {"error":"path: message"}.
func (*handler) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }

// takesGzip reports whether a header Accept-Encoding has gzip.
func takesGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, quality, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(part), " ", ""), ";")
		if name == "gzip" {
			return strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "" || quality == ""
		}
	}
	return false
}

// has reports whether a header If-None-Match has a tag.
func has(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return true
		}
	}
	return false
}

// named is the script under the names that Plausible has for it.
type named struct{ *handler }

var names = regexp.MustCompile(`^(script(\.[a-z0-9-]+)*|plausible|pa-[A-Za-z0-9_-]+)\.js$`)

// Read returns no events, and refuses what is no name of the script.
func (n named) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if !names.MatchString(r.PathValue("file")) {
		return nil, &protocol.Refusal{Status: fasthttp.StatusNotFound, Reason: protocol.ReasonInvalid,
			Msg: "there is nothing here; the page script is " + path}
	}
	return n.handler.Read(r)
}
