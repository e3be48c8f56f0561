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
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phuslu/iploc"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// rate is in events a second.
const rate = 0.2

// week is one week of traffic, which begins on a Monday.
func week(seed uint64) (at []time.Time, events []beacon) {
	t := newTraffic(seed, rate, start)
	for {
		due, b := t.next()
		if due.Sub(start) >= 7*24*time.Hour {
			return at, events
		}
		at, events = append(at, due), append(events, b)
	}
}

func TestAWeek(t *testing.T) {
	at, events := week(1)
	if got := float64(len(events)) / (7 * 86400); math.Abs(got-rate) > 0.07*rate {
		t.Errorf("%.3f events a second over a week, want %.3f: is eventsPerVisit right?", got, rate)
	}
	sites, names, countries, hours, days := map[string]int{}, map[string]int{}, map[string]int{}, [24]int{}, [7]int{}
	for i, b := range events {
		if i > 0 && at[i].Before(at[i-1]) {
			t.Fatalf("event %d is before the one before it", i)
		}
		sites[b.Site]++
		names[b.Name]++
		countries[iploc.IPCountry(netip.MustParseAddr(b.IP))]++
		hours[at[i].Hour()]++
		days[at[i].Weekday()]++
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
	if days[time.Tuesday] < days[time.Saturday]*11/10 {
		t.Errorf("no weekly rhythm: %v", days)
	}
}

func TestSameSeedSameTraffic(t *testing.T) {
	_, a := week(7)
	_, b := week(7)
	_, c := week(8)
	first, again, other := a[len(a)-1].body(), b[len(b)-1].body(), c[len(c)-1].body()
	if len(a) != len(b) || !bytes.Equal(first, again) {
		t.Errorf("%s\n%s", first, again)
	}
	if bytes.Equal(first, other) {
		t.Error("another seed gives the same traffic")
	}
}

// TestRunSends sends at the busiest and at the quietest hour: it is the start that says which one it is.
func TestRunSends(t *testing.T) {
	for _, hour := range []int{4, 20} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var got atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var b beacon
			if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.Site == "" || b.Time != 0 || r.URL.Path != "/v1/events" {
				t.Errorf("%s: %v, %+v", r.URL, err, b)
			}
			if got.Add(1) == 5 {
				cancel()
			}
			w.WriteHeader(http.StatusAccepted)
		}))
		defer srv.Close()
		o := Options{URL: srv.URL, Rate: 1000, Seed: 1, Start: start.Add(time.Duration(hour) * time.Hour), Log: slog.New(slog.DiscardHandler)}
		if err := Run(ctx, o); err != nil {
			t.Error(err)
		}
		if got.Load() < 5 {
			t.Errorf("at %d o'clock %d events arrived", hour, got.Load())
		}
	}
}

// TestWriteDay: a day comes out the same again, each event once, and one that is not over is its beginning.
func TestWriteDay(t *testing.T) {
	write := func(until time.Time) string {
		t.Helper()
		var b bytes.Buffer
		n, err := WriteDay(&b, start.Add(5*time.Hour), until, rate)
		if lines := strings.Count(b.String(), "\n"); err != nil || n != lines {
			t.Fatalf("%d events in %d lines, %v", n, lines, err)
		}
		return b.String()
	}
	whole := write(start.AddDate(1, 0, 0))
	if again := write(start.AddDate(0, 0, 1)); again != whole {
		t.Error("the same day is another one")
	}
	noon := start.Add(12 * time.Hour)
	if part := write(noon); !strings.HasPrefix(whole, part) || len(part) == 0 {
		t.Error("half a day is not the first half")
	}
	if none := write(start); none != "" {
		t.Errorf("of a day that has not begun there is %s", none)
	}
	ids := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(whole), "\n") {
		var b beacon
		if err := json.Unmarshal([]byte(line), &b); err != nil || ids[b.ID] || b.Time < start.UnixMilli() || b.Time >= start.AddDate(0, 0, 1).UnixMilli() {
			t.Fatalf("%s: %v", line, err)
		}
		ids[b.ID] = true
	}
	if n := float64(len(ids)); math.Abs(n-rate*86400*1.08) > 0.1*n {
		t.Errorf("%v events", n)
	}
}
