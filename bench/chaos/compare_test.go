package chaos

import (
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// counted is the recount of a short log, and what a faultless engine would have written.
func mustCount(t *testing.T) (*recount, map[windowKey]*stored) {
	t.Helper()
	w := Workload{Seed: 1, Events: 3000, Span: 5 * event.Minute, Late: 0.02, Dropped: 0.01, Bots: 0.05, Poison: 0.1}.withDefaults()
	r := newRecount(w)
	for rec := range w.records() {
		r.add(rec)
	}
	got := map[windowKey]*stored{}
	for k, c := range r.all() {
		s := &stored{final: true, points: map[cellKey]window.Rollup{}}
		for ck, c := range c.of {
			var sk sketch.Sketch
			for id := range c.visitors {
				sk.Add(uint64(id))
			}
			s.points[ck] = window.Rollup{Events: c.events, Pageviews: c.pageviews, Visitors: sk.Estimate(), Sketch: sk.AppendBinary(nil),
				Revenue: c.revenue, Visits: c.visits, Bounces: c.bounces, Seconds: c.seconds, Views: c.views}
		}
		got[k] = s
	}
	return r, got
}

// Whatever is wrong with a window is noticed.
func TestCompare(t *testing.T) {
	r, right := mustCount(t)
	if v := r.compare(right); len(v.wrong) > 0 || v.values < 1000 {
		t.Fatalf("%d values, wrong: %v", v.values, v.wrong)
	}
	var key windowKey
	for key = range right {
		if key.kind == window.Minute && right[key].points[cellKey{family: window.Totals}].Events > 5 {
			break
		}
	}
	total := cellKey{family: window.Totals}
	f := func(what string, harm func(map[windowKey]*stored, *stored)) {
		t.Helper()
		got := maps.Clone(right)
		s := *right[key]
		s.points = maps.Clone(s.points)
		got[key] = &s
		harm(got, &s)
		if v := r.compare(got); len(v.wrong) == 0 {
			t.Errorf("%s: not noticed", what)
		}
	}
	change := func(fn func(*window.Rollup)) func(map[windowKey]*stored, *stored) {
		return func(_ map[windowKey]*stored, s *stored) {
			p := s.points[total]
			fn(&p)
			s.points[total] = p
		}
	}
	f("an event too much", change(func(p *window.Rollup) { p.Events++ }))
	f("a pageview too few", change(func(p *window.Rollup) { p.Pageviews-- }))
	f("a wrong estimate", change(func(p *window.Rollup) { p.Visitors += 2 }))
	f("another visitor", change(func(p *window.Rollup) {
		var sk sketch.Sketch
		for i := range p.Visitors {
			sk.Add(i)
		}
		p.Sketch = sk.AppendBinary(nil)
	}))
	f("a window that is not final", func(_ map[windowKey]*stored, s *stored) { s.final = false })
	f("a window that is missing", func(got map[windowKey]*stored, _ *stored) { delete(got, key) })
	f("a value that is missing", func(_ map[windowKey]*stored, s *stored) { delete(s.points, total) })
	f("a value that nobody sent", func(_ map[windowKey]*stored, s *stored) {
		s.points[cellKey{window.Pages, "/none", ""}] = window.Rollup{Events: 1}
	})
	f("a window that nobody sent", func(got map[windowKey]*stored, s *stored) {
		got[windowKey{window.Minute, key.site, key.start - event.Hour}] = s
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
	s := &sink{windows: map[windowKey]*stored{}}
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
	got := s.windows[windowKey{window.Minute, "a.example", defaultStart}].points
	if len(got) != 2 || got[cellKey{window.Pages, "/a", ""}].Events != 2 || got[cellKey{window.Pages, "/b", ""}].Events != 3 {
		t.Errorf("kept are %v", got)
	}
}
