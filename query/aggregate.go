package query

import (
	"fmt"
	"strings"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// group is one row in the making.
type group struct {
	dims              []string
	events, pageviews int64
	visitors          uint64         // once sketch is nil
	sketch            *sketch.Sketch // while the group is open
}

// aggregation adds points up into groups. Points come in ascending order of start.
type aggregation struct {
	plan     *plan
	buckets  *bucketer // nil without a time dimension
	sketches bool      // visitors are asked for
	max      int       // groups

	index  map[string]*group
	groups []*group // in order of appearance
	// Groups from open on may still get points; those before are reduced to numbers. openUntil holds, for
	// runs of groups, the time from which their bucket can't come again.
	open      int
	runs      []run
	free      []*sketch.Sketch
	key       []byte
	shown     [2]map[string]string // labels of values, by position of the column
	estimated bool                 // a dense sketch was among them
	all       int64                // events seen before the filter
	other     int64                // those of them in window.Other
}

// run says that groups up to an index belong to buckets seen before a time.
type run struct {
	upTo  int
	until event.Time
}

// repeatWithin is longer than any change of clocks: so much later the label of a bucket is not seen again.
const repeatWithin = 3 * event.Hour

func newAggregation(p *plan, b *bucketer, sketches bool, most int) *aggregation {
	return &aggregation{plan: p, buckets: b, sketches: sketches, max: most, index: make(map[string]*group)}
}

func (a *aggregation) add(start event.Time, _ bool, p *window.Point) error {
	if isZero(p) {
		return nil
	}
	a.all += p.Events
	if isOther(p) {
		a.other += p.Events
	}
	if !a.plan.filter.match(p.Family, &p.Dims) {
		return nil
	}
	var label string
	if a.buckets != nil {
		if start >= a.buckets.to {
			a.reduce(start)
		}
		label = a.buckets.at(start)
	}
	g, err := a.group(label, p)
	if err != nil {
		return err
	}
	g.events += p.Events
	g.pageviews += p.Pageviews
	if !a.sketches || len(p.Sketch) == 0 {
		return nil
	}
	if g.sketch == nil {
		g.sketch = a.newSketch()
	}
	if err := g.sketch.MergeBinary(p.Sketch); err != nil {
		return fmt.Errorf("sketch of %s at %s: %w", p.Family, start, err)
	}
	return nil
}

// isZero tells whether p is what a store that can't delete leaves of a value that is gone.
func isZero(p *window.Point) bool { return p.Events == 0 && p.Pageviews == 0 && len(p.Sketch) == 0 }

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
		return nil, bad("The answer has more than %d rows: shorten date_range, filter, or ask for fewer dimensions.", a.max)
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
		v = c.dim.label(p.Dims[c.pos])
		a.shown[c.pos][strings.Clone(p.Dims[c.pos])] = v
	}
	return v
}

// reduce is called when time leaves a bucket: groups whose bucket can't come again give up their sketch.
func (a *aggregation) reduce(now event.Time) {
	a.runs = append(a.runs, run{len(a.groups), now + repeatWithin})
	for len(a.runs) > 0 && a.runs[0].until <= now {
		for ; a.open < a.runs[0].upTo; a.open++ {
			a.close(a.groups[a.open])
		}
		a.runs = a.runs[1:]
	}
}

func (a *aggregation) close(g *group) {
	if g.sketch == nil {
		return
	}
	g.visitors = g.sketch.Estimate()
	a.estimated = a.estimated || g.sketch.Dense()
	g.sketch.Reset()
	a.free = append(a.free, g.sketch)
	g.sketch = nil
}

func (a *aggregation) newSketch() *sketch.Sketch {
	if n := len(a.free); n > 0 {
		s := a.free[n-1]
		a.free = a.free[:n-1]
		return s
	}
	return new(sketch.Sketch)
}

// finish reduces the groups that are still open.
func (a *aggregation) finish() {
	for _, g := range a.groups {
		a.close(g)
	}
	if len(a.groups) == 0 && len(a.plan.cols) == 0 {
		a.groups = append(a.groups, &group{}) // a question without dimensions has one row
	}
}
