package oracle

import "millrace/engine/event"

// Clock is the log's clock by its definition. The beat is what goes by in the log: as much as the
// largest low of all collectors does; while that stands, two seconds each time one of the others is
// the first to have come so far. The watermark is the least of the collectors' lows, without those
// that have been silent for too long by the beat. It never goes back.
type Clock struct {
	silentAfter     event.Time
	top             event.Time // the largest low
	beat, watermark event.Time
	heard           map[int]*heard
}

// NewClock returns a clock before the first record. A collector that is silent for longer than
// silentAfter no longer holds the watermark, which begins at from.
func NewClock(silentAfter, from event.Time) *Clock {
	return &Clock{silentAfter: silentAfter, watermark: from, heard: map[int]*heard{}}
}

// Watermark returns the event time up to which the log is complete.
func (c *Clock) Watermark() event.Time { return c.watermark }

// heard is what is known of a collector.
type heard struct {
	low    event.Time
	silent event.Time // for how much of the beat; a step counts as half of silentAfter at most
	gone   event.Time // how far its own clock has come since the beat moved
	fresh  bool       // it has been heard since then
	still  int        // ticks without a greater low
}

// Observe takes in the low of a record, which is a tick if it has no events.
func (c *Clock) Observe(collector int, low event.Time, tick bool) {
	h := c.heard[collector]
	if h == nil {
		h = &heard{low: low}
		c.heard[collector] = h
	}
	if low > h.low {
		h.still = 0
	} else if tick {
		h.still++
	}
	step := c.step(h, low, tick)
	h.low, h.silent = max(h.low, low), 0
	least, allStand := c.top, true
	for id, o := range c.heard {
		if o.silent > c.silentAfter {
			delete(c.heard, id)
			continue
		}
		least, allStand = min(least, o.low), allStand && o.still > 1
	}
	if allStand {
		least = min(least, c.watermark+step)
	}
	c.watermark = max(c.watermark, least)
}

// step moves the beat and returns by how much.
func (c *Clock) step(h *heard, low event.Time, tick bool) event.Time {
	first := c.beat == 0
	step := max(0, low-c.top)
	c.top += step
	if first {
		c.beat, step = c.top, 0
	}
	if step == 0 {
		if h.fresh {
			h.gone += max(0, min(low-h.low, 24*event.Hour))
			if low <= h.low && tick && h.still > 1 {
				h.gone += event.Second
			}
		}
		h.fresh = true
		if step = h.gone; step < 2*event.Second {
			return 0
		}
	}
	step = min(step, 24*event.Hour)
	c.beat += step
	for _, o := range c.heard {
		o.silent += min(step, c.silentAfter/2)
		o.gone, o.fresh = 0, false
	}
	h.fresh = true
	return step
}
