package dedup

import "millrace/engine/event"

// ahead is the memory of Ahead.
type ahead struct {
	places []int
	sum    uint64 // of what was read, so that it is
}

// Ahead reads what Add will look at for the events that come next. It changes nothing. The table is much larger than the
// processor's caches: looked up event by event each place is waited for by itself, in a loop of nothing else many together.
func (s *Set) Ahead(events []event.Event) {
	a := &s.ahead
	a.places = a.places[:0]
	for i := range events {
		if e := &events[i]; e.ID != "" {
			_, h, _ := hashes(e.Site, e.ID, e.Received)
			a.places = append(a.places, s.ids.home(h))
		}
	}
	for _, i := range a.places {
		a.sum += s.ids.slots[i]
	}
}
