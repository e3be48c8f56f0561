package query

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// group is one row in the making.
type group struct {
	dims []string
	counts
	visitors uint64         // once sketch is nil
	sketch   *sketch.Sketch // while the group is open, once there were mostPending bytes
	pending  []byte         // encoded sketches that are to be united with it, each with its length before it
}

// mostPending is how many bytes of sketches of a group wait to be united. The unions of one group after the other are faster than
// those of one point after the other, of which each finds another table that is in no cache any more.
const mostPending = 8 << 10

// aggregation adds points up into groups. Points come by plan: begin, then add in ascending order
// of start, then end.
type aggregation struct {
	sketches bool // visitors are counted
	max      int  // groups

	plan    *plan
	buckets *bucketer // nil without a time dimension
	// passed remembers what the plan's filter lets pass, shown the labels of values by position of
	// the column.
	passed map[[2]string]bool
	shown  [2]map[string]string

	// hits are the groups of single events; those of points are in groups.
	hits   *hitGroups
	index  map[string]*group
	groups []*group // in order of appearance
	// Groups from open on may still get points; those before are reduced to numbers. runs holds,
	// for runs of groups, the time from which their bucket can't come again.
	open      int
	runs      []run
	free      []*sketch.Sketch
	key       []byte
	estimated bool // a dense sketch was among them
	// seen are the events or visits of the plan's points before the filter, other those of them in
	// window.Other, points how many points there were.
	seen, other, points int64
}

// run: groups up to an index belong to buckets seen before a time.
type run struct {
	upTo  int
	until event.Time
}

// repeatWithin is longer than any change of clocks: so much later the label of a bucket is not seen
// again.
const repeatWithin = 3 * event.Hour

// maxPassed bounds what is remembered of a filter.
const maxPassed = 50_000

func newAggregation(sketches bool, most int) *aggregation {
	return &aggregation{sketches: sketches, max: most, index: make(map[string]*group)}
}

// begin makes points be taken as those of a plan.
func (a *aggregation) begin(p *plan, b *bucketer) {
	a.plan, a.buckets = p, b
	a.passed, a.shown = make(map[[2]string]bool), [2]map[string]string{}
	a.seen, a.other, a.points = 0, 0, 0
}

func (a *aggregation) add(start event.Time, _ bool, p *window.Point) error {
	if isZero(p) {
		return nil
	}
	n := a.plan.weigh(p)
	a.points++
	a.seen += n
	if isOther(p) {
		a.other += n
	}
	if a.plan.selects() && !a.passes(&p.Dims) {
		return nil
	}
	label, err := a.label(start)
	if err != nil {
		return err
	}
	g, err := a.group(label, p)
	if err != nil {
		return err
	}
	g.counts.add(&p.Rollup)
	if !a.sketches || len(p.Sketch) == 0 {
		return nil
	}
	if len(g.pending)+len(p.Sketch) > mostPending {
		if err := a.unite(g); err != nil {
			return err
		}
	}
	g.pending = append(binary.AppendUvarint(g.pending, uint64(len(p.Sketch))), p.Sketch...)
	return nil
}

// unite unites what of a group is pending.
func (a *aggregation) unite(g *group) error {
	if g.sketch == nil {
		g.sketch = a.newSketch()
	}
	for b := g.pending; len(b) > 0; {
		n, l := binary.Uvarint(b)
		if err := g.sketch.MergeBinary(b[l : l+int(n)]); err != nil {
			return fmt.Errorf("sketch of %s of %s: %w", a.plan.family, g.dims, err)
		}
		b = b[l+int(n):]
	}
	g.pending = g.pending[:0]
	return nil
}

func (c *counts) add(r *window.Rollup) {
	c.events += r.Events
	c.pageviews += r.Pageviews
	c.revenue += r.Revenue
	c.paid += r.PaidEvents()
	c.visits += r.Visits
	c.bounces += r.Bounces
	c.seconds += r.Seconds
	c.views += r.Views
}

// weigh returns what a point counts as where the share of window.Other is counted.
func (p *plan) weigh(point *window.Point) int64 {
	if p.kind == window.Visits {
		return point.Visits
	}
	return point.Events
}

// passes applies the filter, once for each value.
func (a *aggregation) passes(dims *[2]string) bool {
	ok, known := a.passed[*dims]
	if !known {
		ok = a.plan.match(dims)
		if len(a.passed) < maxPassed {
			a.passed[[2]string{strings.Clone(dims[0]), strings.Clone(dims[1])}] = ok
		}
	}
	return ok
}

// label returns the time bucket of a start, "" without a time dimension.
func (a *aggregation) label(start event.Time) (string, error) {
	if a.buckets == nil {
		return "", nil
	}
	visits := a.plan.kind == window.Visits
	if start >= a.buckets.to && !visits {
		if err := a.reduce(start); err != nil {
			return "", err
		}
	}
	l := a.buckets.at(start)
	if visits && a.buckets.to%quarter != 0 {
		return "", invalid("Visits are counted by the quarter of an hour in which they began: %s of the site's time zone do not end with one.", a.buckets.unit.timeName())
	}
	return l, nil
}

// isZero reports whether p is what a store that can't delete leaves of a value that is gone, or a
// firing of a value that has lost its last visit.
func isZero(p *window.Point) bool {
	r := &p.Rollup
	return r.Events == 0 && r.Pageviews == 0 && len(r.Sketch) == 0 && r.Revenue == 0 &&
		r.Visits == 0 && r.Bounces == 0 && r.Seconds == 0 && r.Views == 0
}

