package chaos

import (
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/bench/tally"
	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// mustCount returns the recount of a short log, and what a faultless engine would have written.
func mustCount(t *testing.T) (*counts, tally.Written) {
	t.Helper()
	w := Workload{Seed: 1, Events: 3000, Span: 5 * event.Minute, Late: 0.02, Dropped: 0.01, Bots: 0.05, Poison: 0.1}.withDefaults()
	c := newCounts(w)
	for rec := range w.records() {
		c.add(rec)
	}
	got := tally.Written{}
	for k, cells := range c.windows() {
		s := &tally.Stored{Final: true, Points: map[tally.Key]window.Rollup{}}
		for key, v := range cells.All() {
			s.Points[key] = window.Rollup{Events: v.Events, Pageviews: v.Pageviews, Visitors: uint64(len(v.Visitors)), Sketch: v.Sketch(),
				Revenue: v.Revenue, Paid: v.Paid, Visits: v.Visits, Bounces: v.Bounces, Seconds: v.Seconds, Views: v.Views}
		}
		got[k] = s
	}
	return c, got
}

// Whatever is wrong with a window is noticed.
func TestCompare(t *testing.T) {
	c, right := mustCount(t)
	if v := c.compare(right); len(v.Wrong) > 0 || v.Values < 1000 {
		t.Fatalf("%d values, wrong: %v", v.Values, v.Wrong)
	}
	total := tally.Key{Family: window.Totals}
	var minute, quarter tally.Window
	for k, s := range right {
		switch {
		case k.Kind == window.Minute && s.Points[total].Events > 5:
			minute = k
		case k.Kind == window.Visits:
			quarter = k
		}
	}
	f := func(what string, key tally.Window, harm func(tally.Written, *tally.Stored)) {
		t.Helper()
		got := maps.Clone(right)
		s := *right[key]
		s.Points = maps.Clone(s.Points)
		got[key] = &s
		harm(got, &s)
		if v := c.compare(got); len(v.Wrong) == 0 {
			t.Errorf("%s: not noticed", what)
		}
	}
	change := func(fn func(*window.Rollup)) func(tally.Written, *tally.Stored) {
		return func(_ tally.Written, s *tally.Stored) {
			p := s.Points[total]
			fn(&p)
			s.Points[total] = p
		}
	}
	f("an event too much", minute, change(func(p *window.Rollup) { p.Events++ }))
	f("a pageview too few", minute, change(func(p *window.Rollup) { p.Pageviews-- }))
	f("a wrong sum", minute, change(func(p *window.Rollup) { p.Revenue++ }))
	f("a payment too much", minute, change(func(p *window.Rollup) { p.Paid++ }))
	f("a wrong estimate", minute, change(func(p *window.Rollup) { p.Visitors += 2 }))
	f("another visitor", minute, change(func(p *window.Rollup) {
		var sk sketch.Sketch
		for i := range p.Visitors {
			sk.Add(i)
		}
		p.Sketch = sk.AppendBinary(nil)
	}))
	f("a visit too much", quarter, change(func(p *window.Rollup) { p.Visits++ }))
	f("a bounce too few", quarter, change(func(p *window.Rollup) { p.Bounces-- }))
	f("a second too much", quarter, change(func(p *window.Rollup) { p.Seconds++ }))
	f("a view too much", quarter, change(func(p *window.Rollup) { p.Views++ }))
	f("a window that is not final", minute, func(_ tally.Written, s *tally.Stored) { s.Final = false })
	f("a window that is missing", minute, func(got tally.Written, _ *tally.Stored) { delete(got, minute) })
	f("a value that is missing", minute, func(_ tally.Written, s *tally.Stored) { delete(s.Points, total) })
	f("a value that nobody sent", minute, func(_ tally.Written, s *tally.Stored) {
		s.Points[tally.Key{Family: window.Pages, A: "/none"}] = window.Rollup{Events: 1}
	})
	f("a window that nobody sent", minute, func(got tally.Written, s *tally.Stored) {
		got[tally.Window{Kind: window.Minute, Site: minute.Site, Start: minute.Start - event.Hour}] = s
	})
}

// The log of a seed has some of everything, and is the same each time.
func TestWorkload(t *testing.T) {
	r, _ := mustCount(t)
	n := r.total()
	if n.Late == 0 || n.Dropped == 0 || n.Bots == 0 || n.Dead == 0 || n.OnTime+n.Late+n.Dropped+n.Bots != n.Events {
		t.Errorf("the log is %+v", n)
	}
	log := func(seed uint64) string {
		var b strings.Builder
		w := Workload{Seed: seed, Events: 500, Poison: 0.1}.withDefaults()
		for rec := range w.records() {
			b.Write(rec.value)
		}
		return b.String()
	}
	if one, again := log(1), log(1); one != again || one == log(2) {
		t.Error("a log is not a function of its seed")
	}
}

// The sink keeps the newest version, and all parts of it.
func TestSinkVersions(t *testing.T) {
	s := &sink{kept: newKept()}
	w := window.Window{Site: "a.example", Start: defaultStart, Final: true}
	take := func(version int64, page string, events int64) {
		t.Helper()
		w.Version = version
		w.Points = []window.Point{{Family: window.Pages, Dims: [2]string{page}, Rollup: window.Rollup{Events: events}}}
		b, err := w.AppendLines(nil)
		if err == nil {
			err = s.take(&kgo.Record{Value: b})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	take(7, "/gone", 1)
	take(8, "/a", 2)
	take(8, "/b", 3)
	take(7, "/gone", 1)
	k := tally.Window{Kind: window.Minute, Site: "a.example", Start: defaultStart}
	got := s.windows[k].Points
	if len(got) != 2 || got[tally.Key{Family: window.Pages, A: "/a"}].Events != 2 || got[tally.Key{Family: window.Pages, A: "/b"}].Events != 3 {
		t.Errorf("kept are %v", got)
	}
	if raw := string(s.raw[k]); !strings.Contains(raw, "/b") {
		t.Errorf("the last record kept is %s", raw)
	}
}
