package visit

import "millrace/engine/event"

// ahead is the memory of Ahead.
type ahead struct {
	slots []int32
	dims  []ref
	sum   uint32 // of what was read, so that it is
}

// Ahead reads what Observe will look at for the events that come next. It changes nothing.
//
// A table is much larger than the processor's caches, and an event's visit lies in four places, each found by the one
// before. Looked up event by event each is waited for by itself; in loops that do nothing else the processor
// fetches those of many events together.
func (t *Table) Ahead(events []event.Event) {
	a := &t.ahead
	a.slots, a.dims = a.slots[:0], a.dims[:0]
	s := t.latest
	for i := range events {
		e := &events[i]
		if s == nil || s.name != e.Site {
			if s = t.names[e.Site]; s == nil {
				continue
			}
		}
		if first := s.visitors[e.Visitor]; first != 0 {
			a.slots = append(a.slots, first)
		}
	}
	for _, i := range a.slots {
		a.dims = append(a.dims, t.visits.at(i).dims)
	}
	for _, r := range a.dims {
		if b := t.arena.get(r); len(b) > 0 {
			a.sum += uint32(b[len(b)-1])
		}
	}
}
