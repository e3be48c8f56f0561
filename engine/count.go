package engine

import (
	"millrace/engine/dedup"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// Deriver finds out what is counted of an event. It must be deterministic. Package engine/enrich has the real one.
type Deriver interface {
	// Row fills r, all of it, but may leave the dimensions of an origin (window.AppendOrigin) to Origin.
	Row(e *event.Event, r *window.Row)
	// Origin adds those to a row that Row has filled and that is no bot's.
	Origin(e *event.Event, r *window.Row)
}

// Verdict says what an event counts as.
type Verdict uint8

const (
	// Human events are counted in every family but that of bots.
	Human Verdict = iota
	// Bot events are counted in the family of bots only, or in none (window.UncountedRow).
	Bot
	// Duplicate events are not counted: one with the same id has been.
	Duplicate
	// Ping events are none (event.Event.Ping): they are not counted, but have lengthened the visit that they belong to.
	Ping
)

// Counter turns the events of a log, in its order, into rows. Stream and replay count with it: there is no second way.
type Counter struct {
	derive Deriver
	seen   *dedup.Set
	visits *visit.Table
	row    window.Row
}

// NewCounter returns a Counter over the ids seen and the live visits so far, both of which it changes.
func NewCounter(d Deriver, seen *dedup.Set, visits *visit.Table) *Counter {
	return &Counter{derive: d, seen: seen, visits: visits}
}

// Ahead may be called with the events that will be counted next: counting them takes less time then.
func (c *Counter) Ahead(events []event.Event) {
	c.seen.Ahead(events)
	c.visits.Ahead(events)
}

// Count returns the row of the next event, valid until the call after; nil for a duplicate and a ping. An event whose window
// has closed takes no part in visits.
func (c *Counter) Count(e *event.Event, closed bool) (*window.Row, Verdict) {
	if !c.seen.Add(e.Site, e.ID, e.Received) {
		return nil, Duplicate
	}
	c.derive.Row(e, &c.row)
	isBot := c.row.Flags&window.BotRow != 0
	if e.IsPing() {
		if !closed && !isBot {
			c.visits.Ping(e)
		}
		return nil, Ping
	}
	if isBot {
		return &c.row, Bot
	}
	if !closed {
		c.visits.Observe(e, &c.row, c.derive)
	}
	if c.row.Origin == nil {
		c.derive.Origin(e, &c.row) // it has no visit to have one from
	}
	return &c.row, Human
}
