package amplitude

import (
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fastjson"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestRefuse: what is not to be sent again is a 400 or the like that names a missing field, by
// which alone the trackers know; what is to be sent again has none.
func TestRefuse(t *testing.T) {
	f := func(ref protocol.Refusal, want int, missing string) {
		t.Helper()
		var r protocol.Request
		r.Ctx = &fasthttp.RequestCtx{}
		handler{}.Refuse(&r, &ref)
		got := r.Ctx.Response.StatusCode()
		field := fastjson.GetString(r.Ctx.Response.Body(), "missing_field")
		if got != want || field != missing {
			t.Errorf("%d with retry %q: %d for %q, want %d for %q", ref.Status, ref.RetryAfter, got, field, want, missing)
		}
	}
	f(protocol.Refusal{Status: 400, Path: "events"}, 400, "events")
	f(protocol.Refusal{Status: 400}, 400, "body")
	f(protocol.Refusal{Status: 401}, 401, "body")
	f(protocol.Refusal{Status: 413}, 413, "body")
	f(protocol.Refusal{Status: 500}, 400, "body")
	f(protocol.Refusal{Status: 429, RetryAfter: "1", Path: "x"}, 429, "")
	f(protocol.Refusal{Status: 503, RetryAfter: "2"}, 503, "")
}

// anySite is an installation that takes any site and has one token and a currency.
type anySite struct{}

func (anySite) Configured(string) bool              { return false }
func (anySite) ConfiguredWWW(string) (string, bool) { return "", false }
func (anySite) Any() bool                           { return true }
func (anySite) Token(token string) (string, bool)   { return "a.example", token == "K" }
func (anySite) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

// TestCurrency: an amount without a currency has the site's.
func TestCurrency(t *testing.T) {
	var p protocol.Parser
	r := reader{Parser: &p, sites: anySite{}, now: now}
	if err := r.batch([]byte(`{"api_key":"K","events":[{"event_type":"Buy","price":-1.5,"quantity":2}]}`)); err != nil {
		t.Fatal(err)
	}
	if in := &p.Inputs()[0]; in.Amount.String() != "-3" || in.Currency != "EUR" {
		t.Errorf("%s %s %v", in.Amount, in.Currency, in.Props)
	}
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		p.Reset()
		r := reader{Parser: &p, sites: anySite{}, now: now}
		if err := r.batch([]byte(`{"api_key":"K","events":[{"event_type":"A","event_properties":{` + fields + `}}]}`)); err == nil {
			t.Errorf("amplitude took %s", fields)
		}
	})
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", `{"api_key":"K","events":[]}`, `{"api_key":"K","events":[{"event_type":"A"},{"event_type":"$identify"},5]}`,
		`{"api_key":"K","events":[{"event_type":"[Amplitude] Page Viewed","insert_id":"i","language":"de","event_properties":{"[Amplitude] Page Location":"https://a.example/?q","referrer":"r","[Amplitude] Page Title":"t","utm_source":"a","x":{"y":[1]}}}]}`,
		`{"api_key":"K","events":[{"event_type":"pageview","price":1,"quantity":1000000,"currency":"eur","time":1772600000000,"ip":"::ffff:1.2.3.4","user_agent":"x","groups":{"a":"b"},"user_properties":{"$set":{},"c":1},"platform":"iOS","app_version":2}]}`,
		`{"api_key":"K","events":[{"event_type":"revenue_amount","event_properties":{"$revenue":1e9,"$price":"2","$quantity":3,"$currency":"USD"}}]}`,
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, trusted bool) {
		var p protocol.Parser
		r := reader{Parser: &p, sites: anySite{}, trusted: trusted, now: now}
		err := r.batch(text)
		protocoltest.Reading{Body: text, Inputs: p.Inputs(), Err: err, Trusted: trusted, Now: now, Empty: true}.Check(t)
	})
}
