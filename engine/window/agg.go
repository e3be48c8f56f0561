package window

import (
	"strings"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// Agg folds the chunks of one window, oldest first, into rollups.
//
// Type Agg is used in three ways: with the whole state of a window (limit is the cardinality
// budget), by the store's merge operator with a part of it that does not begin at the beginning (no
// limit: whether a value is among the first of its family can't be known there), and for an hour,
// with the Aggs of its minutes (Merge): it keeps to the budget when it is read as an hour (Fill,
// Records).
type Agg struct {
	status Status
	limit  int
	fams   [NumFamilies]table
	text   arena
	memo   memo
	order  settleOrder
	sorted []sortedCell // memory of eachSorted
	enc    encoded
	goals  []value    // of one row
	props  [][2]value // of one row
	keys   []byte     // of them
}

// NewAgg returns an empty Agg that keeps at most limit values per family besides Other; 0 means no
// limit.
func NewAgg(limit int) *Agg { return &Agg{limit: limit, status: Status{FiredAt: NeverFired}} }

// Reset empties a and keeps its memory, but for what only a window of many visitors needs.
func (a *Agg) Reset(limit int) {
	a.limit, a.status = limit, Status{FiredAt: NeverFired}
	for f := range a.fams {
		a.fams[f].reset()
	}
	a.text.reset()
	a.enc.reset()
	a.memo.release()
}

// Len returns the number of values held, over all families.
func (a *Agg) Len() int {
	n := 0
	for f := range a.fams {
		n += a.fams[f].kept()
	}
	return n
}

// Bytes returns how much memory a takes, beside the sketches of more than seven visitors. An empty
// one takes some KiB, which is most of it where many sites have an event each.
func (a *Agg) Bytes() int {
	n := int(unsafe.Sizeof(*a)) + a.text.bytes() + a.memo.bytes() + a.order.bytes() + a.enc.bytes()
	for f := range a.fams {
		n += a.fams[f].bytes()
	}
	return n
}

// Status returns what the chunks added so far say about firings.
func (a *Agg) Status() Status { return a.status }

// Add folds in a sequence of chunks, oldest first. It may be called again with the chunks that
// follow. After an error a is to be thrown away.
func (a *Agg) Add(chunks []byte) error {
	a.enc.drop()
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
		case chunkFolded, chunkFoldedUnpaid:
			err = a.addFolded(payload, kind == chunkFolded)
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
	r := rowReader{reader: newReader(payload), goals: a.goals, props: a.props}
	r.dims.values[NumDims] = noValue
	for r.next() {
		a.countRow(r.flags, r.visitor, amount{r.revenue, r.paid}, &r.dims, r.goals, r.props)
	}
	a.goals, a.props = r.goals, r.props
	return r.Err
}

func (a *Agg) addVisits(payload []byte) error {
	a.status.Dirty = true
	r := visitReader{reader: newReader(payload)}
	r.dims.values[NumDims] = noValue
	for r.next() {
		a.countVisit(r.scope, &r.dims, &r.add)
	}
	return r.Err
}

// AddRow counts one row. The row's strings are copied if they are kept.
func (a *Agg) AddRow(r *Row) {
	a.enc.drop()
	d := dimsOf(&r.Dims, rowDims, r.Origin)
	a.goals, a.props = a.goals[:0], a.props[:0]
	for _, g := range r.Goals {
		a.goals = append(a.goals, valueOf(g))
	}
	for _, p := range r.Props {
		a.props = append(a.props, [2]value{valueOf(p.Key), valueOf(p.Value)})
	}
	a.countRow(r.Flags, r.Visitor, amount{r.Revenue, r.paid()}, &d, a.goals, a.props)
}

// AddVisitRow counts a change of visits. The row's strings are copied if they are kept.
func (a *Agg) AddVisitRow(r *VisitRow) {
	a.enc.drop()
	d := dimsOf(&r.Dims, visitDims, r.Origin)
	a.countVisit(r.Scope, &d, &visits{visits: r.Visits, bounces: r.Bounces, seconds: r.Seconds, views: r.Views})
}

func (a *Agg) countRow(flags Flags, visitor event.Visitor, amount amount, d *dims, goals []value, props [][2]value) {
	e := one{revenue: amount.revenue, known: visitor != 0, mark: sketch.MarkOf(uint64(visitor))}
	if flags&PageviewRow != 0 {
		e.pageviews = 1
	}
	if amount.paid {
		e.paid = 1
	}
	cl := flags.class()
	if cl == human {
		a.lackOf(d, props)
	}
	if cl == human && e.known {
		a.countKnown(d, &e, a.memo.of(uint64(visitor), e.mark.Hash()))
	} else {
		for i := range rowPicks[cl] {
			p := &rowPicks[cl][i]
			if d.set&p.need == p.need {
				e.count(a.cell(p.family, &d.values[p.first], &d.values[p.second]))
			}
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

// countKnown counts an event of a visitor who may have been counted before: under the values where
// it was, nothing has to be searched for, and the sketches have the visitor.
func (a *Agg) countKnown(d *dims, e *one, seen *memoEntry) {
	picks := rowPicks[human]
	short, ok := e.mark.Short()
	for i := range picks {
		p := &picks[i]
		if d.set&p.need != p.need {
			continue
		}
		t, x, y := &a.fams[p.family], &d.values[p.first], &d.values[p.second]
		if at := seen.places[i]; at != noPlace && t.cells[at].is(x, y) {
			e.countAgain(&t.cells[at])
			continue
		}
		at := t.at(x, y, a.limit, &a.text)
		seen.set(i, at)
		if !ok {
			e.count(&t.cells[at])
			continue
		}
		e.countAgain(&t.cells[at])
		if t.fresh = append(t.fresh, fresh(at)<<32|fresh(short)); len(t.fresh) >= maxFresh {
			t.settle(&a.order)
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

// amount is the revenue of an event, if it has one.
type amount struct {
	revenue event.Money
	paid    bool
}

// one is what an event adds to each value that it counts in.
type one struct {
	pageviews uint32
	paid      uint32
	revenue   event.Money
	known     bool // whether its visitor is
	mark      sketch.Mark
}

// countAgain is count for a cell whose sketch has the visitor.
func (e *one) countAgain(c *cell) {
	c.events.events++
	c.pageviews += e.pageviews
	c.revenue += e.revenue
	c.paid += e.paid
}

func (e *one) count(c *cell) {
	e.countAgain(c)
	if e.known {
		c.visitors.AddMark(e.mark)
	}
}

func (a *Agg) countVisit(scope Scope, d *dims, add *visits) {
	if scope != AllButExitPage && d.set.has(ExitPage) {
		a.visits(ExitPages, &d.values[ExitPage], &d.values[NumDims]).add(add)
	}
	if scope == ExitPageOnly {
		return
	}
	d.lack(false)
	key := d.visitHash()
	seen := a.memo.of(key, uint32(key))
	for i := range visitPicks {
		p := &visitPicks[i]
		if d.set&p.need != p.need {
			continue
		}
		t, x, y := &a.fams[p.family], &d.values[p.first], &d.values[p.second]
		at := int(seen.places[i])
		if at == noPlace || !t.cells[at].is(x, y) {
			at = t.at(x, y, a.limit, &a.text)
			seen.set(i, at)
		}
		t.visitsOf(at).add(add)
	}
}

// cell returns the cell of a value.
func (a *Agg) cell(f Family, first, second *value) *cell {
	t := &a.fams[f]
	return &t.cells[t.at(first, second, a.limit, &a.text)]
}

// visits returns what is counted of visits for a value.
func (a *Agg) visits(f Family, first, second *value) *visits {
	t := &a.fams[f]
	return t.visitsOf(t.at(first, second, a.limit, &a.text))
}

// Merge adds the rollups of b, which stay as they are, in the order in which b came to hold them.
// It is how an hour is folded from its minutes, in order of start. The budget does not hold before
// the hour is read, but for hourRoom. What b knows about firings is not taken over.
func (a *Agg) Merge(b *Agg) {
	a.enc.drop()
	b.settle()
	for f := range b.fams {
		from, into := &b.fams[f], &a.fams[f]
		from.each(func(place int) {
			c := &from.cells[place]
			at := into.atCell(from, place, 0, &a.text)
			into.cells[at].events.add(&c.events)
			into.cells[at].visitors.Merge(&c.visitors)
			if v := from.visitsAt(place); v != (visits{}) {
				into.visitsOf(at).add(&v)
			}
		})
		if a.limit > 0 && into.kept() > hourRoom*a.limit {
			into.settle(&a.order)
			a.chooseOf(Family(f), hourRoom/2*a.limit)
		}
	}
}

// prepare makes a ready to be read as a window of a kind.
func (a *Agg) prepare(k Kind) {
	a.settle()
	if k == Hour {
		a.choose(a.limit)
	}
}

// eachSorted calls fn for each place of the families that a kind has, by family and then by value,
// Other last.
//
// REQUIRES: prepare(k).
func (a *Agg) eachSorted(k Kind, fn func(f Family, place int)) {
	for f := range a.fams {
		if !Family(f).In(k) {
			continue
		}
		t := &a.fams[f]
		a.sorted = t.sorted(a.sorted[:0])
		for _, s := range a.sorted {
			fn(Family(f), int(s.place))
		}
		if t.other > 0 {
			fn(Family(f), int(t.other-1))
		}
	}
}

// Window returns the rollups as a window of minutes to be written to a sink. It shares no memory
// with a.
func (a *Agg) Window(site string, shard uint16, start event.Time, version int64, final bool) *Window {
	w := &Window{Site: site, Shard: shard, Start: start, Version: version, Final: final}
	a.Fill(w)
	return w
}

// Fill sets w's Points to the rollups, as w's Kind has them. They share no memory with a. Of an
// hour they are all that a keeps: no minute must be merged after it.
func (a *Agg) Fill(w *Window) {
	w.Points = nil
	a.prepare(w.Kind)
	a.eachSorted(w.Kind, func(f Family, place int) {
		p := a.point(w.Kind, f, place)
		if w.Kind != Visits {
			p.Sketch = a.fams[f].cells[place].visitors.AppendBinary(nil)
		}
		p.Dims = [2]string{strings.Clone(p.Dims[0]), strings.Clone(p.Dims[1])}
		w.Points = append(w.Points, p)
	})
}

// point makes a Point without its sketch. Its values are a's memory.
func (a *Agg) point(k Kind, f Family, place int) Point {
	t := &a.fams[f]
	c := &t.cells[place]
	p := Point{Family: f, Dims: [2]string{c.first(), c.second()}}
	if k == Visits {
		v := t.visitsAt(place)
		p.Visits, p.Bounces, p.Seconds, p.Views = v.visits, v.bounces, v.seconds, v.views
		return p
	}
	p.Events, p.Pageviews, p.Revenue, p.Paid = c.events.events, int64(c.pageviews), c.revenue, int64(c.paid)
	p.Visitors = c.visitors.Estimate()
	return p
}
