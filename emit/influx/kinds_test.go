package influx

import (
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// countersAt returns the fields of a point in the fake, nil if it is not there.
func (f *fake) countersAt(name, page string, sec int64) map[string]any {
	for _, p := range f.points {
		if p.name == name && p.tags["page"] == page && p.sec == sec {
			return p.fields
		}
	}
	return nil
}

// Windows of several kinds that start together are versioned apart, live and in a replay.
func TestKinds(t *testing.T) {
	b := newFake(t)
	s, _ := mustSink(t, b, nil)
	hour := win("a.example", 3600000, 5, "/x=7 /y=1")
	hour.Kind = window.Hour
	visits := &window.Window{Kind: window.Visits, Site: "a.example", Start: 3600000, Version: 9, Points: []window.Point{{Rollup: window.Rollup{Visits: 3, Bounces: 1, Seconds: 60, Views: 8}}}}
	minute := win("a.example", 3600000, 7, "/x=3 /y=1")
	f := func(write func(*window.Window) error, w *window.Window) {
		t.Helper()
		if err := write(w); err != nil {
			t.Fatal(err)
		}
	}
	live := func(w *window.Window) error { return s.Write(t.Context(), []*window.Window{w}) }
	replay := func(w *window.Window) error { return s.Replace(t.Context(), []*window.Window{w}) }
	events := func(name, page string, want int64) {
		t.Helper()
		if got := b.fake.countersAt(name, page, 3600)["events"]; got != want {
			t.Errorf("%s %s: %v events, want %d", name, page, got, want)
		}
	}
	f(live, visits)
	f(live, minute)
	f(live, hour)
	events("page", "/x", 3)
	events("page_hour", "/x", 7)
	// A newer minute without /y zeroes that of the minute only; an older hour stays out.
	f(live, win("a.example", 3600000, 8, "/x=4"))
	old := *hour
	old.Version, old.Points = 4, old.Points[:1]
	f(live, &old)
	events("page", "/y", 0)
	events("page_hour", "/y", 1)
	// A replay clears the visits; the firing it replaced stays out, a later one comes in.
	f(replay, &window.Window{Kind: window.Visits, Site: "a.example", Start: 3600000})
	f(live, visits)
	if got := b.fake.countersAt("totals_visits", "", 3600); got["visits"] != int64(0) || got["seconds"] != int64(0) || got["version"] != int64(9) {
		t.Errorf("cleared visits: %v", got)
	}
	if got := b.fake.countersAt("replaced_visits", "", 3600); got["version"] != int64(9) {
		t.Errorf("the mark: %v", got)
	}
	events("page", "/x", 4)
	events("page_hour", "/x", 7)
	visits.Version = 10
	f(live, visits)
	if got := b.fake.countersAt("totals_visits", "", 3600); got["visits"] != int64(3) || got["views"] != int64(8) {
		t.Errorf("visits: %v", got)
	}
}

// InfluxDB keeps the fields of a point that a later write of it does not name. Revenue, which lines
// leave out where it is 0, would stay after it has been paid back.
func TestRevenueGoesBackToZero(t *testing.T) {
	b := newFake(t)
	s, _ := mustSink(t, b, nil)
	f := func(version, revenue int64) {
		t.Helper()
		odd := "/x,version=1i,revenue=5i"
		w := win("a.example", 60000, version, "/y=2")
		w.Points = append(w.Points, window.Point{Family: window.Pages, Dims: [2]string{odd}, Rollup: window.Rollup{Events: 1, Revenue: event.Money(revenue)}})
		if err := s.Write(t.Context(), []*window.Window{w}); err != nil {
			t.Fatal(err)
		}
		for page, want := range map[string]int64{odd: revenue, "/y": 0} {
			if got := b.fake.countersAt("page", page, 60)["revenue"]; got != want {
				t.Errorf("version %d, page %s: revenue %v, want %d", version, page, got, want)
			}
		}
	}
	f(1, 12500)
	f(2, 0)
	f(3, -7)
}
