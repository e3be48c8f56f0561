package segment

import (
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// sites has one site with a token.
type sites struct{}

func (sites) Configured(site string) bool         { return site == "a.example" }
func (sites) ConfiguredWWW(string) (string, bool) { return "", false }
func (sites) Any() bool                           { return false }
func (sites) Token(token string) (string, bool)   { return "a.example", token == "u" }
func (sites) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, text []byte, trusted bool) ([]protocol.Input, *protocol.FieldError) {
	rd := protocol.Messages{Parser: p, Sites: sites{}, Trusted: trusted, Now: now, Kind: "track"}
	err := rd.Read(text)
	return p.Inputs(), err
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		body := `{"writeKey":"u","type":"track","event":"x","properties":{` + fields + `}}`
		if _, err := read(&p, []byte(body), false); err == nil {
			t.Errorf("segment took %s", fields)
		}
	})
}

// TestCurrency: an amount without a currency is in that of the site.
func TestCurrency(t *testing.T) {
	var p protocol.Parser
	inputs, err := read(&p, []byte(`{"writeKey":"u","type":"track","event":"x","properties":{"revenue":12.5}}`), false)
	if err != nil || len(inputs) != 1 || inputs[0].Currency != "EUR" || inputs[0].Amount.String() != "12.5" {
		t.Errorf("%+v, %v", inputs, err)
	}
}

// TestRefuse: what is not to be sent again has a status at which no client does so.
func TestRefuse(t *testing.T) {
	f := func(status int, retryAfter string, want int) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		refuser{}.Refuse(&protocol.Request{Ctx: &ctx}, &protocol.Refusal{Status: status, RetryAfter: retryAfter, Msg: "x"})
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%d, again after %q: answered %d, want %d", status, retryAfter, got, want)
		}
	}
	f(400, "", 400)
	f(413, "", 413)
	f(500, "", 400)
	f(429, "1", 429)
	f(503, "1", 503)
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", "5", `{"type":"page"}`, `{"writeKey":"u","type":"track","event":"x"}`, `{"writeKey":"u","batch":[{"type":"screen","name":"n"},{"type":"alias"},7]}`,
		`{"writeKey":"u","batch":[{"type":"track","event":"Order Refunded","messageId":"i","timestamp":"2026-03-04T05:06:07Z","properties":{"a":{"b":[1]},"total":1,"currency":"eur"},"context":{"ip":"::1","userAgent":"x"}}]}`,
		`{"type":"page","name":"n","properties":{"url":"https://www.a.example/x","referrer":"r","title":"t"},"context":{"page":{"url":"y"},"locale":"de","campaign":{"source":"s"},"screen":{"width":1,"height":1.5}}}`,
		`{"type":"track","event":"\u0000","context":{"page":{"url":"https://a.example/"}}}`,
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, trusted bool) {
		var p protocol.Parser
		inputs, err := read(&p, text, trusted)
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Trusted: trusted, Now: now, Empty: true}.Check(t)
	})
}

// TestNeverResends: what Kafka does not take goes to the spool where nobody sends it again.
func TestNeverResends(t *testing.T) {
	f := func(want bool, headers ...string) {
		t.Helper()
		var h fasthttp.RequestHeader
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		if got := neverResends(&h); got != want {
			t.Errorf("%q: %v, want %v", headers, got, want)
		}
	}
	f(true, "Origin", "https://shop.example")                                         // Customer.io
	f(false, "Origin", "https://shop.example", "Authorization", "Basic V0tFWTo=")     // Segment, RudderStack
	f(false, "Authorization", "Basic V0tFWTo=", "User-Agent", "analytics-node/6.2.0") // a server
	f(false)                                                                          // a server whose key is in the body
}
