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
	if d.Archive.Revenue != 0 || d.Store.Revenue != 0 || d.Archive.Paid != d.Store.Paid {
		s += fmt.Sprintf(", revenue %s of %d events", r.Revenue, r.Paid)
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

// comparison holds the windows of one site and kind that the archive gives against what the store has.
type comparison struct {
	*output
	site   string
	stream map[event.Time]bool // starts of the archive's windows: whether they have events of the stream
	stored map[event.Time]bool // starts of the store's windows: whether one has fired early only
	left   map[event.Time]bool // what leave has returned
	want   map[pointID]window.Rollup
	have   map[pointID]window.Rollup
}

// compare holds the windows of one site, all it has in [from, to), against the store. It reports the differences and
// returns the starts that must be written to make the store right, and whether the store has anything there.
func (o *output) compare(ctx context.Context, site string, from, to event.Time, windows []counted) (write map[event.Time]bool, err error) {
	c := &comparison{
		output: o, site: site, stream: map[event.Time]bool{}, stored: map[event.Time]bool{},
		left: map[event.Time]bool{}, have: map[pointID]window.Rollup{},
	}
	err = o.scan(ctx, site, from, to, func(f window.Family, start event.Time, final bool, p *window.Point) error {
		c.stored[start] = c.stored[start] || !final
		r := p.Rollup
		r.Sketch = bytes.Clone(r.Sketch)
		return unite(c.have, pointID{start, f, [2]string{strings.Clone(p.Dims[0]), strings.Clone(p.Dims[1])}}, r)
	})
	if err != nil {
		return nil, err
	}
	sharded := false
	for _, w := range windows {
		stream, again := c.stream[w.Start]
		c.stream[w.Start], sharded = stream || w.stream, sharded || again
	}
	changed := map[event.Time]bool{}
	if len(c.have) == 0 && !sharded && len(o.run.report.Differences) >= o.run.o.MaxDifferences {
		c.missing(windows, changed)
	} else if err := c.differing(windows, changed); err != nil {
		return nil, err
	}
	o.run.report.Kinds[o.kind].Changed += int64(len(changed))
	for start, early := range c.stored {
		if early && !c.leave(start) {
			changed[start] = true // an early firing that was never followed by the final one
		}
	}
	write = make(map[event.Time]bool, len(changed))
	for start := range changed {
		_, write[start] = c.stored[start]
	}
	return write, nil
}

// missing is differing where the store has nothing, which needs no look at the single points.
func (c *comparison) missing(windows []counted, changed map[event.Time]bool) {
	for _, w := range windows {
		if c.leave(w.Start) {
			continue
		}
		for i := range w.Points {
			if !isZero(w.Points[i].Rollup) {
				c.run.report.Differing++
				changed[w.Start] = true
			}
		}
	}
}

// differing reports each point that differs.
func (c *comparison) differing(windows []counted, changed map[event.Time]bool) error {
	c.want = make(map[pointID]window.Rollup)
	for _, w := range windows {
		for i := range w.Points {
			p := &w.Points[i]
			if isZero(p.Rollup) {
				continue
			}
			if err := unite(c.want, pointID{w.Start, p.Family, p.Dims}, p.Rollup); err != nil {
				return err
			}
		}
	}
	report := &c.run.report
	room := c.run.o.MaxDifferences - len(report.Differences)
	var list []Difference
	c.each(func(k Kind, id pointID) {
		changed[id.start] = true
		report.Differing++
		if room > 0 {
			list = append(list, Difference{k, c.kind, c.site, id.start, id.family, id.dims, c.want[id], c.have[id]})
		}
	})
	slices.SortFunc(list, func(a, b Difference) int {
		return pointID{a.Start, a.Family, a.Dims}.compare(pointID{b.Start, b.Family, b.Dims})
	})
	report.Differences = append(report.Differences, list[:min(len(list), max(room, 0))]...)
	return nil
}

// each calls fn for the points that differ, in any order.
func (c *comparison) each(fn func(Kind, pointID)) {
	for id, w := range c.want {
		h, ok := c.have[id]
		switch {
		case ok && equal(h, w), c.leave(id.start):
		case !ok:
			fn(Missing, id)
		default:
			fn(Different, id)
		}
	}
	for id := range c.have {
		if _, ok := c.want[id]; !ok && !c.leave(id.start) {
			fn(Extra, id)
		}
	}
}

// leave reports whether a window is the stream's to finish. It is asked about windows that differ only, and once each, after
// the store was read: what Ahead says is then no older than what was read.
func (c *comparison) leave(start event.Time) bool {
	left, known := c.left[start]
	if !known {
		left = c.isOpen(start)
		c.left[start] = left
	}
	return left
}

func (c *comparison) isOpen(start event.Time) bool {
	_, has := c.stored[start]
	switch {
	case has && c.run.o.Ahead != nil && c.run.o.Ahead(c.kind, c.site, start):
		return true
	case c.kind == window.Visits:
		// Visits that began in it may go on behind the end of the archive. Only what the store has lost is of interest.
		stream, gives := c.stream[start]
		return c.run.unsettled(start) && (!gives || stream && (has || c.run.o.Mode == Verify))
	default:
		// An hour that is to fire again is no difference to be told of, and none the worse for being written.
		return c.kind == window.Hour && c.run.o.Mode == Verify && c.run.open.isLate(windowID{site: c.site, start: start})
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
	r.Events, r.Pageviews = r.Events+old.Events, r.Pageviews+old.Pageviews
	r.Revenue, r.Paid = r.Revenue+old.Revenue, r.Paid+old.Paid
	r.Visits, r.Bounces, r.Seconds, r.Views = r.Visits+old.Visits, r.Bounces+old.Bounces, r.Seconds+old.Seconds, r.Views+old.Views
	m[id] = r
	return nil
}

func equal(a, b window.Rollup) bool {
	return a.Events == b.Events && a.Pageviews == b.Pageviews && a.Visitors == b.Visitors && a.Revenue == b.Revenue && a.Paid == b.Paid &&
		a.Visits == b.Visits && a.Bounces == b.Bounces && a.Seconds == b.Seconds && a.Views == b.Views &&
		bytes.Equal(a.Sketch, b.Sketch)
}
