package query

import (
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// Pings tell how far a page was scrolled and how long it was looked at. Both are of a visit and a row: the greatest of the depths,
// and all of the time; a row shows the means over the visits that have told.

// pingKey names a visit in a group.
type pingKey struct {
	group     uint32
	partition int32
	visit     visit.ID
}

// pinged is what a visit has told in a group.
type pinged struct {
	scroll  event.Percent // the greatest
	engaged event.Time
}

func (p pinged) join(o pinged) pinged { return pinged{max(p.scroll, o.scroll), p.engaged + o.engaged} }

// ping adds what a visit has told.
func (c *counts) ping(p pinged) {
	if n, ok := p.scroll.Value(); ok {
		c.scroll += n
		c.scrolled++
	}
	if p.engaged > 0 {
		c.engaged += int64(p.engaged)
		c.lingered++
	}
}

// maxPinged bounds the visits of all groups together: some 200 MB.
const maxPinged = 3 << 20

// pings takes the pings of a block.
func (w *hitWorker) pings(b hits.Block) error {
	c := w.c
	in, err := b.Of(hits.Ping)
	if err != nil {
		return err
	}
	if in, err = c.timed(b, in); err != nil || isNone(in) {
		return err
	}
	v := &evaluator{cols: b, hit: b, visits: b.Visits, dones: c.dones, exits: c.exits, words: len(in)}
	pass, err := v.node(c.tree.root, in)
	if err != nil || isNone(pass) {
		return err
	}
	if err := w.place(v, b.Times, pass); err != nil {
		return err
	}
	ids, err := b.Visits()
	if err != nil {
		return err
	}
	engaged, err := b.Engaged()
	if err != nil {
		return err
	}
	scrolls, err := b.Scrolls()
	if err != nil {
		return err
	}
	for i, g := range w.group {
		row := w.rows[i]
		if ids[row] == 0 {
			continue
		}
		k := pingKey{g, b.Partition(), ids[row]}
		w.pinged[k] = w.pinged[k].join(pinged{scrolls[row], engaged[row]})
	}
	if len(w.pinged) > maxPinged/len(c.workers) {
		return invalid("Invalid metrics %q: so many visits can't be looked at together: shorten date_range, filter, or ask for fewer dimensions.", c.e.q.first(pingMetrics))
	}
	return nil
}
