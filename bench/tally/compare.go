package tally

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"millrace/engine/sketch"
	"millrace/engine/window"
)

// Stored is a window as it was written last.
type Stored struct {
	Version int64
	Final   bool
	Points  map[Key]window.Rollup
}

// Written is what was written of windows. It keeps what a sink keeps (rule J10): the newest
// version, of which all parts make up one window.
type Written map[Window]*Stored

// Take takes in a window or a part of one, and returns what there is of it then, nil if a newer
// version is there. It keeps the strings and sketches of w.
func (all Written) Take(w *window.Window) *Stored {
	k := Window{w.Kind, w.Site, w.Start}
	s := all[k]
	switch {
	case s != nil && s.Version > w.Version:
		return nil
	case s == nil:
		s = &Stored{Version: w.Version - 1}
		all[k] = s
	}
	if s.Version < w.Version {
		s.Version, s.Points = w.Version, make(map[Key]window.Rollup, len(w.Points))
	}
	s.Final = w.Final
	for i := range w.Points {
		p := &w.Points[i]
		s.Points[Key{p.Family, p.Dims[0], p.Dims[1]}] = p.Rollup
	}
	return s
}

// Options say what Compare looks at.
type Options struct {
	// Families are those that the recount keeps, Visitors those of which it keeps the visitors too.
	// Nil is all.
	Families, Visitors []window.Family
	// Errors is by how many standard errors of a sketch an estimate may be off, above the size up
	// to which sketches are exact. One in 370 normal errors is more than 3, one in 16,000 more than
	// 4. The bytes of the sketch have to be right in any case.
	Errors float64
}

// Verdict is what came of a comparison.
type Verdict struct {
	Windows, Values int
	// Wrong has a line for each difference, sorted.
	Wrong []string

	opts Options
}

// Compare holds what was written against a recount, value by value. Want has each window once.
func Compare(want iter.Seq2[Window, *Cells], got Written, o Options) Verdict {
	v := Verdict{opts: o}
	known := map[Window]bool{}
	for k, cells := range want {
		known[k] = true
		v.window(k, cells, got[k])
	}
	for k, s := range got {
		// A window of visits whose visits have moved on is empty.
		if !known[k] && !v.empty(s) {
			v.wrong("%s: not in the recount", k)
		}
	}
	slices.Sort(v.Wrong)
	return v
}

// wrong adds a line.
func (v *Verdict) wrong(format string, args ...any) {
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
}

// keeps reports whether the recount keeps a family.
func (v *Verdict) keeps(f window.Family) bool { return in(v.opts.Families, f) }

// in reports whether a family is in a list, of which nil is all.
func in(list []window.Family, f window.Family) bool { return list == nil || slices.Contains(list, f) }

// window compares one window.
func (v *Verdict) window(k Window, want *Cells, got *Stored) {
	v.Windows++
	if got == nil {
		v.wrong("%s: missing", k)
		return
	}
	if !got.Final {
		v.wrong("%s: the last firing was an early one", k)
	}
	for key, c := range want.All() {
		if want.unknown[key.Family] || !v.keeps(key.Family) {
			continue
		}
		v.Values++
		p, ok := got.Points[key]
		if !ok {
			v.wrong("%s %s: missing; the recount has %s", k, key, c)
		} else if what := v.differs(key.Family, c, &p); what != "" {
			v.wrong("%s %s: %s", k, key, what)
		}
	}
	for key, p := range got.Points {
		if want.of[key] == nil && !want.unknown[key.Family] && v.keeps(key.Family) && !(k.Kind == window.Visits && zero(&p)) {
			v.wrong("%s %s: not in the recount", k, key)
		}
	}
}

// empty reports whether all points of a window count nothing.
func (v *Verdict) empty(s *Stored) bool {
	for k, p := range s.Points {
		if v.keeps(k.Family) && !zero(&p) {
			return false
		}
	}
	return true
}

// zero reports whether a point counts nothing. A store that can't delete leaves such points
// behind.
func zero(p *window.Rollup) bool {
	return p.Events == 0 && p.Pageviews == 0 && p.Revenue == 0 && p.Paid == 0 && len(p.Sketch) == 0 &&
		p.Visits == 0 && p.Bounces == 0 && p.Seconds == 0 && p.Views == 0
}

// differs says how a point is not what was counted; "" if it is.
func (v *Verdict) differs(f window.Family, want *Cell, p *window.Rollup) string {
	got := Cell{
		Events: p.Events, Pageviews: p.Pageviews, Revenue: p.Revenue, Paid: p.Paid,
		Visits: p.Visits, Bounces: p.Bounces, Seconds: p.Seconds, Views: p.Views,
	}
	if got.Events != want.Events || got.Pageviews != want.Pageviews || got.Revenue != want.Revenue || got.Paid != want.Paid ||
		got.Visits != want.Visits || got.Bounces != want.Bounces || got.Seconds != want.Seconds || got.Views != want.Views {
		return fmt.Sprintf("%s; the recount has %s", &got, want)
	}
	if !in(v.opts.Visitors, f) {
		return ""
	}
	n := len(want.Visitors)
	switch {
	case !near(float64(p.Visitors), float64(n), v.opts.Errors):
		return fmt.Sprintf("%d visitors, the recount has %d", p.Visitors, n)
	case string(p.Sketch) != string(want.Sketch()):
		return fmt.Sprintf("the sketch of %d visitors is not that of the recounted ones", n)
	}
	return ""
}

// Sketch returns the bytes of the sketch of the visitors, none for none.
func (c *Cell) Sketch() []byte {
	var s sketch.Sketch
	for v := range c.Visitors {
		s.Add(uint64(v))
	}
	return s.AppendBinary(nil)
}

// exact is the size up to which sketches are exact. Above a tenth of it two visitors may share 32
// bits of their hash, once in some thousand windows so large.
const exact = 1000

// near reports whether an estimate may be that of so many visitors.
func near(got, want, errors float64) bool {
	diff := math.Abs(got - want)
	if want < exact {
		return diff == 0 || diff == 1 && want > exact/10
	}
	return diff <= errors*sketch.StdError*want
}
