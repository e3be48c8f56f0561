package ingest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/site"
)

const policyKey = "0123456789abcdef0123456789abcdef"

// mustSites reads a file of sites.
func mustSites(tb testing.TB, text string) *site.Sites {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "sites.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	s, err := site.Read(site.Config{File: path})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestSetSites: accepted sites, tokens, DNT and write keys are those that were set last.
func TestSetSites(t *testing.T) {
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.SetSites(mustSites(t, "sites: {a.example: {}}")) })
	f := func(site string, status int, dropped bool, headers ...string) {
		t.Helper()
		body := fmt.Sprintf(`{"site":%q,"name":"pageview","url":"https://x/"}`, site)
		res := call(c, outside, "POST", "/v1/events", body, headers...)
		if got := len(res.Header.Peek("X-Millrace-Dropped")) > 0; res.StatusCode() != status || got != dropped {
			t.Errorf("%s %q: status %d, dropped %v; want %d, %v", site, headers, res.StatusCode(), got, status, dropped)
		}
	}
	matomo := func(status int) {
		t.Helper()
		res := call(c, outside, "GET", "/matomo.php?idsite=7&rec=1&url=https%3A%2F%2Fb.example%2F&action_name=x", "")
		if res.StatusCode() != status {
			t.Errorf("matomo: status %d, want %d", res.StatusCode(), status)
		}
	}
	key := []string{"Authorization", "Bearer " + policyKey}
	f("a.example", 202, false, "DNT", "1")
	f("b.example", 400, false)
	f("a.example", 401, false, key...)

	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(policyKey)))
	if err := c.SetSites(mustSites(t, "defaults: {honour_dnt: true}\nsites: {a.example: {write_keys: ['sha256:"+hash+"']}, b.example: {aliases: [7]}}")); err != nil {
		t.Fatal(err)
	}
	f("a.example", 202, true, "DNT", "1")
	f("b.example", 202, false)
	f("c.example", 400, false)
	f("a.example", 202, false, key...)
	f("b.example", 403, false, key...)
	matomo(200)

	if err := c.SetSites(mustSites(t, "any_site: true\nsites: {b.example: {}}")); err != nil {
		t.Fatal(err)
	}
	f("a.example", 202, false, "DNT", "1")
	f("c.example", 202, false)
	f("b.example", 401, false, key...)
}

// TestSetSitesMeanwhile: a request is served by the sites of one moment, whatever is set meanwhile. For the race detector.
func TestSetSitesMeanwhile(t *testing.T) {
	t.Parallel()
	one, two := mustSites(t, "sites: {a.example: {}, b.example: {}}"), mustSites(t, "any_site: true")
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.SetSites(one) })
	var wg sync.WaitGroup
	var refused, taken atomic.Int64
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var events []string
				for _, site := range []string{"a.example", "b.example", "c.example"} {
					events = append(events, fmt.Sprintf(`{"site":%q,"name":"pageview","url":"https://x/"}`, site))
				}
				switch res := call(c, outside, "POST", "/v1/events", "["+strings.Join(events, ",")+"]", "DNT", "1"); res.StatusCode() {
				case 202:
					taken.Add(1)
				case 400:
					refused.Add(1)
				default:
					t.Errorf("status %d", res.StatusCode())
				}
			}
		})
	}
	for i := 0; i < 200 || taken.Load() < 20 || refused.Load() < 20; i++ {
		if err := c.SetSites([]*site.Sites{one, two}[i%2]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
	close(stop)
	wg.Wait()
}
