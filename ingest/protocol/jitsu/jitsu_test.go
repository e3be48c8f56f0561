package jitsu

import (
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// anySite is an installation that takes any site and has one token and a currency.
type anySite struct{}

func (anySite) Configured(string) bool              { return false }
func (anySite) ConfiguredWWW(string) (string, bool) { return "", false }
func (anySite) Any() bool                           { return true }
func (anySite) Token(token string) (string, bool)   { return "a.example", token == "T" || token == "U:S" }
func (anySite) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

// noLimit is memory without a limit.
type noLimit struct{}

func (noLimit) Reserve(int) bool { return true }
func (noLimit) Reserved() int    { return 1 << 30 }

// read reads a request with a key in its header.
func read(key string, body []byte, trusted bool) ([]protocol.Input, *protocol.Refusal) {
	var ctx fasthttp.RequestCtx
	ctx.Request.SetBodyRaw(body)
	if key != "" {
		ctx.Request.Header.Set("X-Write-Key", key)
	}
	r := &protocol.Request{Sites: anySite{}, Bodies: protocol.NewBodies(1 << 20), Memory: noLimit{}}
	r.Begin(&ctx, "/api/s/track", now)
	r.Trusted = trusted
	return handler{"track"}.Read(r)
}

// TestKey: the site is the one of the whole key, or of the id in it, in the header or in the body.
func TestKey(t *testing.T) {
	f := func(key, body string) {
		t.Helper()
		if inputs, ref := read(key, []byte(body), false); ref != nil || len(inputs) != 1 || inputs[0].Site != "a.example" {
			t.Errorf("%q: %+v, %+v", key, inputs, ref)
		}
	}
	f("T:SECRET", `{"event":"a"}`)
	f("T", `{"event":"a"}`)
	f("U:S", `{"event":"a"}`)
	f("", `{"event":"a","writeKey":"T:***"}`)
	f("T:S", `{"event":"a","writeKey":"X:***"}`)
}

// FuzzRead: any body gives a refusal that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", `{"event":"x"}`, `{"type":"page","writeKey":"T:***","properties":{"url":"https://b.example/","hash":"","width":1}}`,
		`{"batch":[{"type":"track","event":"Order Completed","messageId":"i","timestamp":"2026-03-04T05:06:07Z","properties":{"total":1,"a":{"b":[1]}},"context":{"ip":"::1","userAgent":"x","screen":{"width":1,"height":2},"locale":"de","campaign":{"source":"s"}}},7]}`,
	} {
		f.Add("T:S", []byte(body), false)
		f.Add("", []byte(body), true)
	}
	f.Fuzz(func(t *testing.T, key string, body []byte, trusted bool) {
		inputs, ref := read(key, body, trusted)
		if ref != nil {
			protocoltest.CheckError(t, body, &protocol.FieldError{Path: ref.Path, Msg: ref.Msg})
			return
		}
		if !protocoltest.Strict(body) {
			t.Fatalf("%q is no JSON, and was taken", body)
		}
		if len(inputs) > 0 {
			protocoltest.CheckInputs(t, inputs, trusted, now)
		}
	})
}
