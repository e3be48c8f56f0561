package openpanel

import (
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestRefuse: what is not to be sent again has the one status at which the tracker does not, and
// does not take it for stored.
func TestRefuse(t *testing.T) {
	f := func(status int, retryAfter string, want int) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		handler{}.Refuse(&protocol.Request{Ctx: &ctx}, &protocol.Refusal{Status: status, RetryAfter: retryAfter, Msg: "x"})
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%d, again after %q: answered %d, want %d", status, retryAfter, got, want)
		}
	}
	f(400, "", 401)
	f(413, "", 401)
	f(500, "", 401)
	f(429, "1", 429)
	f(503, "1", 503)
}

// anySite is an installation that takes any site and has one token and a currency.
type anySite struct{}

func (anySite) Configured(string) bool              { return false }
func (anySite) ConfiguredWWW(string) (string, bool) { return "", false }
func (anySite) Any() bool                           { return true }
func (anySite) Token(token string) (string, bool)   { return "a.example", token == "T" }
func (anySite) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

// TestCurrency: an amount without a currency has the site's.
func TestCurrency(t *testing.T) {
	var p protocol.Parser
	r := reader{Parser: &p, sites: anySite{}, now: now, token: "T"}
	if err := r.read([]byte(`{"type":"track","payload":{"name":"revenue","properties":{"__revenue":12.5}}}`)); err != nil {
		t.Fatal(err)
	}
	if in := &p.Inputs()[0]; in.Amount.String() != "12.5" || in.Currency != "EUR" || len(in.Props) != 0 {
		t.Errorf("%s %s %v", in.Amount, in.Currency, in.Props)
	}
}

// FuzzRead: any body gives an error that names something, or an event that survives the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", "5", `{"type":"track"}`, `{"type":"identify"}`, `{"type":"track","payload":{"name":"x"}}`,
		`{"type":"track","payload":{"name":"screen_view","timestamp":"2026-03-04T05:06:07Z","properties":{"__path":"/x","__title":"t","__referrer":"r","a":{"b":[1]}}}}`,
		`{"type":"track","payload":{"name":"screen_view","properties":{"__path":"https://www.b.example/x?q"}}}`,
		`{"type":"track","payload":{"name":"pageview","properties":{"__revenue":"3","currency":"eur","__timestamp":"2026-03-04T05:06:07Z"}}}`,
	} {
		f.Add([]byte(body), "T", "https://a.example", "::ffff:1.2.3.4", false)
		f.Add([]byte(body), "", "https://b.example", "1.2.3.4", true)
	}
	f.Fuzz(func(t *testing.T, text []byte, token, origin, address string, trusted bool) {
		var p protocol.Parser
		r := reader{Parser: &p, sites: anySite{}, trusted: trusted, now: now, token: token, origin: origin, address: address}
		err := r.read(text)
		protocoltest.Reading{Body: text, Inputs: p.Inputs(), Err: err, Trusted: trusted, Now: now, Empty: true}.Check(t)
	})
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		p.Reset()
		r := reader{Parser: &p, sites: anySite{}, now: now, token: "T"}
		if err := r.read([]byte(`{"type":"track","payload":{"name":"A","properties":{` + fields + `}}}`)); err == nil {
			t.Errorf("openpanel took %s", fields)
		}
	})
}
