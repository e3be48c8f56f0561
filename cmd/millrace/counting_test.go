package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/engine"
	"millrace/engine/event"
)

// mustSend posts an event as a trusted sender.
func (s *serving) mustSend(tb testing.TB, e map[string]any) {
	tb.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.Post(s.url+"/v1/events", "application/json", strings.NewReader(string(body)))
	if err != nil {
		tb.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		tb.Fatalf("status %d for %s", resp.StatusCode, body)
	}
}

// TestGoals counts goals in the stream, and in a replay with the same file of goals: no difference to each other, but one to a
// replay without.
func TestGoals(t *testing.T) {
	t.Parallel()
	goals := filepath.Join(t.TempDir(), "goals.json")
	err := os.WriteFile(goals, []byte(`{"shop.example.com": [{"name": "Order", "event": "purchase"}, {"name": "Reader", "page": "/blog/**"}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	at := localPlace(t)
	s := mustServe(t, at, "--archive-every", "1s", "--goals", goals)
	// In the hour that goes on: one that is over fires again within a minute, and would miss that when the server stops.
	now := time.Now().UTC()
	minute := now.Add(-10 * time.Minute).Truncate(time.Minute)
	if hour := now.Truncate(time.Hour); minute.Before(hour) {
		minute = hour
	}
	for visitor, e := range []struct{ name, path string }{
		{"pageview", "/"}, {"pageview", "/blog/one"}, {"pageview", "/blog/two"}, {"purchase", "/checkout"}, {"pageview", "/about"},
	} {
		s.mustSend(t, map[string]any{
			"site": "shop.example.com", "name": e.name, "url": "https://shop.example.com" + e.path,
			"visitor": fmt.Sprint("visitor ", visitor), "ts": minute.UnixMilli(),
		})
	}
	waitFor(t, 20*time.Second, func() error {
		a, err := s.ask(map[string]any{
			"site_id": "shop.example.com", "metrics": []string{"visitors", "conversion_rate"}, "dimensions": []string{"event:goal"},
			"date_range": []string{minute.Format(time.RFC3339), minute.Add(59 * time.Second).Format(time.RFC3339)},
		})
		if err != nil {
			return err
		}
		got := map[string]numbers{}
		for _, r := range a.Results {
			got[r.Dimensions[0]] = r.Metrics
		}
		if want := map[string]numbers{"Order": {1, 20}, "Reader": {2, 40}}; !reflect.DeepEqual(got, want) {
			return fmt.Errorf("goals %v, want %v", got, want)
		}
		return nil
	})
	waitFor(t, 2*time.Minute, func() error { // replay knows what is archived and final
		a, err := s.ask(map[string]any{"site_id": "shop.example.com", "metrics": []string{"visitors"}, "date_range": "day"})
		if err == nil && a.Meta.Watermark.Before(minute.Add(time.Minute)) {
			err = fmt.Errorf("the rollups are final until %s", a.Meta.Watermark)
		}
		if err != nil {
			return err
		}
		l, err := at.lake()
		if err != nil {
			return err
		}
		until, err := l.CompleteUntil(t.Context(), engine.EventsTopic)
		if err == nil && until.Std().Before(minute.Add(time.Minute)) {
			err = fmt.Errorf("the archive is complete until %s", until)
		}
		return err
	})
	s.mustStop(t)
	mustRun(t, exitOK, at.args("replay", "--verify", "--goals", goals)...)
	// A file of sites with these goals counts the same.
	sites := filepath.Join(t.TempDir(), "sites.yaml")
	mustWrite(t, sites, "sites: {shop.example.com: {goals: [{name: Order, event: purchase}, {name: Reader, page: /blog/**}], query_keys_file: not-here}}\n", 0o600)
	mustRun(t, exitOK, at.args("replay", "--verify", "--sites-file", sites)...)
	out := mustRun(t, exitError, at.args("replay", "--verify")...)
	if !strings.Contains(out, "Reader") {
		t.Errorf("a replay without the goals finds other differences: %s", out)
	}
}

// TestShards sends the same visitors to two sites, one of them spread over all partitions: every answer is the same.
func TestShards(t *testing.T) {
	t.Parallel()
	const partitions, shards, visitors = 4, 16, 40
	narrow, wide := soonFired("narrow", partitions, 1), soonFired("wide", partitions, shards)
	s := mustServe(t, localPlace(t), "--partitions", fmt.Sprint(partitions), "--shards", fmt.Sprintf("%s=%d", wide, shards))
	from := time.Now().UTC().Add(-20 * time.Minute).Truncate(time.Minute)
	hour := from.Truncate(time.Hour)
	for v := range visitors {
		for step := range 1 + v%3 {
			for _, site := range []string{narrow, wide} {
				s.mustSend(t, map[string]any{
					"site": site, "name": "pageview", "url": fmt.Sprintf("https://x.example/%d?utm_source=s%d", (v+step)%4, v%5),
					"ip": fmt.Sprintf("192.0.2.%d", v), "ua": firefox, "ts": from.Add(time.Duration(v+30*step) * time.Second).UnixMilli(),
				})
			}
		}
	}
	ask := func(site string, dimensions ...string) (*answer, error) {
		return s.ask(map[string]any{
			"site_id": site, "dimensions": append([]string{}, dimensions...),
			"metrics":    []string{"visitors", "visits", "pageviews", "bounce_rate", "visit_duration", "views_per_visit"},
			"date_range": []string{hour.Add(-time.Hour).Format(time.RFC3339), hour.Add(2*time.Hour - time.Second).Format(time.RFC3339)},
		})
	}
	// Visits are fired once in 30 s, perhaps before the last of their events has come. 14 of 40 have one view, 13 each have two in
	// 30 s and three in a minute.
	const want = "[40 40 79 35 29 1.98]"
	waitFor(t, 2*time.Minute, func() error {
		for _, site := range []string{narrow, wide} {
			a, err := ask(site)
			if err != nil {
				return err
			}
			if got := fmt.Sprint(a.Results[0].Metrics); got != want {
				return fmt.Errorf("%s: %s, want %s", site, got, want)
			}
		}
		return nil
	})
	for _, dimensions := range [][]string{{}, {"event:page"}, {"visit:entry_page"}, {"visit:source"}, {"visit:browser"}, {"time:hour"}} {
		metrics := func(site string) string {
			a, err := ask(site, dimensions...)
			if err != nil {
				t.Fatalf("%s by %v: %v", site, dimensions, err)
			}
			return fmt.Sprint(a.Results)
		}
		if n, w := metrics(narrow), metrics(wide); n != w || n == "[]" {
			t.Errorf("by %v: one partition\n%s\nspread\n%s", dimensions, n, w)
		}
	}
	s.mustStop(t)
}

// soonFired returns a site whose shards lie in all partitions, if they are several, and whose visits are fired some
// seconds from now.
func soonFired(name string, partitions int32, shards uint16) string {
	for i := 0; ; i++ {
		site := fmt.Sprintf("%s%d.example", name, i)
		used := map[int32]bool{}
		for shard := range shards {
			used[event.Partition(site, shard, partitions)] = true
		}
		h := fnv.New32a()
		h.Write([]byte(site))
		slot := int64((h.Sum32() ^ h.Sum32()>>15) % 30)
		if len(used) == min(int(shards), int(partitions)) && (slot+30-time.Now().Unix()%30)%30 == 8 {
			return site
		}
	}
}
