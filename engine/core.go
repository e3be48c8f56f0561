package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
)

// Rules say when windows fire and close, all in log time. The zero value of a field is its default.
type Rules struct {
	// Grace is how long after its end a window waits for stragglers before it fires as final. Default 2 s.
	Grace event.Time
	// Lateness is how long after its end a window still takes events in, and fires again. Default 1 h; state is
	// kept as long.
	Lateness event.Time
	// EarlyEvery is how often open windows that have changed fire before their end. Default 5 s; negative turns
	// early firing off.
	EarlyEvery event.Time
	// SilentAfter is how long a collector may be silent before the watermark no longer waits for it. Default
	// 10 s: ten ticks missed.
	SilentAfter event.Time
}

func (r Rules) withDefaults() Rules {
	r.Grace = cmp.Or(r.Grace, 2*event.Second)
	r.Lateness = cmp.Or(r.Lateness, event.Hour)
	r.EarlyEvery = cmp.Or(r.EarlyEvery, 5*event.Second)
	r.SilentAfter = cmp.Or(r.SilentAfter, 10*event.Second)
	return r
}

// Validate reports all rules that make no sense.
func (r Rules) Validate() error {
	r = r.withDefaults()
	var bad []string
	if r.Grace < 0 || r.Grace > event.Minute {
		bad = append(bad, fmt.Sprintf("grace %d ms is not within 0 and 1 min", r.Grace))
	}
	if r.Lateness < r.Grace {
		bad = append(bad, fmt.Sprintf("lateness %d ms is below the grace of %d ms", r.Lateness, r.Grace))
	}
	if r.SilentAfter < event.Second {
		bad = append(bad, fmt.Sprintf("silent-after %d ms is below the second between ticks", r.SilentAfter))
	}
	if len(bad) > 0 {
		return fmt.Errorf("rules: %s", strings.Join(bad, "; "))
	}
	return nil
}

// Deriver finds out what is counted of an event. It must be deterministic. Package engine/facts has the real one.
type Deriver interface {
	Row(e *event.Event, r *window.Row)
}

// Core is the state machine of one partition. Its windows' contents are in the store; here is only which of them
// are open or to be fired, and that can be read back from the store (Load).
//
// REQUIRES: the caller applies every delta that Step returns, in order, before it calls Step again.
type Core struct {
	rules  Rules
	derive Deriver

	meta meta
	// open holds the windows that have not fired as final, by start. The bool of a site says whether its window
	// has changed since it last fired.
	open map[event.Time]map[string]*openWindow
	// late holds the windows that are final and have changed since.
	late map[windowID]struct{}

	// What a Step works with, kept for its memory.
	decoder event.Decoder
	env     event.Envelope
	row     window.Row
	groups  []*group
	used    int
	index   map[windowID]*group
	metabuf []byte
	chunks  []byte
	out     delta.Delta
}

type openWindow struct {
	dirty bool // has changed since it last fired
	seen  bool // has rows
	fresh bool // the record of the last Step brought its first rows
}

// windowID names a window of the partition.
type windowID struct {
	start event.Time
	site  string
}

// group collects the rows of a record that go to one window.
type group struct {
	id   windowID
	rows window.RowWriter
}

// NewCore returns a core before its first record.
func NewCore(r Rules, d Deriver) *Core {
	c := &Core{rules: r.withDefaults(), derive: d, index: map[windowID]*group{}}
	c.clear()
	return c
}

func (c *Core) clear() {
	c.meta = meta{last: delta.None}
	c.open = map[event.Time]map[string]*openWindow{}
	c.late = map[windowID]struct{}{}
}

// Load sets the core to the state after the last delta applied: its Meta, and the status of every window there
// is.
func (c *Core) Load(metaBytes []byte, windows func(func(site string, start event.Time, st window.Status) error) error) error {
	c.clear()
	if err := c.meta.decode(metaBytes); err != nil {
		return err
	}
	return windows(func(site string, start event.Time, st window.Status) error {
		// A window past the horizon may still have to fire: its last row came in the very record whose low moved
		// the horizon over it. One that is final and clean waits for nothing.
		switch {
		case !st.Final:
			w := c.openSite(start, site)
			w.seen, w.dirty = true, st.Dirty
		case st.Dirty:
			c.late[windowID{start, site}] = struct{}{}
		}
		return nil
	})
}

// fresh reports whether a chunk of the last Step is the first of its window.
func (c *Core) fresh(a *delta.Add) bool {
	w := c.open[a.Start][a.Site]
	return w != nil && w.fresh
}

// isOpen reports whether a window has not fired as final.
func (c *Core) isOpen(id windowID) bool { return c.open[id.start][id.site] != nil }

