package ingest

import (
	"net/netip"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/identity"
)

// TestAddresses: who is believed about the client's address, and that the address is nowhere in Kafka.
func TestAddresses(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.TrustedProxies = identity.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
		o.CountryHeader = "CF-IPCountry"
	})
	f := func(id, peer string, headers ...string) {
		t.Helper()
		res := call(c, peer, "POST", "/v1/events", `{"site":"a.example","name":"x","id":"`+id+`"}`, headers...)
		if res.StatusCode() != 202 {
			t.Errorf("%s: %d %s", id, res.StatusCode(), res.Body())
		}
	}
	f("direct", "8.8.8.8")
	f("proxied", "10.0.0.1", "X-Forwarded-For", "8.8.8.8")
	f("two proxies", "10.0.0.1", "X-Forwarded-For", "1.1.1.1, 8.8.8.8, 10.2.3.4")
	f("two headers", "10.0.0.1", "X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "8.8.8.8:5555")
	f("spoofed", "8.8.8.8", "X-Forwarded-For", "1.1.1.1", "CF-IPCountry", "DE")
	f("garbage", "8.8.8.8", "X-Forwarded-For", "for, you")
	f("country header", "10.0.0.1", "X-Forwarded-For", "8.8.8.8", "CF-IPCountry", "at")
	f("country unknown", "10.0.0.1", "X-Forwarded-For", "8.8.8.8", "CF-IPCountry", "XX")
	f("proxy garbage", "10.0.0.1", "X-Forwarded-For", "8.8.8.8, unknown")
	f("v6 one", "2a00:1450:4001:80b::200e")
	f("v6 other device", "2a00:1450:4001:80b:1:2:3:4")
	c.Close()
	records := readAll(t, cluster)
	got := make(map[string]event.Event)
	for _, r := range records {
		for _, addr := range []string{"8.8.8.8", "10.0.0.1", "1.1.1.1", "2a00:1450", "CAgICA", "08080808"} {
			if strings.Contains(string(r.value), addr) {
				t.Errorf("an address is in Kafka: %s", r.value)
			}
		}
		for _, e := range r.events {
			got[e.ID] = e
		}
	}
	google := got["direct"]
	for _, id := range []string{"proxied", "two proxies", "two headers", "spoofed", "garbage", "country header", "country unknown"} {
		if e := got[id]; e.Visitor != google.Visitor {
			t.Errorf("%s: visitor %s, want %s", id, e.Visitor, google.Visitor)
		}
		if want := map[bool]string{true: "AT", false: "US"}[id == "country header"]; got[id].Country != want {
			t.Errorf("%s: country %q, want %q", id, got[id].Country, want)
		}
	}
	if e := got["proxy garbage"]; e.Visitor == google.Visitor || e.Country != "" {
		t.Errorf("proxy garbage: %+v", e)
	}
	if a, b := got["v6 one"], got["v6 other device"]; a.Visitor != b.Visitor || a.Country == "" {
		t.Errorf("of one /64: %s %q and %s", a.Visitor, a.Country, b.Visitor)
	}
}

func TestCORS(t *testing.T) {
	c := mustOpen(t, mustCluster(t), nil)
	for _, e := range []struct{ path, method string }{{"/v1/events", "POST"}, {"/api/event", "POST"}, {"/v1/pixel.gif", "GET"}} {
		res := call(c, outside, "OPTIONS", e.path, "", "Origin", "https://a.example", "Access-Control-Request-Method", e.method)
		h := &res.Header
		if res.StatusCode() != 204 || len(res.Body()) != 0 ||
			string(h.Peek("Access-Control-Allow-Origin")) != "*" ||
			string(h.Peek("Access-Control-Allow-Methods")) != e.method+", OPTIONS" ||
			string(h.Peek("Access-Control-Allow-Headers")) != "*" ||
			string(h.Peek("Access-Control-Max-Age")) != "86400" ||
			len(h.Peek("Access-Control-Allow-Credentials")) != 0 {
			t.Errorf("%s: %d %s", e.path, res.StatusCode(), h.String())
		}
		// A page must be able to read why its beacon was refused.
		res = call(c, outside, e.method, e.path, "", "Origin", "https://a.example")
		if res.StatusCode() != 400 || string(res.Header.Peek("Access-Control-Allow-Origin")) != "*" {
			t.Errorf("%s: %d %s", e.path, res.StatusCode(), res.Header.String())
		}
	}
	if res := call(c, outside, "GET", "/elsewhere", ""); res.StatusCode() != 404 || c.Match([]byte("/elsewhere")) {
		t.Errorf("/elsewhere: %d", res.StatusCode())
	}
}

func TestRateLimits(t *testing.T) {
	clock := &fakeClock{t: testTime}
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.AddressRate, o.SiteRate, o.Now = 1, 2, clock.now })
	f := func(peer, body string, status int) {
		t.Helper()
		res := call(c, peer, "POST", "/v1/events", body)
		if res.StatusCode() != status || (status == 429) != (len(res.Header.Peek("Retry-After")) > 0) {
			t.Errorf("%s %s: got %d %s", peer, body, res.StatusCode(), res.Header.String())
		}
	}
	one := `{"site":"a.example","name":"x"}`
	f("198.51.100.1", one, 202)
	f("198.51.100.1", one, 202)
	f("198.51.100.1", "not even parsed", 429) // two at once is the burst of an address
	f("198.51.100.2", "["+one+","+one+"]", 202)
	f("198.51.100.3", one, 429) // four is that of the site
	f("198.51.100.3", `{"site":"b.example","name":"x"}`, 202)
	f("2001:db8::1", `{"site":"c.example","name":"x"}`, 202)
	f("2001:db8::2", `{"site":"c.example","name":"x"}`, 202)
	f("2001:db8::3", `{"site":"c.example","name":"x"}`, 429)
	clock.set(testTime.Add(1e9))
	f("198.51.100.1", one, 202)
	f("198.51.100.1", one, 429)
}
