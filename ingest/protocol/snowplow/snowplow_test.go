package snowplow

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestRefuse: what is not to be sent again has a status at which browser-tracker does not.
func TestRefuse(t *testing.T) {
	f := func(ref protocol.Refusal, want int) {
		t.Helper()
		var r protocol.Request
		r.Ctx = &fasthttp.RequestCtx{}
		refuser{}.Refuse(&r, &ref)
		if got := r.Ctx.Response.StatusCode(); got != want {
			t.Errorf("%d with retry %q: %d, want %d", ref.Status, ref.RetryAfter, got, want)
		}
	}
	f(protocol.Refusal{Status: 400}, 400)
	f(protocol.Refusal{Status: 401}, 401)
	f(protocol.Refusal{Status: 403}, 403)
	f(protocol.Refusal{Status: 413}, 400)
	f(protocol.Refusal{Status: 500}, 400)
	f(protocol.Refusal{Status: 429, RetryAfter: "1"}, 429)
	f(protocol.Refusal{Status: 503, RetryAfter: "2"}, 503)
}

// TestScroll: how much of a page has been seen.
func TestScroll(t *testing.T) {
	f := func(offset, window, page string, want int64) {
		t.Helper()
		got := scroll(offset, window, page)
		if n, ok := got.Value(); ok && n != want || !ok && want >= 0 {
			t.Errorf("%s of %s in %s: %d, want %d", offset, page, window, n, want)
		}
	}
	f("0", "1200x800", "1200x3200", 25)
	f("800", "1200x800", "1200x3200", 50)
	f("2400", "1200x800", "1200x3200", 100)
	f("9999", "1200x800", "1200x3200", 100)
	f("0", "1200x800", "1200x0", -1)
	f("", "1200x800", "1200x3200", -1)
	f("1", "1200", "1200x3200", -1)
	f("-1", "1200x800", "1200x3200", -1)
}

// anySite is an installation that takes any site and has one token.
type anySite struct{}

func (anySite) Configured(string) bool              { return false }
func (anySite) ConfiguredWWW(string) (string, bool) { return "", false }
func (anySite) Any() bool                           { return true }
func (anySite) Token(token string) (string, bool)   { return "a.example", token == "shop" }
func (anySite) Currency(string) string              { return "EUR" }

// FuzzRead: any body and query give an error that names something, or events that survive the way
// through the topic.
func FuzzRead(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{"e=pv&aid=shop&url=https://a.example/&res=1x1&lang=de&eid=1&page=%00", `{"data":[{"e":"pv","aid":"shop","page":"T"},{"e":"pp","aid":"shop","pp_may":"7","vp":"1x2","ds":"3x4"}]}`},
		{"e=ue&aid=shop&ue_px=eyJkYXRhIjp7InNjaGVtYSI6ImlnbHU6YS9iL2MvZCIsImRhdGEiOnsiYSI6MX19fQ&cx=e30", `{"data":[{"e":"ue","aid":"shop","ue_pr":"{\"data\":{\"schema\":\"iglu:a/b/c/d\",\"data\":{\"a\":{\"b\":[1]}}}}","co":"{\"data\":[{\"schema\":\"iglu:a/b/c/d\",\"data\":{\"c\":null}}]}"}]}`},
		{"e=se&aid=shop&se_ac=pageview&se_va=1&ip=::1&ua=x&ttm=1772600000000", `{"data":[{"e":"tr","aid":"shop","tr_tt":"1","tr_id":"2"},{"e":"ti","aid":"shop","ti_pr":5},[],{"e":"x"}]}`},
		{"e=tr&aid=shop&tr_tt=1e9", `{"data":[{"e":"ue","aid":"shop","ue_pr":"{\"data\":{\"schema\":\"iglu:com.snowplowanalytics.snowplow.ecommerce/x/c/d\",\"data\":{\"type\":\"refund\"}}}","co":"{\"data\":[{\"schema\":\"iglu:com.snowplowanalytics.snowplow.ecommerce/refund/c/d\",\"data\":{\"refund_amount\":1}}]}"}]}`},
	} {
		f.Add(seed[0], []byte(seed[1]), false)
		f.Add(seed[0], []byte(seed[1]), true)
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text string, body []byte, trusted bool) {
		var query fasthttp.Args
		query.Parse(text)
		var p protocol.Parser
		check := func(read func(*reader) *protocol.FieldError) bool {
			p.Reset()
			r := reader{Parser: &p, sites: anySite{}, trusted: trusted, now: now}
			if err := read(&r); err != nil {
				protocoltest.CheckError(t, body, err)
				return false
			}
			protocoltest.CheckInputs(t, p.Inputs(), trusted, now)
			return true
		}
		check(func(r *reader) *protocol.FieldError { return r.query(&query) })
		if check(func(r *reader) *protocol.FieldError { return r.batch(body) }) && !protocoltest.Strict(body) {
			t.Fatalf("%q is no JSON, and was taken", body)
		}
	})
}
