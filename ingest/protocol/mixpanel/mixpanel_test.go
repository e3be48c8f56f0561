package mixpanel

import (
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestRefuse: what is not to be sent again has a status at which mixpanel-browser does not.
func TestRefuse(t *testing.T) {
	f := func(ref protocol.Refusal, want int) {
		t.Helper()
		var r protocol.Request
		r.Ctx = &fasthttp.RequestCtx{}
		handler{}.Refuse(&r, &ref)
		if got := r.Ctx.Response.StatusCode(); got != want {
			t.Errorf("%d with retry %q: %d, want %d", ref.Status, ref.RetryAfter, got, want)
		}
	}
	f(protocol.Refusal{Status: 400}, 400)
	f(protocol.Refusal{Status: 401}, 401)
	f(protocol.Refusal{Status: 413}, 413)
	f(protocol.Refusal{Status: 500}, 400)
	f(protocol.Refusal{Status: 429, RetryAfter: "1"}, 429)
	f(protocol.Refusal{Status: 503, RetryAfter: "2"}, 503)
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
	r := reader{Parser: &p, sites: anySite{}, now: now}
	if err := r.events([]byte(`{"event":"Buy","properties":{"token":"T","revenue":3}}`)); err != nil {
		t.Fatal(err)
	}
	if in := &p.Inputs()[0]; in.Amount.String() != "3" || in.Currency != "EUR" || len(in.Props) != 0 {
		t.Errorf("%s %s %v", in.Amount, in.Currency, in.Props)
	}
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", "eyJldmVudCI6IkEifQ==", `{"event":"A"}`, `[{"event":"A","properties":null},5]`,
		`[{"event":"$mp_web_page_view","properties":{"token":"T","$current_url":"https://a.example/?q","$referrer":"$direct","current_page_title":"x","$insert_id":"i","$screen_width":1,"$screen_height":2,"utm_source":"a"}},{"event":"$identify"}]`,
		`{"event":"pageview","properties":{"token":"T","a":{"b":[1]},"$x":1,"revenue":1,"currency":"eur","time":1772600000,"ip":"::ffff:1.2.3.4"}}`,
		`{"event":"$mp_page_leave","properties":{"token":"T","$max_scroll_percentage":50,"mp_lib":"web"}}`,
	} {
		f.Add([]byte(body), false, false)
		f.Add([]byte(body), true, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, trusted, past bool) {
		var p protocol.Parser
		r := reader{Parser: &p, sites: anySite{}, trusted: trusted, past: past, now: now}
		if err := r.events(text); err != nil {
			protocoltest.CheckError(t, text, err)
			return
		}
		if plain, err := new(protocol.Parser).Base64(string(text)); err != nil && !protocoltest.Strict(text) {
			t.Fatalf("%q is no JSON, and was taken", text)
		} else if err == nil && !protocoltest.Strict(plain) {
			t.Fatalf("%q is no JSON, and was taken", plain)
		}
		if len(p.Inputs()) > 0 {
			protocoltest.CheckInputs(t, p.Inputs(), trusted, now)
		}
	})
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		p.Reset()
		r := reader{Parser: &p, sites: anySite{}, now: now}
		if err := r.events([]byte(`{"event":"A","properties":{"token":"T",` + fields + `}}`)); err == nil {
			t.Errorf("mixpanel took %s", fields)
		}
	})
}