// Watermark returns the event time up to which the partition's input is complete.
func (c *Core) Watermark() event.Time { return c.meta.watermark }

// Counters returns what has been counted since the log began.
func (c *Core) Counters() Counters { return c.meta.counters }

// OpenWindows returns the number of windows that have not fired as final.
func (c *Core) OpenWindows() int {
	n := 0
	for _, sites := range c.open {
		n += len(sites)
	}
	return n
}

// Step takes the record at an offset and returns what it does, valid until the next Step. If the record can't be
// read, dead says why, and the delta only counts it.
func (c *Core) Step(partition int32, offset int64, value []byte) (d *delta.Delta, dead error) {
	d = &c.out
	*d = delta.Delta{Partition: partition, Offset: offset, Prev: c.meta.last, Adds: d.Adds[:0], Fired: d.Fired[:0]}
	c.meta.counters.Records++
	if dead = c.decoder.Decode(value, &c.env); dead != nil {
		c.meta.counters.Dead++
	} else {
		// The events first: low speaks of what comes after them.
		c.count(d)
		c.meta.observe(c.env.Collector, c.env.Low, c.rules.SilentAfter)
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
	var g *group
	for i := range c.env.Events {
		e := &c.env.Events[i]
		c.row = window.Row{}
		c.derive.Row(e, &c.row)
		start := c.place(e.Time.Floor(event.Minute))
		if id := (windowID{start, e.Site}); g == nil || g.id != id {
			g = c.group(id)
		}
		g.rows.Add(&c.row)
	}
	c.collect(d)
}

// place counts the row as on time, late or dropped, and returns the window that takes it.
func (c *Core) place(start event.Time) event.Time {
	n := &c.meta.counters
	n.Events++
	if c.row.Flags&window.BotRow != 0 {
		n.Bots++
	}
	switch {
	case start < c.horizon():
		// Its window has closed. It is counted as dropped in the minute of the watermark, so that the site's
		// owner sees it.
		n.Dropped++
		c.row.Flags |= window.DroppedRow
		return c.meta.watermark.Floor(event.Minute)
	case c.final(start):
		n.Late++
	default:
		n.OnTime++
	}
	return start
}

// final reports whether the watermark has passed a window.
func (c *Core) final(start event.Time) bool {
	return start <= c.meta.watermark-event.Minute-c.rules.Grace // this way around a start at the end of time can't overflow
}

// horizon returns the start of the oldest window that has not closed.
func (c *Core) horizon() event.Time {
	if c.meta.watermark == 0 {
		return -1 << 62
	}
	return (c.meta.watermark - c.rules.Lateness).Floor(event.Minute)
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
	slices.SortFunc(groups, func(a, b *group) int { return compareID(a.id, b.id) })
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
		if c.final(g.id.start) {
			if _, ok := c.late[g.id]; !ok {
				c.late[windowID{g.id.start, strings.Clone(g.id.site)}] = struct{}{}
			}
		} else {
			w := c.openSite(g.id.start, g.id.site)
			w.fresh = !w.seen
			w.seen, w.dirty = true, true
		}
	}
}

func compareID(a, b windowID) int {
	return cmp.Or(cmp.Compare(a.start, b.start), strings.Compare(a.site, b.site))
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
		sites[strings.Clone(site)] = w // site may be a view of the record
	}
	return w
}

// timer runs once in a second of log time: it fires what is due and announces progress.
func (c *Core) timer(d *delta.Delta) {
	m := &c.meta
	if m.logTime-m.lastTimer < event.Second {
		return
	}
	m.lastTimer = m.logTime
	early := c.rules.EarlyEvery > 0 && m.logTime-m.lastEarly >= c.rules.EarlyEvery
	if early {
		m.lastEarly = m.logTime
	}
	for start, sites := range c.open {
		final := c.final(start)
		if !final && !early {
			continue
		}
		for site, w := range sites {
			if final || w.dirty {
				d.Fired = append(d.Fired, delta.Fired{Site: site, Start: start, Final: final})
				w.dirty = false
			}
		}
		if final {
			delete(c.open, start)
		}
	}
	for id := range c.late {
		d.Fired = append(d.Fired, delta.Fired{Site: id.site, Start: id.start, Final: true})
	}
	clear(c.late)
	// The maps' order must not show.
	slices.SortFunc(d.Fired, func(a, b delta.Fired) int {
		return compareID(windowID{a.Start, a.Site}, windowID{b.Start, b.Site})
	})
	if p := (m.watermark - c.rules.Grace).Floor(event.Minute); p > m.announced && m.watermark > 0 {
		m.announced, d.Progress = p, p
		d.Horizon = c.horizon()
	}
}

func cloneString(s string) string { return strings.Clone(s) }
