package ingest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestFilter: what a site leaves out is answered as its tracker wants it, and not counted, with the reason.
func TestFilter(t *testing.T) {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(policyKey)))
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.SetSites(mustSites(t, `
defaults: {excluded_addresses: [198.51.100.0/24]}
sites:
  origin.example: {origins: ["https://origin.example", "https://*.origin.example"], write_keys: ["sha256:`+hash+`"]}
  host.example: {hostnames: [host.example, "*.shop.example"], write_keys: ["sha256:`+hash+`"]}
  path.example: {excluded_paths: [/admin/**, /Secret], spelling: {case: lower, trailing_slash: cut}}
  dnt.example: {honour_dnt: true, excluded_paths: [/x]}
  plain.example: {}
`))
	})
	stored := 0
	f := func(reason, addr, site, url string, headers ...string) {
		t.Helper()
		if reason == "" {
			stored++
		}
		res := call(c, addr, "POST", "/api/event", fmt.Sprintf(`{"n":"pageview","d":%q,"u":%q}`, site, url), append(headers, "User-Agent", chrome)...)
		if got := string(res.Header.Peek("X-Millrace-Dropped")); res.StatusCode() != 202 || got != reason {
			t.Errorf("%s %s %q: %d, dropped %q, want %q", site, url, headers, res.StatusCode(), got, reason)
		}
	}
	key := []string{"Authorization", "Bearer " + policyKey}
	f("", outside, "origin.example", "https://origin.example/", "Origin", "https://origin.example")
	f("", outside, "origin.example", "https://x/", "Origin", "https://de.origin.example")
	f("", outside, "origin.example", "https://x/", "Referer", "https://origin.example/page")
	f("origin", outside, "origin.example", "https://origin.example/", "Origin", "https://evil.example", "Referer", "https://origin.example/")
	f("origin", outside, "origin.example", "https://origin.example/", "Origin", "null")
	f("origin", outside, "origin.example", "https://origin.example/")
	f("", outside, "origin.example", "https://origin.example/", key...)

	f("", outside, "host.example", "https://www.host.example/a")
	f("", outside, "host.example", "https://de.shop.example:8080/a")
	f("hostname", outside, "host.example", "https://host.example.evil.example/a")
	f("hostname", outside, "host.example", "https://shop.example/a")
	f("hostname", outside, "host.example", "https://evil.example/a", key...)

	f("path", outside, "path.example", "https://path.example/Admin/users?x=1")
	f("path", outside, "path.example", "https://path.example/secret/")
	f("path", outside, "path.example", "https://path.example/%73ecret#x")
	f("", outside, "path.example", "https://path.example/administration")

	f("address", "198.51.100.7", "plain.example", "https://plain.example/")
	f("", "198.51.101.7", "plain.example", "https://plain.example/")
	f("dnt", "198.51.100.7", "dnt.example", "https://dnt.example/x", "DNT", "1")
	f("address", "198.51.100.7", "dnt.example", "https://dnt.example/x")
	f("path", outside, "dnt.example", "https://dnt.example/x")

	// A list of sites, of which some leave the event out.
	res := call(c, outside, "POST", "/api/event", `{"n":"pageview","d":"path.example,dnt.example,plain.example,none.example","u":"https://path.example/admin/"}`,
		"User-Agent", chrome, "DNT", "1")
	stored++ // of plain.example: "/admin" is another page than those of /admin/**
	stored++
	if got := string(res.Header.Peek("X-Millrace-Dropped")); res.StatusCode() != 202 || got != "dnt, site" {
		t.Errorf("a list: %d, dropped %q", res.StatusCode(), got)
	}
	c.Close()
	events := 0
	for _, r := range readAll(t, cluster) {
		events += len(r.events)
	}
	if events != stored {
		t.Errorf("%d events are stored, want %d", events, stored)
	}
}

// TestFilterTrusted: of a trusted sender the address and host count that he gives.
func TestFilterTrusted(t *testing.T) {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(policyKey)))
	c := mustOpen(t, mustCluster(t), func(o *Options) {
		o.SetSites(mustSites(t, `{sites: {a.example: {excluded_addresses: [198.51.100.7], hostnames: [a.example], write_keys: ["sha256:`+hash+`"]}}}`))
	})
	f := func(reason, more string) {
		t.Helper()
		res := call(c, "198.51.100.7", "POST", "/v1/events", `{"site":"a.example","name":"x"`+more+`}`, "Authorization", "Bearer "+policyKey)
		if got := string(res.Header.Peek("X-Millrace-Dropped")); res.StatusCode() != 202 || got != reason {
			t.Errorf("%s: %d, dropped %q, want %q", more, res.StatusCode(), got, reason)
		}
	}
	f("", "")
	f("address", `,"ip":"198.51.100.7"`)
	f("", `,"ip":"198.51.100.8","url":"https://a.example/"`)
	f("hostname", `,"url":"https://b.example/"`)
}

// TestQuota: what is past a quota is left out or refused until the period is over, over a restart too; a change is in force at once.
func TestQuota(t *testing.T) {
	var unix atomic.Int64
	unix.Store(time.Date(2026, 3, 31, 21, 59, 58, 0, time.UTC).Unix()) // 23:59:58 in Berlin
	path := filepath.Join(t.TempDir(), "quotas.json")
	cluster := mustCluster(t)
	open := func(text string) *Collector {
		return mustOpen(t, cluster, func(o *Options) {
			o.SetSites(mustSites(t, text))
			o.Quotas, o.Now = path, func() time.Time { return time.Unix(unix.Load(), 0) }
		})
	}
	sites := `
defaults: {time_zone: Europe/Berlin}
sites:
  drop.example: {quota: {day: 3}}
  refuse.example: {quota: {month: 2, past: refuse}}
  free.example: {}
`
	c := open(sites)
	send := func(site string, n int, status int, dropped string) {
		t.Helper()
		events := strings.Repeat(`,{"site":"`+site+`","name":"x"}`, n)[1:]
		res := call(c, outside, "POST", "/v1/events", "["+events+"]")
		if got := string(res.Header.Peek("X-Millrace-Dropped")); res.StatusCode() != status || got != dropped {
			t.Errorf("%d of %s: %d %s, dropped %q; want %d, %q", n, site, res.StatusCode(), res.Body(), got, status, dropped)
		}
		if status == 429 && string(res.Header.Peek("Retry-After")) != "2" {
			t.Errorf("retry after %q", res.Header.Peek("Retry-After"))
		}
	}
	send("drop.example", 2, 202, "")
	send("drop.example", 2, 202, "quota")
	send("drop.example", 1, 202, "quota")
	send("refuse.example", 3, 429, "") // as a whole: there is room for two
	send("refuse.example", 2, 202, "")
	send("refuse.example", 1, 429, "")
	send("free.example", 5, 202, "")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(sites)
	send("drop.example", 1, 202, "quota")
	send("refuse.example", 1, 429, "")
	if err := c.SetSites(mustSites(t, strings.Replace(sites, "day: 3", "day: 4", 1))); err != nil {
		t.Fatal(err)
	}
	send("drop.example", 2, 202, "quota")
	unix.Add(2) // the next day, and month
	send("drop.example", 4, 202, "")
	send("refuse.example", 2, 202, "")
	c.Close()

	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c = open(sites)
	send("drop.example", 3, 202, "")
}
