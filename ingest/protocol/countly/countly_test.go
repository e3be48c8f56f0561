package countly

import (
	"net/url"
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestRefuse: what can never be taken has the one status at which an SDK lets go of it; what can
// once something is mended has none.
func TestRefuse(t *testing.T) {
	f := func(status int, reason protocol.Reason, want int) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		refuser{}.Refuse(&protocol.Request{Ctx: &ctx}, &protocol.Refusal{Status: status, Reason: reason, Msg: "x"})
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%d for %s: answered %d, want %d", status, reason, got, want)
		}
	}
	f(400, protocol.ReasonInvalid, 200)
	f(413, protocol.ReasonTooLarge, 200)
	f(500, protocol.ReasonBug, 200)
	f(400, protocol.ReasonSite, 400)
	f(401, protocol.ReasonKey, 401)
	f(429, protocol.ReasonRate, 429)
	f(503, protocol.ReasonKafka, 503)
}

// anySite is an installation that takes any site and has one token and a currency.
type anySite struct{}

func (anySite) Configured(string) bool              { return false }
func (anySite) ConfiguredWWW(string) (string, bool) { return "", false }
func (anySite) Any() bool                           { return true }
func (anySite) Token(token string) (string, bool)   { return "a.example", token == "T" }
func (anySite) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, text, origin string, trusted bool) *protocol.FieldError {
	r := reader{Parser: p, sites: anySite{}, trusted: trusted, now: now, origin: origin}
	var form fasthttp.Args
	form.ParseBytes([]byte(text))
	return r.read(&form)
}

// TestMadeID: an event that is sent again has the id that it had; another one, and one of a sender
// without times in milliseconds, has not.
func TestMadeID(t *testing.T) {
	id := func(text string) string {
		t.Helper()
		var p protocol.Parser
		if err := read(&p, "app_key=T&device_id=d&events=[{\"key\":\"a\"}]"+text, "", false); err != nil {
			t.Fatal(err)
		}
		return p.Inputs()[0].ID
	}
	first := id("&timestamp=1772600767000&rr=1")
	if first == "" || id("&timestamp=1772600767000&rr=7") != first {
		t.Errorf("sent again: %q, was %q", id("&timestamp=1772600767000&rr=7"), first)
	}
	if id("&timestamp=1772600767001") == first {
		t.Error("another event has its id")
	}
	if got := id("&timestamp=1772600767"); got != "" {
		t.Errorf("by the second: %q", got)
	}
}

// TestCurrency: a sum without a currency has the site's.
func TestCurrency(t *testing.T) {
	var p protocol.Parser
	if err := read(&p, `app_key=T&events=[{"key":"a","sum":12.5}]`, "", false); err != nil {
		t.Fatal(err)
	}
	if in := &p.Inputs()[0]; in.Amount.String() != "12.5" || in.Currency != "EUR" || len(in.Props) != 0 {
		t.Errorf("%s %s %v", in.Amount, in.Currency, in.Props)
	}
}

// FuzzRead: any form gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	const view = `[{"key":"[CLY]_view","id":"i","timestamp":1772600767000,"segmentation":{"name":"/x","visit":1,"view":"/x","domain":"b.example","utm_source":"s","referrer":"r","a":{"b":[1]}}},{"key":"[CLY]_view","dur":3,"segmentation":{"name":"/x"}},{"key":"[CLY]_action","segmentation":{"type":"scroll","y":1,"height":2}},{"key":"x","count":2,"sum":1.5,"dur":1,"segmentation":{"currency":"usd"}},7]`
	for _, text := range []string{
		"", "app_key=T", "app_key=T&session_duration=1&end_session=1", "app_key=T&ip_address=::ffff:1.2.3.4&timestamp=1772600000&events=" + url.QueryEscape(view),
		"app_key=T&crash=" + url.QueryEscape(`{"_error":"a\nb","_nonfatal":true,"_view":"/x","_custom":{"a":1}}`) + "&metrics=" + url.QueryEscape(`{"_ua":"x"}`),
		"app_key=T&requests=" + url.QueryEscape(`[{"events":`+view+`,"timestamp":1772600767000},{"app_key":"N","session_duration":2},5,{"events":"[{\"key\":\"c\"}]"}]`),
	} {
		f.Add(text, "https://a.example", false)
		f.Add(text, "", true)
	}
	f.Fuzz(func(t *testing.T, text, origin string, trusted bool) {
		if protocol.CheckURL(origin) != "" || protocol.CheckText(origin, protocol.MaxURL) != "" {
			origin = ""
		}
		var p protocol.Parser
		err := read(&p, text, origin, trusted)
		protocoltest.Reading{Body: []byte(text), Inputs: p.Inputs(), Err: err, Trusted: trusted, Now: now, Empty: true, Form: true}.Check(t)
	})
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		var p protocol.Parser
		if err := read(&p, "app_key=T&events="+url.QueryEscape(`[{"key":"a","segmentation":{`+fields+`}}]`), "", false); err == nil {
			t.Errorf("countly took %s", fields)
		}
	})
}
