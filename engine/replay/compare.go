package replay

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// Kind of a Difference.
type Kind uint8

const (
	// Missing: the archive gives the point, the store does not have it.
	Missing Kind = iota
	// Extra: the store has a point that the archive does not give.
	Extra
	// Different: both have it with other numbers.
	Different
)

// Difference is a point in which store and archive disagree.
type Difference struct {
	Kind   Kind
	Window window.Kind // of the window
	Site   string
	Start  event.Time
	Family window.Family
	Dims   [2]string
	// Archive is what the events give, Store what the store has; zero where there is nothing.
	Archive, Store window.Rollup
}

// String returns the difference as a line for people.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", d.Site, d.Start.Std().Format("2006-01-02T15:04Z"), window.Measurement(d.Window, d.Family))
	for i := range d.Family.Dims() {
		fmt.Fprintf(&b, " %q", d.Dims[i])
	}
	archive, store := d.describe(d.Archive), d.describe(d.Store)
	switch {
	case d.Kind == Missing:
		fmt.Fprintf(&b, ": the store has nothing, the archive gives %s", archive)
	case d.Kind == Extra:
		fmt.Fprintf(&b, ": the store has %s, the archive gives nothing", store)
	case archive == store:
		fmt.Fprintf(&b, ": both have %s, but not the same visitors (the sketches differ)", store)
	default:
		fmt.Fprintf(&b, ": the store has %s, the archive gives %s", store, archive)
	}
	return b.String()
}

func (d Difference) describe(r window.Rollup) string {
	if d.Window == window.Visits {
		return fmt.Sprintf("%d visits, %d bounces, %d seconds, %d views", r.Visits, r.Bounces, r.Seconds, r.Views)
	}
	s := fmt.Sprintf("%d events, %d pageviews, %d visitors", r.Events, r.Pageviews, r.Visitors)
	if d.Archive.Revenue != 0 || d.Store.Revenue != 0 {
		s += ", revenue " + r.Revenue.String()
	}
	return s
}

// pointID names a point of one site and kind of window.
type pointID struct {
	start  event.Time
	family window.Family
	dims   [2]string
}

func (a pointID) compare(b pointID) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.family, b.family),
		strings.Compare(a.dims[0], b.dims[0]), strings.Compare(a.dims[1], b.dims[1]))
}

// compare holds the windows of one site, all it has in [from, to), against the store. It reports the differences and
// returns the starts that must be written to make the store right, and whether the store has anything there.
func (o *output) compare(ctx context.Context, site string, from, to event.Time, windows []counted) (write map[event.Time]bool, err error) {
	want := make(map[pointID]window.Rollup)
	counted := make(map[event.Time]bool) // whether of the stream
	for _, w := range windows {
		counted[w.Start] = counted[w.Start] || w.stream
		for i := range w.Points {
			p := &w.Points[i]
			if isZero(p.Rollup) {
				continue
			}
			if err := unite(want, pointID{w.Start, p.Family, p.Dims}, p.Rollup); err != nil {
				return nil, err
			}
		}
	}
	have := make(map[pointID]window.Rollup)
	stored := make(map[event.Time]bool) // whether not final
	err = o.scan(ctx, site, from, to, func(f window.Family, start event.Time, final bool, p *window.Point) error {
		stored[start] = stored[start] || !final
		id := pointID{start, f, [2]string{strings.Clone(p.Dims[0]), strings.Clone(p.Dims[1])}}
		c := p.Rollup
		c.Sketch = bytes.Clone(c.Sketch)
		return unite(have, id, c)
	})
	if err != nil {
		return nil, err
	}
	// leave reports whether a window is the stream's to finish: of those, only what the store has lost is of interest.
	leave := func(start event.Time) bool {
		if o.kind != window.Visits || !o.run.unsettled(start) {
			return false
		}
		_, has := stored[start]
		stream, gives := counted[start]
		return !gives || stream && (has || o.run.o.Mode == Verify)
	}
	write = make(map[event.Time]bool)
	mark := func(start event.Time) { _, write[start] = stored[start] }
	for start, early := range stored {
		if early && !leave(start) {
			mark(start) // an early firing that was never followed by the final one
		}
	}
	changed := make(map[event.Time]bool)
	for _, d := range o.differences(site, want, have) {
		if leave(d.Start) {
			continue
		}
		o.run.differs(d)
		changed[d.Start] = true
		mark(d.Start)
	}
	o.run.report.Kinds[o.kind].Changed += int64(len(changed))
	return write, nil
}

func (r *run) differs(d Difference) {
	r.report.Differing++
	if len(r.report.Differences) < r.o.MaxDifferences {
		r.report.Differences = append(r.report.Differences, d)
	}
}

// isZero says whether a point is one that a store keeps in place of a deleted one, or of visits that turned out to be
// others.
func isZero(r window.Rollup) bool {
	return r.Events == 0 && r.Pageviews == 0 && r.Visitors == 0 && len(r.Sketch) == 0 && r.Revenue == 0 &&
		r.Visits == 0 && r.Bounces == 0 && r.Seconds == 0 && r.Views == 0
}

// unite adds a rollup to what m holds for the point, which is that of another shard.
func unite(m map[pointID]window.Rollup, id pointID, r window.Rollup) error {
	old, ok := m[id]
	if !ok {
		m[id] = r
		return nil
	}
	if len(old.Sketch) > 0 || len(r.Sketch) > 0 {
		var s sketch.Sketch
		for _, b := range [][]byte{old.Sketch, r.Sketch} {
			if err := s.MergeBinary(b); err != nil {
				return fmt.Errorf("sketch of %s at %s: %w", id.family, id.start, err)
			}
		}
		r.Visitors, r.Sketch = s.Estimate(), s.AppendBinary(nil)
	}
	r.Events, r.Pageviews, r.Revenue = r.Events+old.Events, r.Pageviews+old.Pageviews, r.Revenue+old.Revenue
	r.Visits, r.Bounces, r.Seconds, r.Views = r.Visits+old.Visits, r.Bounces+old.Bounces, r.Seconds+old.Seconds, r.Views+old.Views
	m[id] = r
	return nil
}

func equal(a, b window.Rollup) bool {
	return a.Events == b.Events && a.Pageviews == b.Pageviews && a.Visitors == b.Visitors && a.Revenue == b.Revenue &&
		a.Visits == b.Visits && a.Bounces == b.Bounces && a.Seconds == b.Seconds && a.Views == b.Views &&
		bytes.Equal(a.Sketch, b.Sketch)
}

// differences returns in which points want and have disagree, sorted.
func (o *output) differences(site string, want, have map[pointID]window.Rollup) []Difference {
	var out []Difference
	add := func(k Kind, id pointID, archive, store window.Rollup) {
		out = append(out, Difference{k, o.kind, site, id.start, id.family, id.dims, archive, store})
	}
	for id, w := range want {
		switch h, ok := have[id]; {
		case !ok:
			add(Missing, id, w, h)
		case !equal(h, w):
			add(Different, id, w, h)
		}
	}
	for id, h := range have {
		if _, ok := want[id]; !ok {
			add(Extra, id, window.Rollup{}, h)
		}
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return pointID{a.Start, a.Family, a.Dims}.compare(pointID{b.Start, b.Family, b.Dims})
	})
	return out
}
