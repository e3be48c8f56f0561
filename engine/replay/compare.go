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
	fmt.Fprintf(&b, "%s %s %s", d.Site, d.Start.Std().Format("2006-01-02T15:04Z"), d.Family)
	for i := range d.Family.Dims() {
		fmt.Fprintf(&b, " %q", d.Dims[i])
	}
	switch {
	case d.Kind == Missing:
		fmt.Fprintf(&b, ": the store has nothing, the archive gives %s", describe(d.Archive))
	case d.Kind == Extra:
		fmt.Fprintf(&b, ": the store has %s, the archive gives nothing", describe(d.Store))
	case describe(d.Store) == describe(d.Archive):
		fmt.Fprintf(&b, ": both have %s, but not the same visitors (the sketches differ)", describe(d.Store))
	default:
		fmt.Fprintf(&b, ": the store has %s, the archive gives %s", describe(d.Store), describe(d.Archive))
	}
	return b.String()
}

func describe(r window.Rollup) string {
	return fmt.Sprintf("%d events, %d pageviews, %d visitors", r.Events, r.Pageviews, r.Visitors)
}

// pointID names a point of one site.
type pointID struct {
	start  event.Time
	family window.Family
	dims   [2]string
}

func (a pointID) compare(b pointID) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.family, b.family),
		strings.Compare(a.dims[0], b.dims[0]), strings.Compare(a.dims[1], b.dims[1]))
}

// compare holds the windows of one site, all it has in [from, to), against the store. It reports the differences
// and returns the minutes that must be written to make the store right.
func (r *run) compare(ctx context.Context, site string, from, to event.Time, windows []*window.Window) (map[event.Time]bool, error) {
	want := make(map[pointID]window.Rollup)
	for _, w := range windows {
		for i := range w.Points {
			p := &w.Points[i]
			if err := unite(want, pointID{w.Start, p.Family, p.Dims}, p.Rollup); err != nil {
				return nil, err
			}
		}
	}
	have := make(map[pointID]window.Rollup)
	write := make(map[event.Time]bool)
	for f := range window.NumFamilies {
		sel := window.Selection{Site: site, Family: f, From: from, To: to}
		err := r.o.Reader.Scan(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
			if isZero(p.Rollup) || start < from || start >= to {
				return nil
			}
			if !final {
				write[start] = true // An early firing that was never followed by the final one.
			}
			id := pointID{start, f, [2]string{strings.Clone(p.Dims[0]), strings.Clone(p.Dims[1])}}
			c := p.Rollup
			c.Sketch = bytes.Clone(c.Sketch)
			return unite(have, id, c)
		})
		if err != nil {
			return nil, fmt.Errorf("read %s of %s from the store: %w", f, site, err)
		}
	}
	diffs := differences(site, want, have)
	changed := make(map[event.Time]bool)
	for _, d := range diffs {
		r.report.Differing++
		if len(r.report.Differences) < r.o.MaxDifferences {
			r.report.Differences = append(r.report.Differences, d)
		}
		changed[d.Start], write[d.Start] = true, true
	}
	r.report.Changed += int64(len(changed))
	return write, nil
}

// isZero says whether a point is one that a store keeps in place of a deleted one.
func isZero(r window.Rollup) bool {
	return r.Events == 0 && r.Pageviews == 0 && r.Visitors == 0 && len(r.Sketch) == 0
}

// unite adds a rollup to what m holds for the point, which is that of another shard.
func unite(m map[pointID]window.Rollup, id pointID, r window.Rollup) error {
	old, ok := m[id]
	if !ok {
		m[id] = r
		return nil
	}
	var s sketch.Sketch
	for _, b := range [][]byte{old.Sketch, r.Sketch} {
		if err := s.MergeBinary(b); err != nil {
			return fmt.Errorf("sketch of %s at %s: %w", id.family, id.start, err)
		}
	}
	m[id] = window.Rollup{Events: old.Events + r.Events, Pageviews: old.Pageviews + r.Pageviews, Visitors: s.Estimate(), Sketch: s.AppendBinary(nil)}
	return nil
}

// differences returns in which points want and have disagree, sorted.
func differences(site string, want, have map[pointID]window.Rollup) []Difference {
	var out []Difference
	add := func(k Kind, id pointID, archive, store window.Rollup) {
		out = append(out, Difference{k, site, id.start, id.family, id.dims, archive, store})
	}
	for id, w := range want {
		switch h, ok := have[id]; {
		case !ok:
			add(Missing, id, w, h)
		case h.Events != w.Events || h.Pageviews != w.Pageviews || h.Visitors != w.Visitors || !bytes.Equal(h.Sketch, w.Sketch):
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
