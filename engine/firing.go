package engine

import (
	"cmp"
	"slices"
	"strings"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
)

const (
	// hourSlots spreads the hours of the sites over a minute, in seconds: not all sites fire theirs at once.
	hourSlots = 60
	// visitSlots spreads windows of visits, which fire once in so many seconds while they change.
	visitSlots = 30
)

// siteSlot is 32-bit FNV-1a of a site: which slot a site has is part of what a log gives.
func siteSlot(site string, slots uint32) int {
	h := uint32(2166136261)
	for i := 0; i < len(site); i++ {
		h = (h ^ uint32(site[i])) * 16777619
	}
	return int((h ^ h>>15) % slots)
}

func visitSlot(site string) int { return siteSlot(site, visitSlots) }

// hourDue returns the watermark at which the hour of a site fires.
func (c *Core) hourDue(start event.Time, site string) event.Time {
	return start + event.Hour + c.rules.Grace + event.Time(siteSlot(site, hourSlots))*event.Second
}

// hoursFired returns the start of the first hour that has not fired for every site, at a tick that announces low.
func hoursFired(low event.Time) event.Time {
	return (low - hourSlots*event.Second).Floor(event.Hour)
}

// noteHour notes that a minute has rows: its hour is to fire, or to fire again if the minute has rows since.
func (c *Core) noteHour(start event.Time, site string, late bool) {
	hour := start.Floor(event.Hour)
	if c.hourFired(hour, site) {
		if late {
			slot := c.lateHours[siteSlot(site, hourSlots)]
			if id := (windowID{window.Hour, hour, site}); !has(slot, id) {
				slot[id.clone()] = struct{}{}
			}
		}
		return
	}
	sites, ok := c.hours[hour]
	if !ok {
		sites = map[string]*openHour{}
		c.hours[hour] = sites
	}
	if h, ok := sites[site]; !ok {
		sites[strings.Clone(site)] = &openHour{inOrder: !late}
	} else if late {
		h.inOrder = false
	}
}

// inOrder reports whether all minutes of an hour so far became final one after the other, since this core saw the
// first.
func (c *Core) inOrder(hour windowID) bool {
	h := c.hours[hour.start][hour.site]
	return h != nil && h.inOrder
}

// disorder notes that they did not.
func (c *Core) disorder(hour windowID) {
	if h := c.hours[hour.start][hour.site]; h != nil {
		h.inOrder = false
	}
}

func has(set map[windowID]struct{}, id windowID) bool {
	_, ok := set[id]
	return ok
}

// slots calls fn for each slot that has come since all that was due had fired.
func (c *Core) slots(slots event.Time, fn func(slot int)) {
	now := c.meta.beat / event.Second
	for s := max(c.meta.lastTimer/event.Second+1, now-slots+1); s <= now; s++ {
		fn(int(s % slots))
	}
}

// dueWindow is a window that is to fire.
type dueWindow struct {
	delta.Fired
	at   event.Time // of an hour when it may fire, else when it starts: what is due first fires first
	open bool       // an hour that has not fired yet
}

// compare orders windows by how much hangs on them: what is early can wait for what is final, and an hour comes after its
// minutes, which are merged into it as they fire.
func (a *dueWindow) compare(b *dueWindow) int {
	switch {
	case a.Final != b.Final && a.Final:
		return -1
	case a.Final != b.Final:
		return 1
	}
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.at, b.at), strings.Compare(a.Site, b.Site), cmp.Compare(a.Start, b.Start))
}

// firedSize is what a fired window takes in a delta besides the name of its site, at most.
const firedSize = 16

// timer runs once in a second of log time: it fires what is due and announces progress. Where that is too much for one
// record it runs again with the next, until all has fired; progress waits for that.
func (c *Core) timer(d *delta.Delta) {
	m := &c.meta
	if m.beat-m.lastTimer < event.Second {
		return
	}
	early := c.rules.EarlyEvery > 0 && m.beat-m.lastEarly >= c.rules.EarlyEvery
	complete := (m.watermark - c.rules.Grace).Floor(event.Minute)
	m.finals = max(m.finals, complete)
	c.due = c.due[:0]
	c.dueMinutes(early)
	c.dueHours()
	c.dueVisits()
	n := c.fitting()
	for i := range c.due[:n] {
		c.fire(&c.due[i])
		d.Fired = append(d.Fired, c.due[i].Fired)
	}
	// The maps' order must not show.
	slices.SortFunc(d.Fired, func(a, b delta.Fired) int {
		return windowID{a.Kind, a.Start, a.Site}.compare(windowID{b.Kind, b.Start, b.Site})
	})
	if n < len(c.due) {
		c.noteFired(c.due[:n])
		return
	}
	m.lastTimer = m.beat
	if early {
		m.lastEarly = m.beat
	}
	m.firedTo, m.firedSite = m.watermark, ""
	if complete > m.announced && m.watermark > 0 {
		m.announced, d.Progress = complete, complete
		d.Horizon, d.VisitHorizon = c.needed()
	}
}

