package window

import (
	"cmp"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// Agg folds the chunks of one window, oldest first, into rollups.
//
// Type Agg is used in three ways that differ only in limit: with the whole state of a window (limit is the
// cardinality budget), by the store's merge operator with a part of it that does not begin at the beginning (no limit:
// whether a value is among the first of its family can't be known there), and for an hour, with the Aggs of its
// minutes (Merge).
type Agg struct {
	status Status
	limit  int
	fams   [NumFamilies]table
	text   arena
	goals  []value    // of one row
	props  [][2]value // of one row
}

// NewAgg returns an empty Agg that keeps at most limit values per family besides Other; 0 means no limit.
func NewAgg(limit int) *Agg { return &Agg{limit: limit, status: Status{FiredAt: NeverFired}} }

// Reset empties a and keeps its memory.
func (a *Agg) Reset(limit int) {
	a.limit, a.status = limit, Status{FiredAt: NeverFired}
	for f := range a.fams {
		a.fams[f].reset()
	}
	a.text.reset()
}

// Len returns the number of values held, over all families.
func (a *Agg) Len() int {
	n := 0
	for f := range a.fams {
		n += len(a.fams[f].cells)
	}
	return n
}

// Status returns what the chunks added so far say about firings.
func (a *Agg) Status() Status { return a.status }

// Add folds in a sequence of chunks, oldest first. It may be called again with the chunks that follow. After an
// error a is to be thrown away.
func (a *Agg) Add(chunks []byte) error {
	for len(chunks) > 0 {
		kind, payload, rest, err := cutChunk(chunks)
		if err != nil {
			return err
		}
		switch kind {
		case chunkRows:
			err = a.addRows(payload)
		case chunkVisits:
			err = a.addVisits(payload)
		case chunkFolded:
			err = a.addFolded(payload)
		case chunkMark:
			err = a.status.addMark(payload)
		default:
			err = errKind(kind)
		}
		if err != nil {
			return err
		}
		chunks = rest
	}
	return nil
}

func (a *Agg) addRows(payload []byte) error {
	a.status.Dirty = true
	r := rowReader{reader: reader{b: payload}, goals: a.goals, props: a.props}
	for r.next() {
		a.countRow(r.flags, r.visitor, r.revenue, &r.dims, r.goals, r.props)
	}
	a.goals, a.props = r.goals, r.props
	return r.err
}

func (a *Agg) addVisits(payload []byte) error {
	a.status.Dirty = true
	r := visitReader{reader: reader{b: payload}}
	for r.next() {
		a.countVisit(r.scope, &r.dims, &r.add)
	}
	return r.err
}

// AddRow counts one row. The row's strings are copied if they are kept.
func (a *Agg) AddRow(r *Row) {
	d := dimsOf(&r.Dims, rowDims)
	a.goals, a.props = a.goals[:0], a.props[:0]
	for _, g := range r.Goals {
		a.goals = append(a.goals, valueOf(g))
	}
	for _, p := range r.Props {
		a.props = append(a.props, [2]value{valueOf(p.Key), valueOf(p.Value)})
	}
	a.countRow(r.Flags, r.Visitor, r.Revenue, &d, a.goals, a.props)
}

// AddVisitRow counts a change of visits. The row's strings are copied if they are kept.
func (a *Agg) AddVisitRow(r *VisitRow) {
	d := dimsOf(&r.Dims, visitDims)
	a.countVisit(r.Scope, &d, &counts{visits: r.Visits, bounces: r.Bounces, seconds: r.Seconds, views: r.Views})
}

func (a *Agg) countRow(flags Flags, visitor event.Visitor, revenue event.Money, d *dims, goals []value, props [][2]value) {
	e := one{revenue: revenue, known: visitor != 0, mark: sketch.MarkOf(uint64(visitor))}
	if flags&PageviewRow != 0 {
		e.pageviews = 1
	}
	cl := flags.class()
	for i := range rowPicks[cl] {
		p := &rowPicks[cl][i]
		if d.set&p.need == p.need {
			e.count(a.cell(p.family, &d.values[p.first], &d.values[p.second]))
		}
	}
	if cl != human {
		return
	}
	for i := range goals {
		a.countGoal(&goals[i], d, &e)
	}
	for i := range props {
		if k, v := &props[i][0], &props[i][1]; k.s != "" && v.s != "" {
			e.count(a.cell(Props, k, v))
		}
	}
}

func (a *Agg) countGoal(goal *value, d *dims, e *one) {
	if goal.s == "" {
		return
	}
	e.count(a.cell(Goals, goal, &d.values[NumDims]))
	for i := range goalPicks {
		if p := &goalPicks[i]; d.set&p.need == p.need {
			e.count(a.cell(p.family, goal, &d.values[p.second]))
		}
	}
}

// one is what an event adds to each value that it counts in.
type one struct {
	pageviews int64
	revenue   event.Money
	known     bool // whether its visitor is
	mark      sketch.Mark
}

func (e *one) count(c *cell) {
	c.events++
	c.pageviews += e.pageviews
	c.revenue += e.revenue
	if e.known {
		c.visitors.AddMark(e.mark)
	}
}

func (a *Agg) countVisit(scope Scope, d *dims, add *counts) {
	if scope != AllButExitPage && d.set.has(ExitPage) {
		a.cell(ExitPages, &d.values[ExitPage], &d.values[NumDims]).addVisits(add)
	}
	if scope == ExitPageOnly {
		return
	}
	for i := range visitPicks {
		p := &visitPicks[i]
		if d.set&p.need == p.need {
			a.cell(p.family, &d.values[p.first], &d.values[p.second]).addVisits(add)
		}
	}
}

// cell returns the cell of a value.
func (a *Agg) cell(f Family, first, second *value) *cell {
	return a.fams[f].at(pairHash(first.hash, second.hash), first.s, second.s, a.limit, &a.text)
}

// Merge adds the rollups of b, which stay as they are, in the order in which b came to hold them. It is how an hour is
// folded from its minutes, in order of start. What b knows about firings is not taken over.
func (a *Agg) Merge(b *Agg) {
	for f := range b.fams {
		b.fams[f].each(func(c *cell) {
			into := a.fams[f].at(c.hash, c.first(), c.second(), a.limit, &a.text)
			into.add(&c.counts)
			into.visitors.Merge(&c.visitors)
		})
	}
}

// eachSorted calls fn for each value of the families that a kind has, by family and then by value, Other last.
func (a *Agg) eachSorted(k Kind, fn func(Family, *cell)) {
	var order []*cell
	for f := range a.fams {
		if !Family(f).In(k) {
			continue
		}
		fa := &a.fams[f]
		order = order[:0]
		for i := range fa.cells {
			order = append(order, &fa.cells[i])
		}
		slices.SortFunc(order, func(x, y *cell) int {
			return cmp.Or(strings.Compare(x.first(), y.first()), strings.Compare(x.second(), y.second()))
		})
		for _, c := range order {
			fn(Family(f), c)
		}
		if fa.hasOther {
			fn(Family(f), fa.other)
		}
	}
}

// Window returns the rollups as a window of minutes to be written to a sink. It shares no memory with a.
func (a *Agg) Window(site string, shard uint16, start event.Time, version int64, final bool) *Window {
	w := &Window{Site: site, Shard: shard, Start: start, Version: version, Final: final}
	a.Fill(w)
	return w
}

// Fill sets w's Points to the rollups, as w's Kind has them. They share no memory with a.
func (a *Agg) Fill(w *Window) {
	w.Points = nil
	a.eachSorted(w.Kind, func(f Family, c *cell) {
		p := c.point(w.Kind, f, nil)
		p.Dims = [2]string{strings.Clone(p.Dims[0]), strings.Clone(p.Dims[1])}
		w.Points = append(w.Points, p)
	})
}

// point makes a Point. Its values are those of the cell; the sketch goes into buf.
func (c *cell) point(k Kind, f Family, buf []byte) Point {
	p := Point{Family: f, Dims: [2]string{c.first(), c.second()}}
	if k == Visits {
		p.Visits, p.Bounces, p.Seconds, p.Views = c.visits, c.bounces, c.seconds, c.views
		return p
	}
	p.Events, p.Pageviews, p.Revenue = c.events, c.pageviews, c.revenue
	p.Visitors, p.Sketch = c.visitors.Estimate(), c.visitors.AppendBinary(buf)
	return p
}