func isOther(p *window.Point) bool {
	dims := p.Family.Dims()
	for i := range dims {
		if p.Dims[i] != window.Other {
			return false
		}
	}
	return len(dims) > 0
}

// group finds the group of a point, or makes it.
func (a *aggregation) group(label string, p *window.Point) (*group, error) {
	a.key = a.key[:0]
	for i := range a.plan.cols {
		a.key = append(append(a.key, a.value(i, label, p)...), 0)
	}
	if g, ok := a.index[string(a.key)]; ok {
		return g, nil
	}
	if len(a.groups) == a.max {
		return nil, invalid("The answer has more than %d rows: shorten date_range, filter, or ask for fewer dimensions.", a.max)
	}
	g := &group{dims: make([]string, len(a.plan.cols))}
	for i := range g.dims {
		g.dims[i] = strings.Clone(a.value(i, label, p))
	}
	a.groups = append(a.groups, g)
	a.index[string(a.key)] = g
	return g, nil
}

// value returns what column i shows for a point; it may be a view of the point.
func (a *aggregation) value(i int, label string, p *window.Point) string {
	c := a.plan.cols[i]
	switch {
	case c.dim == nil:
		return label
	case c.dim.label == nil:
		return p.Dims[c.pos]
	}
	v, ok := a.shown[c.pos][p.Dims[c.pos]]
	if !ok {
		if a.shown[c.pos] == nil {
			a.shown[c.pos] = make(map[string]string)
		}
		stored := strings.Clone(p.Dims[c.pos]) // a label may be the value itself, which is gone after the call
		v = c.dim.label(stored)
		a.shown[c.pos][stored] = v
	}
	return v
}

// reduce is called when time leaves a bucket: groups whose bucket can't come again give up their
// sketch.
func (a *aggregation) reduce(now event.Time) error {
	a.runs = append(a.runs, run{len(a.groups), now + repeatWithin})
	for len(a.runs) > 0 && a.runs[0].until <= now {
		for ; a.open < a.runs[0].upTo; a.open++ {
			if err := a.close(a.groups[a.open]); err != nil {
				return err
			}
		}
		a.runs = a.runs[1:]
	}
	return nil
}

func (a *aggregation) close(g *group) error {
	if g.sketch == nil && len(g.pending) == 0 {
		return nil
	}
	if err := a.unite(g); err != nil {
		return err
	}
	g.visitors = g.sketch.Estimate()
	a.estimated = a.estimated || g.sketch.Dense()
	g.sketch.Reset()
	a.free = append(a.free, g.sketch)
	g.sketch, g.pending = nil, nil
	return nil
}

func (a *aggregation) newSketch() *sketch.Sketch {
	if n := len(a.free); n > 0 {
		s := a.free[n-1]
		a.free = a.free[:n-1]
		return s
	}
	return new(sketch.Sketch)
}

// end reduces the groups that are still open.
func (a *aggregation) end() error {
	if err := a.closeAll(a.groups[a.open:]); err != nil {
		return err
	}
	a.open, a.runs = len(a.groups), nil
	if len(a.groups) == 0 && len(a.plan.cols) == 0 {
		g := &group{} // a query without dimensions has one row
		a.groups, a.index[""] = append(a.groups, g), g
	}
	return nil
}

// closeAtOnce is how many groups it takes for another goroutine to help to close them.
const closeAtOnce = 200

// closeAll closes groups, many of them on several processors.
func (a *aggregation) closeAll(list []*group) error {
	workers := max(1, min(runtime.GOMAXPROCS(0), len(list)/closeAtOnce))
	parts, errs := make([]aggregation, workers), make([]error, workers)
	var running sync.WaitGroup
	for w := range workers {
		parts[w].plan = a.plan
		running.Go(func() {
			for i := w; i < len(list) && errs[w] == nil; i += workers {
				errs[w] = parts[w].close(list[i])
			}
		})
	}
	running.Wait()
	for w := range parts {
		a.estimated = a.estimated || parts[w].estimated
	}
	return errors.Join(errs...)
}

// only returns the visitors of the row of a query without dimensions.
func (a *aggregation) only() uint64 {
	_, visitors := a.at(0)
	return visitors
}

// hitGroups are groups of single events, by number.
type hitGroups struct {
	groups   *groups
	counts   []counts
	visitors []uint64
	list     []uint32 // the numbers of those that are rows
}

// size returns the number of groups.
func (a *aggregation) size() int {
	if a.hits != nil {
		return len(a.hits.list)
	}
	return len(a.groups)
}

// at returns the numbers of a group.
func (a *aggregation) at(i int) (*counts, uint64) {
	if a.hits == nil {
		return &a.groups[i].counts, a.groups[i].visitors
	}
	n := a.hits.list[i]
	return &a.hits.counts[n], a.hits.visitors[n]
}

// dim returns the value of a dimension of a group.
func (a *aggregation) dim(i, k int) string {
	if a.hits == nil {
		return a.groups[i].dims[k]
	}
	return a.hits.groups.value(a.hits.list[i], k)
}

// dims returns the values of all n dimensions of a group.
func (a *aggregation) dims(i, n int) []string {
	list := make([]string, n)
	for k := range list {
		list[k] = a.dim(i, k)
	}
	return list
}
