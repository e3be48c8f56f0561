package engine

import (
	"cmp"
	"slices"
	"strings"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// Core is the state machine of one partition. Its windows' contents are in the store; here is only which of them
// are open or to be fired, which visits are live and which ids have been seen, and all of that can be read back from
// the store (Load).
//
// REQUIRES: the caller applies every delta that Step returns, in order, before it calls Step again.
type Core struct {
	reading
	// open holds the windows of minutes that have not fired as final, by start.
	open map[event.Time]map[string]*openWindow
	// late holds the windows of minutes that are final and have changed since.
	late map[windowID]struct{}
	// lateHours holds the hours that have fired and of which a minute has changed since, by the slot in which they fire.
	lateHours [hourSlots]map[windowID]struct{}
	// hours holds the hours that have not fired, by start.
	hours map[event.Time]map[string]*openHour
	// changed holds the windows of visits that have not fired as final or have changed since they last fired, by
	// the slot in which they fire.
	changed [visitSlots]map[windowID]*changedVisits

	// What a Step works with, kept for its memory.
	groups    []*group
	used      int
	index     map[windowID]*group
	metabuf   []byte
	chunks    []byte
	visitRows []byte
	due       []dueWindow
	out       delta.Delta
}

type openWindow struct {
	dirty bool // has changed since it last fired
	seen  bool // has rows
	fresh bool // the record of the last Step brought its first rows
}

// openHour is an hour that has not fired.
type openHour struct {
	// inOrder says that its minutes have become final one after the other since this core saw the first: then they can
	// be merged as they do.
	inOrder bool
}

type changedVisits struct {
	dirty bool // has changed since it last fired
}

// windowID names a window of the partition.
type windowID struct {
	kind  window.Kind
	start event.Time
	site  string
}

func (a windowID) compare(b windowID) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.start, b.start), strings.Compare(a.site, b.site))
}

// group collects the rows of a record that go to one window.
type group struct {
	id   windowID
	rows window.RowWriter
}

// NewCore returns a core before its first record.
func NewCore(r Rules, d Deriver) *Core {
	c := &Core{reading: newReading(r, d), index: map[windowID]*group{}}
	c.clear(visit.NewTable(r.Visits()))
	return c
}

func (c *Core) clear(visits *visit.Table) {
	c.reading.clear(visits)
	c.open = map[event.Time]map[string]*openWindow{}
	c.late = map[windowID]struct{}{}
	for i := range c.lateHours {
		c.lateHours[i] = map[windowID]struct{}{}
	}
	c.hours = map[event.Time]map[string]*openHour{}
	for i := range c.changed {
		c.changed[i] = map[windowID]*changedVisits{}
	}
}

// State is what a Core is loaded from: what a store holds after the last delta applied.
type State interface {
	// Meta returns the core's own state.
	Meta() []byte
	// Windows calls fn for every window: for hours, which have no more than a Status, before minutes.
	Windows(fn func(k window.Kind, site string, start event.Time, st window.Status) error) error
	// Visits returns the live visits. The core changes them from here on.
	Visits() *visit.Table
	// Seen calls fn for the ids of each record within the horizon, in order.
	Seen(fn func(offset int64, journal []byte) error) error
}

// Load sets the core to the state that s holds.
func (c *Core) Load(s State) error {
	c.clear(s.Visits())
	if err := c.loadMeta(s.Meta()); err != nil {
		return err
	}
	if err := s.Seen(c.seen.Apply); err != nil {
		return err
	}
	hours := map[windowID]int64{} // when they last fired
	return s.Windows(func(k window.Kind, site string, start event.Time, st window.Status) error {
		id := windowID{k, start, site}
		switch {
		case k == window.Hour:
			hours[id] = st.FiredAt
			return nil
		case k == window.Visits && (st.Dirty || !st.Final):
			c.changed[visitSlot(site)][id] = &changedVisits{st.Dirty}
			return nil
		case k == window.Visits:
			return nil
		}
		// A window past the horizon may still have to fire: its last row came in the very record whose low moved
		// the horizon over it. One that is final and clean waits for nothing.
		switch {
		case !st.Final:
			w := c.openSite(start, site)
			w.seen, w.dirty = true, st.Dirty
		case st.Dirty:
			c.late[id] = struct{}{}
		}
		hour := hourOf(id)
		// An hour whose time has come and that has not fired began with an event that was late for it. A minute that is
		// not final then did too.
		fired, ok := hours[hour]
		c.noteHour(start, site, !st.Final || st.Dirty || !ok || st.FiredAt > fired)
		c.disorder(hour)
		return nil
	})
}

// fresh reports whether a chunk of the last Step is the first of its window.
func (c *Core) fresh(a *delta.Add) bool {
	if a.Kind != window.Minute {
		return false
	}
	w := c.open[a.Start][a.Site]
	return w != nil && w.fresh
}

// isOpen reports whether a window will fire again soon.
func (c *Core) isOpen(id windowID) bool {
	if id.kind == window.Visits {
		return c.meta.watermark < id.start+window.Visits.Length()+c.rules.VisitTimeout
	}
	return c.open[id.start][id.site] != nil
}

