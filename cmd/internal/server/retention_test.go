package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/site"
)

// minuteOf is a minute with an event.
func minuteOf(id string, start event.Time) *window.Window {
	return &window.Window{Kind: window.Minute, Site: id, Start: start, Final: true, Points: []window.Point{{Family: window.Totals, Rollup: window.Rollup{Events: 1, Pageviews: 1}}}}
}

// TestExpire: what a site keeps no longer goes, of that site and up to its midnight alone, and is gone until it is
// written again.
func TestExpire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.yaml")
	text := "any_site: true\ndefaults: {retention: 2d}\nsites:\n  a.example: {time_zone: Asia/Kolkata, retention: 1d}\n  b.example: {retention: forever}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sites, err := site.Read(site.Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	store, err := local.Open(local.Options{Dir: t.TempDir() + "/rollups", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx, now := t.Context(), time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
	midnight := event.TimeOf(time.Date(2026, 7, 13, 18, 30, 0, 0, time.UTC)) // of a.example, yesterday's
	var ws []*window.Window
	for _, id := range []string{"a.example", "a.example.org", "b.example", "c.example"} {
		for _, at := range []event.Time{midnight - 40*24*event.Hour, midnight - event.Minute, midnight, midnight + event.Hour} {
			ws = append(ws, minuteOf(id, at))
		}
	}
	ws = append(ws, &window.Window{Kind: window.Visits, Site: "a.example", Start: midnight - 15*event.Minute, Final: true, Points: []window.Point{{Family: window.Totals, Rollup: window.Rollup{Visits: 1}}}})
	if err := store.Write(ctx, ws); err != nil {
		t.Fatal(err)
	}
	count := func(id string, k window.Kind) (n int) {
		t.Helper()
		sel := window.Selection{Kind: k, Site: id, Family: window.Totals, To: midnight + 24*event.Hour}
		if err := store.Scan(ctx, sel, func(event.Time, bool, *window.Point) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := func(of, a, b, c int) {
		t.Helper()
		if n, err := expire(ctx, store, sites, now); n != of || err != nil {
			t.Errorf("deleted of %d sites, %v; want %d", n, err, of)
		}
		if x, y, z := count("a.example", window.Minute), count("b.example", window.Minute), count("c.example", window.Minute); x != a || y != b || z != c || count("a.example.org", window.Minute) != c {
			t.Errorf("%d, %d and %d minutes are left; want %d, %d, %d", x, y, z, a, b, c)
		}
	}
	want(3, 2, 4, 3)
	if n := count("a.example", window.Visits); n != 0 {
		t.Errorf("%d windows of visits are left", n)
	}
	want(0, 2, 4, 3)
	if err := store.Write(ctx, ws[:1]); err != nil {
		t.Fatal(err)
	}
	if n := count("a.example", window.Minute); n != 3 {
		t.Errorf("%d minutes after one was written again, want 3", n)
	}
	want(1, 2, 4, 3)
}

// countedStore counts how often it is asked for its sites.
type countedStore struct {
	asked int
	err   error
}

func (c *countedStore) Sites(context.Context) ([]string, error) {
	c.asked++
	return []string{"a.example"}, c.err
}
func (c *countedStore) DeleteBefore(context.Context, string, event.Time) (bool, error) {
	return true, nil
}

// mustMetric returns the value of a counter or a gauge.
func mustMetric(t *testing.T, of prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := of.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// TestExpireSites: it looks at the start and each hour, ends with an error of the store, and does not read the store
// where all is kept.
func TestExpireSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := &site.Sites{Default: site.Site{Retention: 1}}
		store, log := &countedStore{}, slog.New(slog.DiscardHandler)
		m := newRetentionMetrics(prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- expireSites(ctx, store, func() *site.Sites { return sites }, m, log) }()
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if store.asked != 3 {
			t.Errorf("asked %d times in two hours, want 3", store.asked)
		}
		good := float64(time.Now().Add(-time.Minute).Unix())
		if of, last := mustMetric(t, m.sites), mustMetric(t, m.last); of != 3 || last != good {
			t.Errorf("metrics say %v sites, at %v; want 3, %v", of, last, good)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		store.err = errors.New("away")
		if err := expireSites(t.Context(), store, func() *site.Sites { return sites }, m, log); !errors.Is(err, store.err) {
			t.Errorf("%v, want the store's error", err)
		}
		if last := mustMetric(t, m.last); last != good {
			t.Errorf("a pass that failed counts as one at %v", last)
		}
		if n, err := expire(t.Context(), store, &site.Sites{}, time.Now()); n != 0 || err != nil {
			t.Errorf("%d, %v of sites that keep all", n, err)
		}
	})
}

// TestRetentionOf: the archive keeps what the file of sites says, and what is gone from it is not shown, whatever the file says since.
func TestRetentionOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.yaml")
	text := "any_site: true\ndefaults: {retention: 2d}\nsites:\n  a.example: {retention: 1d}\n  b.example: {retention: forever}\n  c.example: {}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sites, err := site.Read(site.Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	if got := retentionOf(sites); got.All != 2 || !maps.Equal(got.Sites, map[string]int{"a.example": 1, "b.example": 0}) {
		t.Errorf("%+v", got)
	}
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	note := `{"version":1,"reach":3600000,"all":1700000000000,"sites":{"b.example":0}}`
	if err := lake.PutNote(t.Context(), store, "expired.00", note); err != nil {
		t.Fatal(err)
	}
	from := latest(func(id string, _ time.Time) event.Time {
		return map[string]event.Time{"c.example": 1_800_000_000_000, "b.example": 5}[id]
	}, keptIn(store))
	for id, want := range map[string]event.Time{"a.example": 1_700_003_600_000, "b.example": 5, "c.example": 1_800_000_000_000} {
		if got := from(id, time.Now()); got != want {
			t.Errorf("%s is kept from %d, want %d", id, got, want)
		}
	}
}
