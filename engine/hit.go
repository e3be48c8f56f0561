package engine

import (
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/window"
)

// Hit completes the hit of an event for which Count has just returned a row and a verdict; h has its place, and as Minute that of the
// window that takes the row, if one does (taken). It returns false if there is no hit of it. REQUIRES: the visits have names (visit.Table.Watch,
// Name), and nothing was counted since. The hit is valid until the next Count.
func (c *Counter) Hit(h *hits.Hit, e *event.Event, row *window.Row, v Verdict, taken bool) bool {
	if v == Ping {
		row = &c.row // Count gives none
	}
	class, ok := classOf(v, row, taken)
	if !ok {
		return false
	}
	h.Site, h.Class, h.Time, h.Received, h.Row = e.Site, class, e.Time, e.Received, row
	h.NonInteractive, h.Engaged, h.Scroll = e.NonInteractive, e.Engaged, e.Scroll
	if row.Paid {
		h.Currency = e.Currency
	}
	if class == hits.Ping {
		h.Minute = e.Time.Floor(event.Minute)
		h.Visit = c.visits.Taker(row) // Observe, which would have done it, has not seen it
	} else {
		h.Visit = c.visits.Taker(nil)
	}
	if h.Visit != 0 {
		h.VisitBegan = c.visits.TakerBegan()
	}
	return true
}

// classOf returns the class of an event's hit, and false if it has none: a duplicate, a bot's ping, and a bot's event that no
// window takes.
func classOf(v Verdict, row *window.Row, taken bool) (hits.Class, bool) {
	switch {
	case v == Duplicate:
		return 0, false
	case v == Ping:
		return hits.Ping, row.Flags&window.BotRow == 0
	case v == Bot:
		return hits.Bot, taken
	case row.Flags&window.DroppedRow != 0:
		return hits.Dropped, true
	}
	return hits.Human, true
}
