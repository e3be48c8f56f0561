package ingest

import (
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

// A beacon that a browser sends again by itself has the same fingerprint at any collector; what is another event, or does
// not come from a page, or has an id, has none of it.
func TestRepeat(t *testing.T) {
	cluster := mustCluster(t)
	one := mustOpen(t, cluster, nil)
	two := mustOpen(t, cluster, func(o *Options) { o.CollectorID = "c2" })
	page := []string{"Origin", "https://a.example"}
	send := func(c *Collector, from, method, target, body string, headers ...string) {
		t.Helper()
		if res := call(c, from, method, target, body, headers...); res.StatusCode()/100 != 2 {
			t.Errorf("%s %s: %d %s", target, body, res.StatusCode(), res.Body())
		}
	}
	// both sends a beacon once to each collector; the events are of the site it names.
	both := func(from, method, target, body string, headers ...string) {
		t.Helper()
		send(one, from, method, target, body, headers...)
		send(two, from, method, target, body, headers...)
	}
	both(outside, "POST", "/api/event", `{"n":"pageview","u":"https://plausible/"}`, page...)
	both(outside, "POST", "/v1/events", `{"site":"v1","name":"x"}`, page...)
	both(outside, "POST", "/v1/events", `{"site":"fetch","name":"x"}`, "Sec-Fetch-Site", "cross-site")
	both(outside, "GET", "/v1/pixel.gif?site=pixel", "", "Referer", "https://a.example/")
	both(outside, "POST", "/v1/events", `[{"site":"two-in-one","name":"x"},{"site":"two-in-one","name":"x"}]`, page...)
	both(outside, "POST", "/v1/events", `{"site":"with-id","name":"x","id":"1"}`, page...)
	both(outside, "POST", "/v1/events", `{"site":"no-page","name":"x"}`)
	both(loopback, "POST", "/v1/events", `{"site":"server","name":"x"}`)
	send(one, outside, "POST", "/v1/events", `{"site":"other-visitor","name":"x"}`, page...)
	send(one, "203.0.113.78", "POST", "/v1/events", `{"site":"other-visitor","name":"x"}`, page...)
	send(one, outside, "POST", "/v1/events", `{"site":"other-body","name":"x"}`, page...)
	send(one, outside, "POST", "/v1/events", `{"site":"other-body","name":"x","props":{"a":1}}`, page...)
	send(one, outside, "POST", "/api/event", `{"n":"x","u":"https://other-key/","once":1}`, page...)
	send(one, outside, "POST", "/api/event", `{"n":"x","u":"https://other-key/","once":2}`, page...)
	send(one, outside, "GET", "/v1/pixel.gif?site=other-number&_=1", "", "Referer", "https://a.example/")
	send(one, outside, "GET", "/v1/pixel.gif?site=other-number&_=2", "", "Referer", "https://a.example/")
	send(one, outside, "GET", "/v1/pixel.gif?site=other-page", "", "Referer", "https://a.example/1")
	send(one, outside, "GET", "/v1/pixel.gif?site=other-page", "", "Referer", "https://a.example/2")
	send(one, outside, "POST", "/api/event", `{"n":"pageview","u":"https://x/","d":"site-a,site-b"}`, page...)
	one.Close()
	two.Close()

	prints, ids := map[string][]string{}, map[string]bool{}
	for _, e := range allEvents(readAll(t, cluster)) {
		if p, ok := event.CutRepeat(e.ID); ok {
			prints[e.Site] = append(prints[e.Site], p)
		}
		if ids[e.ID] && e.Site != "with-id" || e.ID == "" || len(e.ID) > protocol.MaxID+event.MaxRepeatPrefix {
			t.Errorf("%s: id %q", e.Site, e.ID)
		}
		ids[e.ID] = true
	}
	f := func(site string, events, distinct int) {
		t.Helper()
		d := map[string]bool{}
		for _, p := range prints[site] {
			d[p] = true
		}
		if len(prints[site]) != events || len(d) != distinct {
			t.Errorf("%s: fingerprints %q, want %d of %d", site, prints[site], distinct, events)
		}
	}
	f("plausible", 2, 1)
	f("v1", 2, 1)
	f("fetch", 2, 1)
	f("pixel", 2, 1)
	f("two-in-one", 4, 2)
	f("with-id", 0, 0)
	f("no-page", 0, 0)
	f("server", 0, 0)
	f("other-visitor", 2, 2)
	f("other-body", 2, 2)
	f("other-page", 2, 2)
	f("other-key", 2, 2)
	f("other-number", 2, 2)
	if a, b := prints["site-a"], prints["site-b"]; len(a) != 1 || len(b) != 1 || a[0] == b[0] {
		t.Errorf("of two sites: %q and %q", a, b)
	}
}

// Ids of the form that collectors make are theirs.
func TestRepeatIDsAreOurs(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	const id = "~00000000000000ab.1"
	res := call(c, loopback, "POST", "/v1/events", `[{"site":"a","name":"x"},{"site":"a","name":"x","id":"`+id+`"}]`)
	if res.StatusCode() != 400 || !strings.Contains(string(res.Body()), `events[1].id: \"`+id+`\" has the form`) {
		t.Errorf("%d %s", res.StatusCode(), res.Body())
	}
	res = call(c, outside, "GET", "/v1/pixel.gif?site=a&id="+id, "")
	if res.StatusCode() != 200 || string(res.Header.Peek("X-Millrace-Adjusted")) != "id" {
		t.Errorf("%d, adjusted %q", res.StatusCode(), res.Header.Peek("X-Millrace-Adjusted"))
	}
	if res = call(c, outside, "GET", "/v1/pixel.gif?site=a&id=~1", ""); len(res.Header.Peek("X-Millrace-Adjusted")) != 0 {
		t.Error("an id of another form is adjusted")
	}
}
