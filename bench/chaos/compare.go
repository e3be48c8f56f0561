package chaos

import (
	"fmt"
	"math"
	"slices"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// verdict is what came of a comparison.
type verdict struct {
	windows, values int
	wrong           []string // sorted
}

// compare holds what was written against the recount, value by value.
func (r *recount) compare(got map[windowKey]*stored) verdict {
	var v verdict
	for k, want := range r.all() {
		v.window(k, want, got[k])
	}
	known := map[windowKey]bool{}
	for k := range r.keys() {
		known[k] = true
	}
	for k, w := range got {
		// A window of visits whose visits have moved on is empty.
		if !known[k] && !w.empty() {
			v.bad("%s: not in the recount", k)
		}
	}
	slices.Sort(v.wrong)
	return v
}

func (v *verdict) bad(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// window compares one window.
func (v *verdict) window(k windowKey, want *cells, w *stored) {
	v.windows++
	if w == nil {
		v.bad("%s: missing", k)
		return
	}
	if !w.final {
		v.bad("%s: the last firing was an early one", k)
	}
	for ck, c := range want.of {
		if want.unknown[ck.family] {
			continue
		}
		v.values++
		p, ok := w.points[ck]
		if !ok {
			v.bad("%s %s: missing; the recount has %s", k, ck, c)
		} else if what := c.differs(&p); what != "" {
			v.bad("%s %s: %s", k, ck, what)
		}
	}
	for ck, p := range w.points {
		if want.of[ck] == nil && !want.unknown[ck.family] && !(k.kind == window.Visits && empty(&p)) {
			v.bad("%s %s: not in the recount", k, ck)
		}
	}
}

// empty reports whether all points of a window count nothing.
func (s *stored) empty() bool {
	for _, p := range s.points {
		if !empty(&p) {
			return false
		}
	}
	return true
}

func empty(p *window.Rollup) bool {
	return p.Events == 0 && p.Pageviews == 0 && p.Revenue == 0 && len(p.Sketch) == 0 && p.Visits == 0 && p.Bounces == 0 && p.Seconds == 0 && p.Views == 0
}

// differs says how a point is not what was counted; "" if it is.
func (c *cell) differs(p *window.Rollup) string {
	got := cell{events: p.Events, pageviews: p.Pageviews, revenue: p.Revenue, visits: p.Visits, bounces: p.Bounces, seconds: p.Seconds, views: p.Views}
	want := *c
	want.visitors = nil
	if got.String() != want.String() {
		return fmt.Sprintf("%s; the recount has %s", &got, &want)
	}
	n := len(c.visitors)
	var sk sketch.Sketch
	for id := range c.visitors {
		sk.Add(uint64(id))
	}
	switch {
	case !near(int(p.Visitors), n):
		return fmt.Sprintf("%d visitors, the recount has %d", p.Visitors, n)
	case string(p.Sketch) != string(sk.AppendBinary(nil)):
		return fmt.Sprintf("the sketch of %d visitors is not that of the recounted ones", n)
	}
	return ""
}

// near allows three standard errors of a sketch above the size up to which it is exact. Below, two visitors may share 32
// bits of hash once in some thousand large windows.
func near(got, want int) bool {
	diff := math.Abs(float64(got - want))
	if want < 1000 {
		return diff == 0 || diff == 1 && want > 100
	}
	return diff <= 3*sketch.StdError*float64(want)
}

func (k windowKey) String() string { return fmt.Sprintf("%s %s %s", k.kind, k.site, k.start) }

func (k cellKey) String() string {
	switch {
	case k.a == "":
		return k.family.String()
	case k.b == "":
		return fmt.Sprintf("%s %q", k.family, k.a)
	}
	return fmt.Sprintf("%s %q %q", k.family, k.a, k.b)
}

// checkTally compares what the engine says it did with every event.
func checkTally(got, want tally) []string {
	if got != want {
		return []string{fmt.Sprintf("the engine's counters are %+v, the recount has %+v", got, want)}
	}
	if sum := got.OnTime + got.Late + got.Dropped + got.Duplicates + got.Bots; sum != got.Events {
		return []string{fmt.Sprintf("on time %d + late %d + dropped %d + duplicates %d + bots %d = %d, but there were %d events",
			got.OnTime, got.Late, got.Dropped, got.Duplicates, got.Bots, sum, got.Events)}
	}
	return nil
}

// checkLetters compares the dead letters with the records that could not be read.
func (r *recount) checkLetters(topic string, letters map[string]string) []string {
	var wrong []string
	seen := 0
	for p, dead := range r.dead {
		for offset := range dead {
			if at := fmt.Sprintf("%s/%d/%d", topic, p, offset); letters[at] == "" {
				wrong = append(wrong, "no dead letter about "+at)
			} else {
				seen++
			}
		}
	}
	if len(letters) != seen {
		wrong = append(wrong, fmt.Sprintf("%d dead letters are about records that are well", len(letters)-seen))
	}
	return wrong
}

// final is the log time by which a window has fired as final.
func final(start event.Time) event.Time { return start + event.Minute + grace }
