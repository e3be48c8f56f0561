package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
	"millrace/internal/site"
)

// TestNewSites: made-up sites are refused past the bound, with what to do; known ones and configured ones go on.
func TestNewSites(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	c := mustOpen(t, mustCluster(t), func(o *Options) {
		o.Sites, o.AnySite, o.NewSites = []site.Site{{ID: "configured.example"}}, true, 6
	})
	c.newSites.began = now
	send := func(at time.Time, sites ...string) *protocol.Refusal {
		r := c.newRequest()
		r.policies = c.policies.Load()
		inputs := make([]protocol.Input, len(sites))
		for i, s := range sites {
			inputs[i].Site = s
			inputs[i].Number, _ = r.sites.number(s)
		}
		return c.admitNew(inputs, r, at)
	}
	const burst = 60
	for i := range burst {
		if ref := send(now, fmt.Sprintf("s%d.example", i)); ref != nil {
			t.Fatalf("site %d is refused", i)
		}
	}
	if send(now, "one-more.example") != refuseNewSites {
		t.Error("a site past the burst is taken")
	}
	if send(now, "configured.example", "s0.example", "s59.example") != nil {
		t.Error("a known site is refused")
	}
	if send(now, "s0.example", "one-more.example") == nil {
		t.Error("a known site opens the door to a new one")
	}
	if later := now.Add(10 * time.Second); send(later, "one-more.example") != nil || send(later, "and-another.example") == nil {
		t.Error("it is not one site each ten seconds")
	}
	// Known for a day, and a second one.
	if send(now.Add(25*time.Hour), "s0.example") != nil {
		t.Error("a site is forgotten after a day")
	}
}

func TestNewSitesAnswer(t *testing.T) {
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.NewSites = 0.1 }) // a burst of one
	body := `{"site":"%s.example","name":"pageview","url":"https://a.example/"}`
	if r := call(c, "203.0.113.1", "POST", "/v1/events", fmt.Sprintf(body, "a")); r.StatusCode() != fasthttp.StatusAccepted {
		t.Fatalf("%d %s", r.StatusCode(), r.Body())
	}
	for path, want := range map[string]string{"/v1/events": `{"error":"`, "/api/event": `{"errors":{"request":["`} {
		b := fmt.Sprintf(body, "b")
		if path == "/api/event" {
			b = `{"n":"pageview","d":"c.example","u":"https://c.example/"}`
		}
		r := call(c, "203.0.113.1", "POST", path, b)
		if r.StatusCode() != fasthttp.StatusTooManyRequests || string(r.Header.Peek("Retry-After")) != "60" ||
			!strings.HasPrefix(string(r.Body()), want+"too many new sites") {
			t.Errorf("%s: %d, Retry-After %s, %s", path, r.StatusCode(), r.Header.Peek("Retry-After"), r.Body())
		}
	}
	if n := value(t, c.metrics.refused[protocol.ReasonNewSites]); n != 2 {
		t.Errorf("%v refusals are counted", n)
	}
	if r := call(c, "203.0.113.1", "POST", "/v1/events", fmt.Sprintf(body, "a")); r.StatusCode() != fasthttp.StatusAccepted {
		t.Errorf("a known site: %d %s", r.StatusCode(), r.Body())
	}
}

// Memory is bounded however many sites are let through.
func TestNewSitesMemory(t *testing.T) {
	n := newNewSites(1e9)
	n.most = 1000
	now := time.Now()
	for i := range 10_000 {
		if !n.allow(fmt.Sprint(i), now) {
			t.Fatal(i)
		}
		if i%500 == 0 && !n.allow("steady", now) {
			t.Fatal("steady")
		}
	}
	if len(n.young) > n.most || len(n.old) > n.most {
		t.Errorf("%d and %d sites are remembered", len(n.young), len(n.old))
	}
	n.bucket.SetLimit(0)
	n.bucket.SetBurst(0)
	if !n.allow("steady", now) {
		t.Error("a site with events all the time is forgotten")
	}
	if n.allow("0", now) {
		t.Error("a site of long ago is known")
	}
}
