package hits

import (
	"cmp"

	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// Fold is a visit that comes about of its hits, added in any order: what [Sink] is given of it once it has ended.
type Fold struct {
	visit visit.Visit
	any   bool // it has hits
	// The hits that decide: whose visitor the visit has, whose dimensions, and whose page is the last.
	last, entry, exit place
	entryView         bool // entry is a pageview
}

// place is a hit's in a visit: by time, and in the log.
type place struct {
	time   event.Time
	offset int64
	index  int32
}

func (p place) compare(q place) int { return cmp.Or(cmp.Compare(p.time, q.time), p.inLog(q)) }

func (p place) inLog(q place) int {
	return cmp.Or(cmp.Compare(p.offset, q.offset), cmp.Compare(p.index, q.index))
}

// NewFold returns a visit without hits.
func NewFold(id visit.ID) *Fold { return &Fold{visit: visit.Visit{ID: id}} }

// Add adds a hit, and keeps strings of it. REQUIRES: it is one of the visit, by its Visit and the joins there were.
func (f *Fold) Add(h *Hit) {
	at := place{h.Time, h.Offset, h.Index}
	one := Fold{any: true, last: at}
	v := &one.visit
	v.Site, v.Visitor, v.Begin, v.End = h.Site, h.Row.Visitor, h.Time, h.Time
	if h.Class == Ping {
		v.Pinged = true
		f.Join(&one)
		return
	}
	v.Events, v.Interactive = 1, !h.Pageview() && !h.NonInteractive
	one.entry = at
	dims := h.Dims()
	for d := range dims {
		if window.Dim(d).OfVisit() || window.Dim(d) == window.Hostname {
			v.Dims[d] = clip(dims[d])
		}
	}
	if h.Pageview() {
		v.Views, one.entryView, one.exit = 1, true, at
		v.Dims[window.ExitPage] = clip(dims[window.Page])
	}
	f.Join(&one)
}

// clip cuts a value as package visit does.
func clip(s string) string { return s[:min(len(s), window.MaxValueLen)] }

// Join adds the hits of a visit that has become a part of this one.
func (f *Fold) Join(o *Fold) {
	if !o.any {
		return
	}
	if !f.any {
		id := f.visit.ID
		*f = *o
		f.visit.ID = id
		return
	}
	v, w := &f.visit, &o.visit
	if f.last.inLog(o.last) < 0 {
		f.last, v.Visitor = o.last, w.Visitor
	}
	v.End = max(v.End, w.End)
	v.Pinged = v.Pinged || w.Pinged
	if w.Events == 0 {
		return // it has only pings
	}
	v.Begin = min(v.Begin, w.Begin) // also if there were only pings: none comes before the first event
	exit := v.Dims[window.ExitPage]
	if w.Views > 0 && (v.Views == 0 || f.exit.compare(o.exit) < 0) {
		f.exit, exit = o.exit, w.Dims[window.ExitPage]
	}
	if v.Events == 0 || o.entryView && !f.entryView || o.entryView == f.entryView && o.entry.compare(f.entry) < 0 {
		f.entry, f.entryView, v.Dims = o.entry, o.entryView, w.Dims
	}
	v.Dims[window.ExitPage] = exit
	v.Events += w.Events
	v.Views += w.Views
	v.Interactive = v.Interactive || w.Interactive
}

// Visit returns the visit of the hits so far.
func (f *Fold) Visit() *visit.Visit { return &f.visit }

// Joins holds which visits have become a part of others.
type Joins map[visit.ID]visit.ID

// Add takes in a join.
func (j Joins) Add(one Join) { j[one.Visit] = one.Into }

// Of returns the visit that a hit of a visit is one of.
func (j Joins) Of(id visit.ID) visit.ID {
	for {
		into, ok := j[id]
		if !ok {
			return id
		}
		id = into
	}
}
