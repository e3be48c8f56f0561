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
	bad := func(format string, args ...any) { v.wrong = append(v.wrong, fmt.Sprintf(format, args...)) }
	for k := range r.windows {
		v.windows++
		w := got[k]
		if w == nil {
			bad("%s: missing", k)
			continue
		}
		if !w.final {
			bad("%s: the last firing was an early one", k)
		}
		want := r.fold(k)
		for ck, c := range want.of {
			v.values++
			p, ok := w.points[ck]
			if !ok {
				bad("%s %s: missing; the recount has %d events", k, ck, c.events)
				continue
			}
			if what := c.differs(&p); what != "" {
				bad("%s %s: %s", k, ck, what)
			}
		}
		for ck := range w.points {
			if modelled[ck.family] && want.of[ck] == nil {
				bad("%s %s: not in the recount", k, ck)
			}
		}
	}
	for k, w := range got {
		if k.kind == window.Hour && !withHours || k.kind == window.Visits && !withVisits {
			continue
		}
		if _, ok := r.windows[k]; !ok && len(w.points) > 0 {
			bad("%s: not in the recount", k)
		}
	}
	slices.Sort(v.wrong)
	return v
}

// differs says how a point is not what was counted; "" if it is.
func (c *cell) differs(p *window.Rollup) string {
	n := len(c.visitors)
	var sk sketch.Sketch
	for id := range c.visitors {
		sk.Add(uint64(id))
	}
	switch {
	case p.Events != c.events || p.Pageviews != c.views:
		return fmt.Sprintf("%d events and %d pageviews, the recount has %d and %d", p.Events, p.Pageviews, c.events, c.views)
	case withRevenue && p.Revenue != c.revenue:
		return fmt.Sprintf("revenue %s, the recount has %s", p.Revenue, c.revenue)
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
