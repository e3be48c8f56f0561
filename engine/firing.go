package engine

import (
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
	if c.hourDue(hour, site) <= c.meta.firedTo {
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

// slots calls fn for each slot that has come since the timer last ran.
func (c *Core) slots(last, slots event.Time, fn func(slot int)) {
	now := c.meta.logTime / event.Second
	for s := max(last/event.Second+1, now-slots+1); s <= now; s++ {
		fn(int(s % slots))
	}
}

// timer runs once in a second of log time: it fires what is due and announces progress.
func (c *Core) timer(d *delta.Delta) {
	m := &c.meta
	if m.logTime-m.lastTimer < event.Second {
		return
	}
	last := m.lastTimer
	m.lastTimer = m.logTime
	c.fireMinutes(d)
	c.fireHours(d, last)
	c.fireVisits(d, last)
	m.firedTo = m.watermark
	// The maps' order must not show.
	slices.SortFunc(d.Fired, func(a, b delta.Fired) int {
		return windowID{a.Kind, a.Start, a.Site}.compare(windowID{b.Kind, b.Start, b.Site})
	})
	if p := (m.watermark - c.rules.Grace).Floor(event.Minute); p > m.announced && m.watermark > 0 {
		m.announced, d.Progress = p, p
		d.Horizon, d.VisitHorizon = c.needed()
	}
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

// fireMinutes fires the minutes that the watermark has passed, the ones that have changed since they were final, and
// now and then the ones that have not come to their end.
func (c *Core) fireMinutes(d *delta.Delta) {
	m := &c.meta
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
}

// fireHours fires the hours that are due, and again those of which a minute has changed since they fired, once a minute at
// most: to fold an hour anew is sixty times the work of a minute.
func (c *Core) fireHours(d *delta.Delta, last event.Time) {
	fire := func(start event.Time, site string) {
		d.Fired = append(d.Fired, delta.Fired{Kind: window.Hour, Site: site, Start: start, Final: true})
	}
	for start, sites := range c.hours {
		if start+event.Hour+c.rules.Grace > c.meta.watermark {
			continue
		}
		for site := range sites {
			if c.hourDue(start, site) <= c.meta.watermark {
				fire(start, site)
				delete(sites, site)
			}
		}
		if len(sites) == 0 {
			delete(c.hours, start)
		}
	}
	c.slots(last, hourSlots, func(slot int) {
		for id := range c.lateHours[slot] {
			fire(id.start, id.site)
		}
		clear(c.lateHours[slot])
	})
}

// fireVisits fires the windows of visits whose slot has come since the timer last ran.
func (c *Core) fireVisits(d *delta.Delta, last event.Time) {
	c.slots(last, visitSlots, func(n int) {
		slot := c.changed[n]
		for id, w := range slot {
			final := id.start+window.Visits.Length()+c.rules.Grace <= c.meta.watermark
			if !final && !(w.dirty && c.rules.EarlyEvery > 0) {
				continue
			}
			d.Fired = append(d.Fired, delta.Fired{Kind: window.Visits, Site: id.site, Start: id.start, Final: final})
			if final {
				delete(slot, id)
			} else {
				w.dirty = false
			}
		}
	})
}
