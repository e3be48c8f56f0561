package visit

import "millrace/engine/event"

// ahead is the memory of Ahead.
type ahead struct {
	sites  []*site // of the events
	next   int     // of the sites: that of the event which is looked for next
	hashes []uint32
	slots  []int32
	refs   []ref
	sum    uint64 // of what was read, so that it is
}

// Ahead reads what Observe will look at for the events that come next. It changes nothing.
//
// A table is much larger than the processor's caches, and an event's visit lies in four places, each found by the one
// before. Looked up event by event each is waited for by itself; in loops that do nothing else the processor
// fetches those of many events together.
func (t *Table) Ahead(events []event.Event) {
	a := &t.ahead
	a.sites, a.hashes, a.slots, a.refs = a.sites[:0], a.hashes[:0], a.slots[:0], a.refs[:0]
	a.next = 0
	s := t.latest
	for i := range events {
		e := &events[i]
		if s == nil || s.name != e.Site {
			if s = t.names[e.Site]; s == nil {
				continue
			}
		}
		if e.Visitor != 0 {
			a.note(s, e.Visitor)
		}
	}
	a.readPlaces()
	for i, s := range a.sites {
		if slot := s.visitors.guess(a.hashes[i]); slot != 0 {
			a.slots = append(a.slots, slot)
		}
	}
	for _, i := range a.slots {
		v := t.visits.at(i)
		a.refs = append(a.refs, v.dims)
		if v.exitPage != 0 {
			a.refs = append(a.refs, v.exitPage)
		}
	}
	for _, r := range a.refs {
		if b := t.arena.get(r); len(b) > 0 {
			a.sum += uint64(b[len(b)-1])
		}
	}
}

// site returns the site of a name if it is that of the event ahead, or of one of those right after it: some events have
// no part in visits.
func (a *ahead) site(name string) *site {
	const skipped = 3
	for i := a.next; i < min(a.next+1+skipped, len(a.sites)); i++ {
		if s := a.sites[i]; s.name == name && s.number >= 0 {
			a.next = i + 1
			return s
		}
	}
	return nil
}

// note adds a visitor to those whose places will be read.
func (a *ahead) note(s *site, v event.Visitor) {
	a.sites = append(a.sites, s)
	a.hashes = append(a.hashes, s.visitors.spread.hash(v))
}

func (a *ahead) readPlaces() {
	for i, s := range a.sites {
		a.sum += s.visitors.places[a.hashes[i]>>s.visitors.shift]
	}
}