// Snapshot returns what metrics tell about the core, without an offset.
func (c *Core) Snapshot() Snapshot {
	s := Snapshot{
		Counters: c.meta.counters, Watermark: c.meta.watermark, LogTime: c.meta.logTime,
		LiveVisits: c.visits.Len(), Untracked: c.visits.Untracked(), IDs: c.seen.Len(),
	}
	for _, sites := range c.open {
		s.OpenWindows += len(sites)
	}
	return s
}

// Step takes the record at an offset and returns what it does, valid until the next Step. If the record can't be
// read, dead says why, and the delta only counts it.
func (c *Core) Step(partition int32, offset int64, value []byte) (d *delta.Delta, dead error) {
	d = &c.out
	*d = delta.Delta{Partition: partition, Offset: offset, Prev: c.meta.last, Adds: d.Adds[:0], Fired: d.Fired[:0]}
	if dead = c.decode(value); dead == nil {
		// The events first: low speaks of what comes after them.
		c.count(d)
		c.moveOn()
		c.timer(d)
	}
	c.meta.last = offset
	c.metabuf = c.meta.append(c.metabuf[:0])
	d.Meta, d.Watermark = c.metabuf, c.meta.watermark
	return d, dead
}

// count turns the record's events into rows, by window.
func (c *Core) count(d *delta.Delta) {
	c.used = 0
	clear(c.index)
	horizon := c.horizon()
	var g *group
	c.counter.Ahead(c.env.Events)
	for i := range c.env.Events {
		e := &c.env.Events[i]
		start, row, _, ok := c.next(e, horizon)
		if !ok {
			continue
		}
		if id := (windowID{window.Minute, start, e.Site}); g == nil || g.id != id {
			g = c.group(id)
		}
		g.rows.Add(row)
	}
	c.collect(d)
	d.Seen, d.SeenFrom = c.seen.Flush(d.Offset)
	c.collectVisits(d)
}

func (c *Core) group(id windowID) *group {
	if g, ok := c.index[id]; ok {
		return g
	}
	if c.used == len(c.groups) {
		c.groups = append(c.groups, &group{})
	}
	g := c.groups[c.used]
	c.used++
	g.id = id
	g.rows.Reset()
	c.index[id] = g
	return g
}

// collect moves the groups into the delta and notes that their windows have changed.
func (c *Core) collect(d *delta.Delta) {
	groups := c.groups[:c.used]
	slices.SortFunc(groups, func(a, b *group) int { return a.id.compare(b.id) })
	size := 0
	for _, g := range groups {
		size += g.rows.Size()
	}
	// One buffer for all chunks, large enough that it does not move under the delta.
	c.chunks = slices.Grow(c.chunks[:0], size)
	for _, g := range groups {
		from := len(c.chunks)
		c.chunks = g.rows.AppendChunk(c.chunks)
		d.Adds = append(d.Adds, delta.Add{Site: g.id.site, Start: g.id.start, Chunk: c.chunks[from:len(c.chunks):len(c.chunks)]})
		late := c.final(g.id.start)
		// One that the watermark has passed is open until it has fired.
		w := c.open[g.id.start][g.id.site]
		if w == nil && !late {
			w = c.openSite(g.id.start, g.id.site)
		}
		if w != nil {
			w.fresh = !w.seen
			w.seen, w.dirty = true, true
		} else if !has(c.late, g.id) {
			c.late[g.id.clone()] = struct{}{}
		}
		c.noteHour(g.id.start, g.id.site, late)
	}
}

// collectVisits moves what the record did to visits into the delta.
func (c *Core) collectVisits(d *delta.Delta) {
	first := len(d.Adds)
	c.visitRows = c.visitRows[:0]
	d.Visits = c.visits.Flush(func(site string, start event.Time, chunk []byte) {
		from := len(c.visitRows)
		c.visitRows = append(c.visitRows, chunk...)
		d.Adds = append(d.Adds, delta.Add{Kind: window.Visits, Site: site, Start: start, Chunk: c.visitRows[from:]})
		id := windowID{window.Visits, start, site}
		slot := c.changed[visitSlot(site)]
		if w, ok := slot[id]; ok {
			w.dirty = true
		} else {
			slot[id.clone()] = &changedVisits{true}
		}
	})
	// visitRows may have moved while it grew.
	at := 0
	for i := first; i < len(d.Adds); i++ {
		a := &d.Adds[i]
		n := len(a.Chunk)
		a.Chunk = c.visitRows[at : at+n : at+n]
		at += n
	}
}

// clone returns id with memory of its own: its site may be a view of the record. What is in a map is changed through a
// pointer, because setting a value under a key that is there exchanges the key's string too.
func (a windowID) clone() windowID {
	a.site = strings.Clone(a.site)
	return a
}

// openSite returns the open window of a site, made if there is none.
func (c *Core) openSite(start event.Time, site string) *openWindow {
	sites, ok := c.open[start]
	if !ok {
		sites = map[string]*openWindow{}
		c.open[start] = sites
	}
	w, ok := sites[site]
	if !ok {
		w = &openWindow{}
		sites[strings.Clone(site)] = w
	}
	return w
}