// fitting returns how many of the windows that are due fit into a record, and has put those first. One always does.
func (c *Core) fitting() int {
	size := 0
	for i := range c.due {
		size += firedSize + len(c.due[i].Site)
	}
	if size <= c.rules.FiredBytes {
		return len(c.due)
	}
	slices.SortFunc(c.due, func(a, b dueWindow) int { return a.compare(&b) })
	size = 0
	for i := range c.due {
		if size += firedSize + len(c.due[i].Site); size > c.rules.FiredBytes {
			return max(i, 1)
		}
	}
	return len(c.due)
}

// noteFired notes how far the hours have fired, of which some are left over. They fire in the order of when they are due and
// of their sites, so that a place in it is enough to tell after a restart which have.
func (c *Core) noteFired(fired []dueWindow) {
	for i := range fired {
		if f := &fired[i]; f.open {
			c.meta.firedTo, c.meta.firedSite = f.at-1, f.Site
		}
	}
}

// hourFired reports whether the time of an hour has come, and it has fired if it had anything then.
func (c *Core) hourFired(start event.Time, site string) bool {
	due := c.hourDue(start, site)
	return due <= c.meta.firedTo || due == c.meta.firedTo+1 && site <= c.meta.firedSite
}

// needed returns from when on minutes and windows of visits are needed: a minute until its hour has fired and can't
// change any more, and both as long as they wait for their slot.
func (c *Core) needed() (minutes, visits event.Time) {
	minutes = min(c.horizon(), c.meta.watermark-c.rules.Grace-hourSlots*event.Second).Floor(event.Hour)
	for _, slot := range c.lateHours {
		for id := range slot {
			minutes = min(minutes, id.start)
		}
	}
	visits = (c.meta.watermark - c.rules.Life()).Floor(window.Visits.Length())
	for _, slot := range c.changed {
		for id := range slot {
			visits = min(visits, id.start)
		}
	}
	return minutes, visits
}

// dueMinutes collects the minutes that the watermark has passed, the ones that have changed since they were final, and
// with early the ones that have changed and not come to their end.
func (c *Core) dueMinutes(early bool) {
	for start, sites := range c.open {
		final := c.final(start)
		if !final && !early {
			continue
		}
		for site, w := range sites {
			if final || w.dirty {
				c.addDue(window.Minute, start, site, final, start)
			}
		}
	}
	for id := range c.late {
		c.addDue(window.Minute, id.start, id.site, true, id.start)
	}
}

// dueHours collects the hours whose time has come, and again those of which a minute has changed since they fired, once a minute
// at most: to fold an hour anew is sixty times the work of a minute.
func (c *Core) dueHours() {
	for start, sites := range c.hours {
		if start+event.Hour+c.rules.Grace > c.meta.watermark {
			continue
		}
		for site := range sites {
			if at := c.hourDue(start, site); at <= c.meta.watermark {
				c.addDue(window.Hour, start, site, true, at)
				c.due[len(c.due)-1].open = true
			}
		}
	}
	c.slots(hourSlots, func(slot int) {
		for id := range c.lateHours[slot] {
			c.addDue(window.Hour, id.start, id.site, true, c.hourDue(id.start, id.site))
		}
	})
}

// dueVisits collects the windows of visits whose slot has come.
func (c *Core) dueVisits() {
	c.slots(visitSlots, func(n int) {
		for id, w := range c.changed[n] {
			final := id.start+window.Visits.Length()+c.rules.Grace <= c.meta.watermark
			if final || w.dirty && c.rules.EarlyEvery > 0 {
				c.addDue(window.Visits, id.start, id.site, final, id.start)
			}
		}
	})
}

func (c *Core) addDue(k window.Kind, start event.Time, site string, final bool, at event.Time) {
	c.due = append(c.due, dueWindow{Fired: delta.Fired{Kind: k, Site: site, Start: start, Final: final}, at: at})
}

// fire notes that a window fires.
func (c *Core) fire(f *dueWindow) {
	id := windowID{f.Kind, f.Start, f.Site}
	switch f.Kind {
	case window.Minute:
		sites := c.open[f.Start]
		switch w := sites[f.Site]; {
		case w == nil:
			delete(c.late, id)
		case !f.Final:
			w.dirty = false
		default:
			deleteOf(c.open, f.Start, f.Site)
		}
	case window.Hour:
		if f.open {
			deleteOf(c.hours, f.Start, f.Site)
		} else {
			delete(c.lateHours[siteSlot(f.Site, hourSlots)], id)
		}
	case window.Visits:
		slot := c.changed[visitSlot(f.Site)]
		if f.Final {
			delete(slot, id)
		} else {
			slot[id].dirty = false
		}
	}
}

// deleteOf deletes a site's window of one start, and the start with its last.
func deleteOf[W any](windows map[event.Time]map[string]W, start event.Time, site string) {
	sites := windows[start]
	delete(sites, site)
	if len(sites) == 0 {
		delete(windows, start)
	}
}
