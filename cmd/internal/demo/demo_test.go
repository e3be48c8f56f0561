package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phuslu/iploc"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// day is one day of traffic at 2 events a second.
func day(seed uint64) (at []time.Time, events []beacon) {
	t := newTraffic(seed, 2, start)
	for {
		due, b := t.next()
		if due.Sub(start) >= 24*time.Hour {
			return at, events
		}
		at, events = append(at, due), append(events, b)
	}
}

func TestADay(t *testing.T) {
	at, events := day(1)
	if rate := float64(len(events)) / 86400; math.Abs(rate-2) > 0.15 {
		t.Errorf("%.2f events a second over a day, want 2: is eventsPerVisit right?", rate)
	}
	sites, names, countries, hours := map[string]int{}, map[string]int{}, map[string]int{}, [24]int{}
	for i, b := range events {
		if i > 0 && at[i].Before(at[i-1]) {
			t.Fatalf("event %d is before the one before it", i)
		}
		sites[b.Site]++
		names[b.Name]++
		countries[iploc.IPCountry(netip.MustParseAddr(b.IP))]++
		hours[at[i].Hour()]++
	}
	for _, id := range Sites() {
		if sites[id] < len(events)/10 {
			t.Errorf("site %s has %d of %d events", id, sites[id], len(events))
		}
	}
	if len(sites) != 3 || len(countries) < 10 || names["Purchase"] == 0 || names["Signup"] == 0 || names["Download"] == 0 {
		t.Errorf("sites %v, names %v, countries %v", sites, names, countries)
	}
	if names["pageview"] < len(events)*9/10 {
		t.Errorf("%d of %d are pageviews", names["pageview"], len(events))
	}
	if hours[19] < 2*hours[4] {
		t.Errorf("no daily rhythm: %v", hours)
	}
}

func TestSameSeedSameTraffic(t *testing.T) {
	_, a := day(7)
	_, b := day(7)
	_, c := day(8)
	first, again, other := a[len(a)-1].body(), b[len(b)-1].body(), c[len(c)-1].body()
	if len(a) != len(b) || !bytes.Equal(first, again) {
		t.Errorf("%s\n%s", first, again)
	}
	if bytes.Equal(first, other) {
		t.Error("another seed gives the same traffic")
	}
}

func TestRunSends(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b beacon
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.Site == "" || r.URL.Path != "/v1/events" {
			t.Errorf("%s: %v, %+v", r.URL, err, b)
		}
		if got.Add(1) == 5 {
			cancel()
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	if err := Run(ctx, Options{URL: srv.URL, Rate: 1000, Seed: 1, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Error(err)
	}
	if got.Load() < 5 {
		t.Errorf("%d events arrived", got.Load())
	}
}
