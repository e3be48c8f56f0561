package window

import (
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
	fams   [NumFamilies]famAgg
	key    []byte
}

type famAgg struct {
	index map[string]int32 // value -> place in cells
	cells []cell           // in order of first appearance
	other *cell            // what came past the limit
}

// cell is what is counted for a value. Which of the counters can be other than zero is up to the window's kind.
type cell struct {
	value string // the family's dimensions joined by sep
	counts
	visitors sketch.Sketch
}

type counts struct {
	events, pageviews               int64
	revenue                         event.Money
	visits, bounces, seconds, views int64
}

func (c *counts) add(o *counts) {
	c.events += o.events
	c.pageviews += o.pageviews
	c.revenue += o.revenue
	c.visits += o.visits
	c.bounces += o.bounces
	c.seconds += o.seconds
	c.views += o.views
}

// sep joins the values of a family with two dimensions. Clean values hold no control characters.
const sep = "\x1f"

// NewAgg returns an empty Agg that keeps at most limit values per family besides Other; 0 means no limit.
func NewAgg(limit int) *Agg {
	a := &Agg{limit: limit, status: Status{FiredAt: NeverFired}}
	for f := range a.fams {
		a.fams[f].index = make(map[string]int32)
	}
	return a
}

// Reset empties a and keeps its memory.
func (a *Agg) Reset(limit int) {
	a.limit, a.status = limit, Status{FiredAt: NeverFired}
	for f := range a.fams {
		fa := &a.fams[f]
		clear(fa.index)
		fa.cells, fa.other = fa.cells[:0], nil
	}
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
	return eachChunk(chunks, func(kind byte, payload []byte) error {
		switch kind {
		case chunkRows:
			a.status.Dirty = true
			return readRows(payload, a.AddRow)
		case chunkVisits:
			a.status.Dirty = true
			return readVisits(payload, a.AddVisitRow)
		case chunkFolded:
			return a.addFolded(payload)
		case chunkMark:
			return a.status.addMark(payload)
		}
		return errKind(kind)
	})
}

// AddRow counts one row. The row's strings are copied if they are kept.
func (a *Agg) AddRow(r *Row) {
	one := counts{events: 1, revenue: r.Revenue}
	if r.Flags&PageviewRow != 0 {
		one.pageviews = 1
	}
	cl := r.Flags.class()
	for _, f := range eventFamilies[cl] {
		a.count(f, &r.Dims, &one, r.Visitor)
	}
	if cl != human {
		return
	}
	for _, goal := range r.Goals {
		a.countPair(Goals, goal, "", &one, r.Visitor)
		for _, f := range goalFamilies {
			a.countPair(f, goal, r.Dims[families[f].dims[1]], &one, r.Visitor)
		}
	}
	for _, p := range r.Props {
		a.countPair(Props, p.Key, p.Value, &one, r.Visitor)
	}
}

// AddVisitRow counts a change of visits. The row's strings are copied if they are kept.
func (a *Agg) AddVisitRow(r *VisitRow) {
	change := counts{visits: r.Visits, bounces: r.Bounces, seconds: r.Seconds, views: r.Views}
	for _, f := range visitFamilies {
		if r.Scope == AllFamilies || (f == ExitPages) == (r.Scope == ExitPageOnly) {
			a.count(f, &r.Dims, &change, 0)
		}
	}
}

func (a *Agg) count(f Family, dims *[NumDims]string, add *counts, v event.Visitor) {
	switch fd := families[f].dims; len(fd) {
	case 0:
		a.countPair(f, "", "", add, v)
	case 1:
		a.countPair(f, dims[fd[0]], "", add, v)
	default:
		a.countPair(f, dims[fd[0]], dims[fd[1]], add, v)
	}
}

// countPair adds to the cell of one or two values, unless one that the family has is empty.
func (a *Agg) countPair(f Family, first, second string, add *counts, v event.Visitor) {
	a.key = append(a.key[:0], first...)
	switch len(families[f].dims) {
	case 0:
	case 1:
		if first == "" {
			return
		}
	default:
		if first == "" || second == "" {
			return
		}
		if first != Other || second != Other { // else the same tags in line protocol
			a.key = append(append(a.key, sep...), second...)
		}
	}
	c := a.cell(f, a.key)
	c.add(add)
	if v != 0 {
		c.visitors.Add(uint64(v))
	}
}

// cell returns the cell of a value, made if there is none and the budget allows, else that of Other.
func (a *Agg) cell(f Family, value []byte) *cell {
	fa := &a.fams[f]
	if i, ok := fa.index[string(value)]; ok {
		return &fa.cells[i]
	}
	if string(value) == Other || a.limit > 0 && len(fa.cells) >= a.limit {
		if fa.other == nil {
			fa.other = &cell{value: Other}
		}
		return fa.other
	}
	s := string(value)
	fa.index[s] = int32(len(fa.cells))
	if len(fa.cells) < cap(fa.cells) {
		fa.cells = fa.cells[:len(fa.cells)+1]
		c := &fa.cells[len(fa.cells)-1]
		c.value, c.counts = s, counts{}
		c.visitors.Reset()
		return c
	}
	fa.cells = append(fa.cells, cell{value: s})
	return &fa.cells[len(fa.cells)-1]
}

// Merge adds the rollups of b, which stay as they are, in the order in which b came to hold them. It is how an hour is
// folded from its minutes, in order of start. What b knows about firings is not taken over.
func (a *Agg) Merge(b *Agg) {
	for f := range b.fams {
		b.each(Family(f), func(c *cell) {
			a.key = append(a.key[:0], c.value...)
			into := a.cell(Family(f), a.key)
			into.add(&c.counts)
			into.visitors.Merge(&c.visitors)
		})
	}
}

// each calls fn for each value of a family in order of first appearance, Other last.
func (a *Agg) each(f Family, fn func(*cell)) {
	fa := &a.fams[f]
	for i := range fa.cells {
		fn(&fa.cells[i])
	}
	if fa.other != nil {
		fn(fa.other)
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
		slices.SortFunc(order, func(x, y *cell) int { return strings.Compare(x.value, y.value) })
		for _, c := range order {
			fn(Family(f), c)
		}
		if fa.other != nil {
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
		w.Points = append(w.Points, c.point(w.Kind, f, nil))
	})
}

// point makes a Point; the sketch goes into buf.
func (c *cell) point(k Kind, f Family, buf []byte) Point {
	p := Point{Family: f, Dims: splitValue(f, c.value)}
	if k == Visits {
		p.Visits, p.Bounces, p.Seconds, p.Views = c.visits, c.bounces, c.seconds, c.views
		return p
	}
	p.Events, p.Pageviews, p.Revenue = c.events, c.pageviews, c.revenue
	p.Visitors, p.Sketch = c.visitors.Estimate(), c.visitors.AppendBinary(buf)
	return p
}

func splitValue(f Family, value string) (dims [2]string) {
	switch len(families[f].dims) {
	case 0:
	case 1:
		dims[0] = value
	default:
		first, second, ok := strings.Cut(value, sep)
		if !ok {
			second = first // Other stands for both
		}
		dims = [2]string{first, second}
	}
	return dims
}
