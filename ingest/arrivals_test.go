package ingest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/ingest/protocol/all"
)

// TestArrivals: what has become of events is seen and counted by site, protocol and reason, and nothing of who sent them.
func TestArrivals(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := mustOpen(t, mustCluster(t), func(o *Options) {
		o.SetSites(mustSites(t, "sites: {a.example: {excluded_paths: [/x]}, b.example: {}}"))
		o.Metrics = registry
	})
	call(c, outside, "POST", "/v1/events", `[{"site":"a.example","name":"buy","url":"https://a.example/p?q=secret"},{"site":"a.example","name":"buy"},
		{"site":"b.example","name":"pageview","url":"https://b.example/"},{"site":"a.example","name":"buy","url":"https://a.example/x"}]`)
	call(c, outside, "POST", "/api/event", `{"n":"pageview","u":"https://none.example/p","d":"none.example"}`)
	call(c, outside, "POST", "/v1/events", `{"site":"a.example","name":"buy","language":"secret"`)
	call(c, outside, "POST", "/v1/events", `{"site":"c.example","name":"buy"}`)
	call(c, outside, "POST", "/v1/events", `{"site":"a.example","name":"buy"}`, "Authorization", "Bearer secretsecretsecret")

	w := httptest.NewRecorder()
	c.Arrivals().ServeHTTP(w, httptest.NewRequest("GET", "/arrivals", nil))
	text := w.Body.String()
	var got []string
	for line := range strings.Lines(text) {
		got = append(got, strings.Join(strings.Fields(line)[1:7], " "))
	}
	for _, want := range []string{
		"stored - a.example v1 2 buy", "stored - b.example v1 1 pageview", "dropped path a.example v1 1 buy", "refused site 400 - plausible 0",
		"refused invalid 400 - v1 0", "refused site 400 c.example v1 1", "refused key 401 - v1 0",
	} {
		if !strings.Contains(strings.Join(got, "\n")+"\n", want+"\n") {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	for _, secret := range []string{"secret", outside, "Chrome"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "millrace_ingest_site_") {
			continue
		}
		for _, m := range f.GetMetric() {
			key := f.GetName()[len("millrace_ingest_site_"):]
			for _, l := range m.GetLabel() { // by name: client, reason, site
				key += " " + l.GetValue()
			}
			counted[key] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"events_total v1  a.example": 2, "events_total v1  b.example": 1, "events_total v1 path a.example": 1,
		"refused_total plausible site (other)": 1, "refused_total v1 invalid (other)": 1, "refused_total v1 site (other)": 1, "refused_total v1 key (other)": 1,
	}
	if fmt.Sprint(counted) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
}

// TestSiteCountsBound: sites past the first hundred are one, and what is counted stays with its site.
func TestSiteCountsBound(t *testing.T) {
	s := newSiteCounts(all.Protocols())
	s.name("named.example")
	for i := range 3 * mostCountedSites {
		s.of(fmt.Sprintf("s%d.example", i)).add(0, countStored, 1)
	}
	s.name("late.example")
	if n := len(*s.sites.Load()); n != mostCountedSites || s.of("s1.example").n[0].Load() != 1 || s.of("late.example") != s.other {
		t.Errorf("%d sites", n)
	}
	if got := s.other.n[0].Load(); got != 2*mostCountedSites+1 {
		t.Errorf("%d others", got)
	}
}

// TestDebug: a trusted sender is shown what would be made of his events, and nothing is stored or counted.
func TestDebug(t *testing.T) {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(policyKey)))
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.SetSites(mustSites(t, `{sites: {a.example: {excluded_paths: [/x], write_keys: ["sha256:`+hash+`"], quota: {day: 1}}}}`))
	})
	f := func(status int, path, body string, headers ...string) (answer debugAnswer) {
		t.Helper()
		res := call(c, outside, "POST", path, body, headers...)
		if res.StatusCode() != status {
			t.Errorf("%s %q: %d %s", body, headers, res.StatusCode(), res.Body())
		}
		if status == 200 {
			if err := json.Unmarshal(res.Body(), &answer); err != nil {
				t.Errorf("%v: %s", err, res.Body())
			}
		}
		return answer
	}
	key := []string{"Authorization", "Bearer " + policyKey, "X-Millrace-Debug"}
	const body = `[{"site":"a.example","name":"buy","url":"https://a.example/p","ip":"8.8.8.8"},{"site":"a.example","name":"buy","url":"https://a.example/x"}]`
	for range 2 { // the quota has room for one
		got := f(200, "/v1/events", body, append(key, "1")...)
		if len(got.Events) != 2 || got.Stored || !got.Trusted || got.Events[0].Reason != "path" || got.Events[1].Outcome != "would be stored" ||
			!strings.Contains(string(got.Events[1].Event), `"country":"US"`) || strings.Contains(string(got.Events[1].Event), "8.8.8.8") {
			t.Errorf("%+v", got)
		}
	}
	got := f(200, "/api/event", `{"n":"pageview","u":"https://a.example/","d":"a.example,none.example","p":{"a":[1]}}`, append(key, "untrusted")...)
	if got.Trusted || got.Unknown != 1 || got.Adjusted != "props" || len(got.Events) != 1 {
		t.Errorf("%+v", got)
	}
	f(400, "/v1/events", body, append(key, "untrusted")...) // ip is for trusted senders
	f(400, "/v1/events", body, append(key, "yes")...)
	f(403, "/v1/events", body, "X-Millrace-Debug", "1")
	f(400, "/v1/events", `{"site":"a.example"}`, append(key, "1")...)
	if res := call(c, loopback, "POST", "/v1/events", `{"site":"a.example","name":"x"}`, "User-Agent", "curl/8", "X-Millrace-Debug", "1"); res.StatusCode() != 200 {
		t.Errorf("this machine: %d %s", res.StatusCode(), res.Body())
	}
	c.Close()
	for _, r := range readAll(t, cluster) {
		if len(r.events) > 0 {
			t.Errorf("%s is stored", r.value)
		}
	}
}
