package ingest

import (
	"strings"
	"testing"
)

// TestInteractive: which events keep a visit from being a bounce, as each protocol says it.
func TestInteractive(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	want := make(map[string]bool) // by site: whether the event is marked
	post := func(path, body string, site string, marked bool) {
		t.Helper()
		want[site] = marked
		if res := call(c, outside, "POST", path, strings.ReplaceAll(body, "SITE", site)); res.StatusCode() != 202 {
			t.Errorf("%s %s: %d %s", path, body, res.StatusCode(), res.Body())
		}
	}
	post("/v1/events", `{"site":"SITE","name":"scroll","interactive":false}`, "v1-false", true)
	post("/v1/events", `{"site":"SITE","name":"scroll","interactive":true}`, "v1-true", false)
	post("/v1/events", `{"site":"SITE","name":"scroll","interactive":null}`, "v1-null", false)
	post("/v1/events", `{"site":"SITE","name":"scroll"}`, "v1-none", false)
	post("/v1/events", `{"interactive":true,"site":"SITE","name":"pageview"}`, "v1-view", false)
	post("/api/event", `{"n":"x","u":"https://SITE/","i":false}`, "plausible-false", true)
	post("/api/event", `{"n":"x","u":"https://SITE/","interactive":false}`, "plausible-long", true)
	post("/api/event", `{"n":"x","u":"https://SITE/","i":true}`, "plausible-true", false)
	post("/api/event", `{"n":"x","u":"https://SITE/","i":"false"}`, "plausible-text", false)
	post("/api/event", `{"i":false,"n":"pageview","u":"https://SITE/"}`, "plausible-view", false)
	post("/api/event", `{"n":"engagement","u":"https://SITE/","sd":50,"i":true}`, "plausible-engagement", true)
	pixel := func(query, site string, marked bool) {
		t.Helper()
		want[site] = marked
		if res := call(c, outside, "GET", "/v1/pixel.gif?site="+site+query, ""); res.StatusCode() != 200 {
			t.Errorf("pixel %s: %d %s", query, res.StatusCode(), res.Body())
		}
	}
	pixel("&name=opened&interactive=false", "pixel-false", true)
	pixel("&name=opened&interactive=true", "pixel-true", false)
	pixel("&name=opened", "pixel-none", false)

	bad := func(method, target, body, msg string) {
		t.Helper()
		res := call(c, outside, method, target, body)
		if got := string(res.Body()); res.StatusCode() != 400 || got != `{"error":"`+msg+`"}` {
			t.Errorf("%s %s: %d %s\nwant %s", target, body, res.StatusCode(), got, msg)
		}
	}
	bad("POST", "/v1/events", `{"site":"a","name":"x","interactive":"no"}`, "interactive: a JSON string, want true or false")
	bad("POST", "/v1/events", `{"site":"a","name":"x","interactive":true,"interactive":false}`, "interactive: is given twice")
	bad("POST", "/v1/events", `[{"site":"a","interactive":false,"name":"pageview"}]`, "events[0].interactive: a pageview can't be false: send an event of another name")
	bad("GET", "/v1/pixel.gif?site=a&interactive=false", "", "interactive: a pageview can't be false: send an event of another name")
	bad("GET", "/v1/pixel.gif?site=a&interactive=0", "", `interactive: \"0\" is neither true nor false`)

	c.Close()
	got := make(map[string]bool)
	for _, e := range allEvents(readAll(t, cluster)) {
		got[e.Site] = e.NonInteractive
	}
	if len(got) != len(want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
	for site, marked := range want {
		if got[site] != marked {
			t.Errorf("%s: marked %v, want %v", site, got[site], marked)
		}
	}
}
