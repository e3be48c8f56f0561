package query

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"millrace/engine/event"
	"millrace/engine/hits"
)

// hitCount counts rows of an archive: what a plan and an aggregation are for rollups.
type hitCount struct {
	e        *execution
	dims     []*Dimension
	tree     *tree
	timeDim  int // index in dims, -1 if there is none
	timeline *timeline
	class    hits.Class

	// What is counted.
	visitors, pageviews, revenue, pings bool
	from, to                            event.Time
	workers                             []*hitWorker

	// Of the part of the range that is being read.
	part  struct{ from, to event.Time }
	dones []map[int32]*visitTable
	exits *exits
	did   map[int32]*visitTable // what events of visits pass, see masks
}

// hitWorker is what one worker has counted.
type hitWorker struct {
	c      *hitCount
	groups *groups
	counts []counts
	seen   *seenVisitors
	pinged map[pingKey]pinged
	labels []uint32 // codes of the timeline's labels, plus 1
	// Of the block at work.
	rows  []int32
	group []uint32
}

// newHitCount prepares counting by dims of what a filter lets pass.
func (e *execution) newHitCount(dims []*Dimension, f *Filter, metrics []Metric) (*hitCount, error) {
	c := &hitCount{e: e, dims: dims, tree: compileFilter(f), timeDim: slices.IndexFunc(dims, (*Dimension).IsTime), from: max(e.q.from, e.q.kept), to: e.q.to}
	if e.q.ofBots() {
		c.class = hits.Bot
	}
	for _, m := range metrics {
		c.visitors = c.visitors || slices.Contains(sketchMetrics, m)
		c.pageviews = c.pageviews || m == pageviews
		c.pings = c.pings || slices.Contains(pingMetrics, m)
		c.revenue = c.revenue || m == totalRevenue || m == averageRevenue
	}
	// No bucket is needed where there is nothing.
	x := e.snapshot.Extent()
	c.from, c.to = max(c.from, x.First.Floor(event.Minute)), min(c.to, (x.Last+event.Minute).Floor(event.Minute))
	if c.timeDim >= 0 && c.from < c.to {
		var ok bool
		if c.timeline, ok = newTimeline(e.q.bucketsOf(dims[c.timeDim]), c.from, c.to, e.x.opts.MaxGroups); !ok {
			return nil, c.tooMany()
		}
	}
	n := min(max(runtime.GOMAXPROCS(0), minWorkers), maxWorkers)
	space := newRoom(e.x.opts.ExactVisitors)
	for range n {
		c.workers = append(c.workers, &hitWorker{c: c, groups: newGroups(len(dims)), seen: newSeenVisitors(space), pinged: map[pingKey]pinged{}})
	}
	return c, nil
}

// minWorkers and maxWorkers bound the goroutines of a query: with few processors some wait for the store.
const (
	minWorkers = 4
	maxWorkers = 8
)

func (c *hitCount) tooMany() error {
	return invalid("The answer has more than %d rows: shorten date_range, filter, or ask for fewer dimensions.", c.e.x.opts.MaxGroups)
}

func (c *hitCount) selection(from, to event.Time) *hits.Selection {
	return &hits.Selection{Site: c.e.q.site, From: from, To: to, Workers: len(c.workers)}
}

func (c *hitCount) newBound() *foundBound { return &foundBound{most: int64(c.e.x.opts.VisitsAtOnce)} }

// run reads what metrics of events and of visits need, and returns the groups.
func (c *hitCount) run(ctx context.Context, ofEvents, ofVisits bool) (*aggregation, error) {
	// Where there are too many visits to be looked at first, the range is read in parts.
	length := c.to - c.from
	for at := c.from; at < c.to; {
		end := min(at+length, c.to)
		err := c.read(ctx, at, end, ofEvents, ofVisits)
		switch least := c.e.x.opts.VisitLength; {
		case err == nil:
			at = end
		case !errors.Is(err, errManyVisits):
			return nil, err
		case length <= least:
			return nil, invalid("Invalid filters %s: so many visits can't be looked at together, even of %s alone: filter more within \"has_done\", or leave out what is of a visit's other events or of its exit page.",
				c.e.q.filterText, time.Duration(length)*time.Millisecond)
		default:
			length = max(length/2, least)
		}
	}
	return c.gather()
}

// read counts what is in [from, to), a part of the range.
func (c *hitCount) read(ctx context.Context, from, to event.Time, ofEvents, ofVisits bool) error {
	c.part.from, c.part.to = from, to
	if err := c.findExits(ctx, from, to, ofEvents); err != nil {
		return err
	}
	if err := c.findDone(ctx, from, to, ofVisits); err != nil {
		return err
	}
	if ofEvents {
		if err := c.e.snapshot.Hits(ctx, c.selection(from, to), func(w int, b hits.Block) error { return c.workers[w].hits(b) }); err != nil {
			return err
		}
	}
	if !ofVisits {
		return nil
	}
	return c.e.snapshot.Visits(ctx, c.selection(from, to), func(w int, b hits.VisitBlock) error { return c.workers[w].visits(b) })
}

