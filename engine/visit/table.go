package visit

import (
	"math"
	"math/rand/v2"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Table holds the live visits of a partition. It has no clock and does no I/O, and belongs to one goroutine.
//
// A visit is a slot in a slab; what it keeps of strings is in an arena; a visitor's visits are a chain of slots in order of
// time, found by a table per site. None of it is a pointer to the garbage collector, which with some hundred
// thousand visits would otherwise follow millions of them. An event of a known visit allocates nothing.
type Table struct {
	rules  Rules
	visits slab
	arena  arena

	names  map[string]*site
	sites  []*site // by number; nil is free
	unused []int32 // numbers of free sites
	latest *site   // asked for last
	spread spread

	// due holds the visits by the number of the minute in which they may expire, or of one before: a visit that
	// lives on is moved when its minute comes, not at each event.
	due     map[int32]*dueList
	spare   []*dueList
	lastDue *dueList   // added to last
	horizon event.Time // up to which visits have been expired

	live      int
	untracked int64
	// tracking says that Checkpoints are asked for: dirty then holds the sites with changes since the last, in the order
	// of the first.
	tracking bool
	dirty    []*site

	record // what the record in hand has done
	ahead  ahead
	naming *naming // nil unless visits have names
}

// site holds the visits of a site.
type site struct {
	name     string
	number   int32
	live     int
	visitors visitors

	// Since the last Flush: the visits touched, in order, and the visitors whose visits were re-keyed.
	touched []int32
	moved   []event.Visitor
	groups  []*group

	// Since the last Checkpoint: the same.
	dirty []int32
	gone  []event.Visitor
}

// NewTable returns an empty table. REQUIRES: r.Validate() is nil.
func NewTable(r Rules) *Table {
	return &Table{
		rules:   r.WithDefaults(),
		names:   map[string]*site{},
		due:     map[int32]*dueList{},
		spread:  spread{rand.Uint64(), rand.Uint64() | 1},
		horizon: math.MinInt64,
	}
}

// Origins adds the dimensions of an origin (window.AppendOrigin) to the row of an event.
type Origins interface {
	Origin(e *event.Event, r *window.Row)
}

// Observe takes in the next event of the log, which has the row r. Bots, dropped events and duplicates are not to be given.
// It gives r the entry page and the Origin of the event's visit, as views that are valid until the next call of a method;
// what Dims has of the Origin is of no use then. It asks o only where the visit has its dimensions from this event. An event
// without a visit, because it has no Visitor or because it is untracked, past MaxPerSite, leaves r as it is.
func (t *Table) Observe(e *event.Event, r *window.Row, o Origins) (tracked bool) {
	if r.Visitor == 0 || e.Time < 0 || e.Time >= maxTime {
		return true
	}
	s := t.site(e.Site)
	i := t.place(s, r.Visitor, e.VisitorPrev, e.Time, false)
	if i == 0 {
		if s.live >= t.rules.MaxPerSite {
			t.untracked++
			return false
		}
		i = t.begin(s, r.Visitor, e.Time)
	}
	t.take(i, e, r, o)
	r.Dims[window.EntryPage], _, r.Origin, _ = cutDims(t.arena.get(t.visits.at(i).dims), s.name)
	if t.naming != nil {
		t.naming.took(i, 1)
	}
	return true
}

// Ping takes in a ping, which is no event: it lengthens the visit that an event of its time would become one of, if that
// began before, and reports whether there was one.
func (t *Table) Ping(e *event.Event) (found bool) {
	if e.Visitor == 0 || e.Time < 0 || e.Time >= maxTime {
		return false
	}
	s := t.known(e.Site)
	if s == nil {
		return false
	}
	i := t.place(s, e.Visitor, e.VisitorPrev, e.Time, true)
	if i == 0 {
		return false
	}
	t.touch(i)
	v := t.visits.at(i)
	v.stretch(e.Time)
	v.flags |= pinged
	if t.naming != nil {
		t.naming.took(i, 0)
	}
	return true
}

// take adds an event to a visit.
func (t *Table) take(i int32, e *event.Event, r *window.Row, o Origins) {
	t.touch(i)
	v := t.visits.at(i)
	v.stretch(e.Time)
	place := uint32(e.Time - v.first)
	if r.Flags&window.PageviewRow == 0 {
		if v.views == 0 && place < v.entry {
			o.Origin(e, r)
			t.setDims(i, r, place)
		}
		if !e.NonInteractive {
			v.flags |= interactive
		}
		return
	}
	if v.views == 0 || place < v.entry {
		o.Origin(e, r)
		t.setDims(i, r, place)
	}
	if v.views == 0 || place >= v.exit {
		t.setExitPage(i, r.Dims[window.Page])
		v.exit = place
	}
	v.views++
}

// stretch makes the visit reach to a time.
func (v *visit) stretch(at event.Time) {
	if at < v.first {
		d := uint32(v.first - at)
		v.first = at
		v.span += d
		v.entry += d
		if v.views > 0 {
			v.exit += d
		}
	}
	v.span = max(v.span, uint32(at-v.first))
}

// setDims gives a visit the dimensions of an event at a place in it.
func (t *Table) setDims(i int32, r *window.Row, place uint32) {
	host := r.Dims[window.Hostname]
	t.buf = appendDims(t.buf[:0], t.sites[t.visits.at(i).site].name, r)
	r.Dims[window.Hostname] = host
	t.setDimBytes(i, t.buf, place)
}

// setDimBytes keeps the exit page as it is. REQUIRES: dims are not those of the visit itself.
func (t *Table) setDimBytes(i int32, dims []byte, place uint32) {
	v := t.visits.at(i)
	v.entry = place
	old := t.arena.get(v.dims)
	if string(old) == string(dims) {
		return
	}
	tc := &t.touches[v.touch-1]
	tc.whole = true
	exit := t.exitPage(v)
	if v.exitPage == 0 {
		t.page = append(t.page[:0], exit...) // it is a part of what is replaced
		exit = view(t.page)
	}
	v.dims = t.replace(v.dims, tc.before.dims, dims)
	if v.views > 0 {
		t.setExitPage(i, exit)
	}
}

func (t *Table) setExitPage(i int32, page string) {
	page = page[:min(len(page), window.MaxValueLen)]
	v := t.visits.at(i)
	held := t.touches[v.touch-1].before.exitPage
	switch {
	case page == entryPage(t.arena.get(v.dims)):
		if v.exitPage != held {
			t.arena.free(v.exitPage)
		}
		v.exitPage = 0
	case v.exitPage == 0 || string(t.arena.get(v.exitPage)) != page:
		t.page = append(t.page[:0], page...)
		v.exitPage = t.replace(v.exitPage, held, t.page)
	}
}

// replace puts another string in the place of one, which stays where it is if the record began with it.
func (t *Table) replace(old, held ref, b []byte) ref {
	if old == held {
		return t.arena.put(b)
	}
	return t.arena.replace(old, b)
}

// exitPage returns a view of the page of a visit's last pageview, "" if it has none.
func (t *Table) exitPage(v *visit) string {
	if v.views == 0 {
		return ""
	}
	if v.exitPage == 0 {
		return entryPage(t.arena.get(v.dims))
	}
	return view(t.arena.get(v.exitPage))
}

// known returns the site of a name, nil if there is none.
func (t *Table) known(name string) *site {
	if s := t.ahead.site(name); s != nil {
		return s
	}
	if t.latest != nil && t.latest.name == name {
		return t.latest
	}
	return t.names[name]
}

// site returns the site of a name, made if there is none.
func (t *Table) site(name string) *site {
	s := t.known(name)
	if s == nil {
		s = &site{name: strings.Clone(name), visitors: newVisitors(t.spread)}
		if n := len(t.unused); n > 0 {
			s.number, t.unused = t.unused[n-1], t.unused[:n-1]
			t.sites[s.number] = s
		} else {
			s.number = int32(len(t.sites))
			t.sites = append(t.sites, s)
		}
		t.names[s.name] = s
	}
	t.latest = s
	return s
}

// Len returns the number of live visits.
func (t *Table) Len() int { return t.live }

// Bytes returns the memory of the table, by estimate.
func (t *Table) Bytes() int {
	const perVisit, perSite = 8, 400 // in lists
	n := t.visits.bytes() + t.arena.bytes() + t.live*perVisit + len(t.names)*perSite
	for _, s := range t.names {
		n += s.visitors.bytes()
	}
	return n
}

// Untracked returns the number of events that found no visit because of MaxPerSite, since the table was made.
func (t *Table) Untracked() int64 { return t.untracked }