// gather adds up what the workers have counted.
func (c *hitCount) gather() (*aggregation, error) {
	all := c.workers[0]
	parts := []seenPart{{seenVisitors: all.seen}}
	for _, w := range c.workers[1:] {
		number := all.groups.merge(w.groups)
		all.grow()
		for g := range w.counts {
			all.counts[number[g]].sum(&w.counts[g])
		}
		parts = append(parts, seenPart{w.seen, number})
		for k, p := range w.pinged {
			k.group = number[k.group]
			all.pinged[k] = all.pinged[k].join(p)
		}
		if len(all.counts) > c.e.x.opts.MaxGroups {
			return nil, c.tooMany()
		}
	}
	all.grow()
	for k, p := range all.pinged {
		all.counts[k.group].ping(p)
	}
	a := &aggregation{sketches: c.visitors, hits: &hitGroups{groups: all.groups, counts: all.counts}}
	a.hits.visitors, a.estimated = distinct(parts, len(all.counts))
	for g := range all.counts {
		if n := &all.counts[g]; n.events != 0 || n.visits != 0 || len(c.dims) == 0 { // others have only pings
			a.hits.list = append(a.hits.list, uint32(g))
		}
	}
	return a, nil
}

// sum adds counts up.
func (c *counts) sum(o *counts) {
	c.events += o.events
	c.pageviews += o.pageviews
	c.revenue += o.revenue
	c.paid += o.paid
	c.visits += o.visits
	c.bounces += o.bounces
	c.seconds += o.seconds
	c.views += o.views
}

// grow makes room for the counts of all groups.
func (w *hitWorker) grow() {
	if n := w.groups.len(); n > len(w.counts) {
		w.counts = slices.Grow(w.counts, n-len(w.counts))[:n]
	}
}

// timed returns which rows of a block are in the range; in is returned where all are.
func (c *hitCount) timed(b hits.Block, in []uint64) ([]uint64, error) {
	if b.Inside() {
		return in, nil
	}
	list, err := b.Times()
	if err != nil {
		return nil, err
	}
	out := make([]uint64, len(in))
	for i, t := range list {
		if c.part.from <= t && t < c.part.to {
			out[i/64] |= 1 << (i % 64)
		}
	}
	return both(in, out), nil
}

// hits counts a block of hits.
func (w *hitWorker) hits(b hits.Block) error {
	if w.c.pings {
		if err := w.pings(b); err != nil {
			return err
		}
	}
	c := w.c
	in, err := b.Of(c.class)
	if err != nil {
		return err
	}
	if in, err = c.timed(b, in); err != nil {
		return err
	}
	if isNone(in) {
		return nil
	}
	v := &evaluator{cols: b, hit: b, visits: b.Visits, dones: c.dones, exits: c.exits, words: len(in)}
	return c.eachGoal(c.tree, v, in, slices.ContainsFunc(c.dims, (*Dimension).isGoal), func(in []uint64) error {
		pass, err := v.node(c.tree.root, in)
		if err != nil || isNone(pass) {
			return err
		}
		if err := w.place(v, b.Times, pass); err != nil {
			return err
		}
		return w.count(b)
	})
}

// count adds the rows that place has found the groups of.
func (w *hitWorker) count(b hits.Block) error {
	for _, g := range w.group {
		w.counts[g].events++
	}
	if w.c.pageviews {
		views, err := b.Pageviews()
		if err != nil {
			return err
		}
		for i, g := range w.group {
			row := w.rows[i]
			w.counts[g].pageviews += int64(views[row/64] >> (row % 64) & 1)
		}
	}
	if w.c.revenue {
		amounts, paid, err := b.Revenue()
		if err != nil {
			return err
		}
		for i, g := range w.group {
			row := w.rows[i]
			w.counts[g].revenue += amounts[row]
			w.counts[g].paid += int64(paid[row/64] >> (row % 64) & 1)
		}
	}
	if !w.c.visitors {
		return nil
	}
	visitors, err := b.Visitors()
	if err != nil {
		return err
	}
	var last seenVisitor
	for i, g := range w.group {
		// Rows are sorted by visitor.
		if e := (seenVisitor{visitors[w.rows[i]], g}); e != last && e.visitor != 0 {
			last = e
			w.seen.add(e.group, e.visitor)
		}
	}
	return nil
}

// visits counts a block of visits.
func (w *hitWorker) visits(b hits.VisitBlock) error {
	c := w.c
	in, err := b.Selected()
	if err != nil || isNone(in) {
		return err
	}
	v := &evaluator{cols: b, visits: b.IDs, dones: c.dones, words: len(in)}
	pass, err := c.passVisits(v, in)
	if err != nil || isNone(pass) {
		return err
	}
	if err := w.place(v, b.Begins, pass); err != nil {
		return err
	}
	seconds, err := b.Seconds()
	if err != nil {
		return err
	}
	views, err := b.Views()
	if err != nil {
		return err
	}
	bounces, err := b.Bounces()
	if err != nil {
		return err
	}
	for i, g := range w.group {
		row := w.rows[i]
		n := &w.counts[g]
		n.visits++
		n.seconds += seconds[row]
		n.views += views[row]
		n.bounces += int64(bounces[row/64] >> (row % 64) & 1)
	}
	return nil
}
