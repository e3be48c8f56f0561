package visit

import (
	"math"

	"millrace/engine/event"
)

// place returns the visit that takes an event, 0 if it must begin one. The visit may have been merged of two for it, or
// re-keyed from the visitor's hash of the day before. Of a ping it is a visit that began before.
func (t *Table) place(s *site, visitor, prev event.Visitor, at event.Time, ping bool) int32 {
	if i, other := t.taker(t.first(s, visitor), at); i != 0 {
		if ping && t.visits.at(i).first > at {
			return 0
		}
		t.merge(s, i, other)
		return i
	}
	if prev == 0 || prev == visitor {
		return 0
	}
	i, other := t.taker(t.first(s, prev), at)
	if i == 0 || ping && t.visits.at(i).first > at {
		return 0
	}
	lo, hi := t.visits.at(i).reach(at)
	if other != 0 {
		hi = t.visits.at(other).last()
	}
	if !t.clear(s, visitor, at, lo, hi) {
		return 0
	}
	t.merge(s, i, other)
	t.rekey(s, i, visitor)
	return i
}

// clear makes room among a visitor's visits for another one, from lo to hi, that has just taken an event: two visits of a
// visitor are never closer than the timeout, unless together they would be too long. It reports whether there is room. A visit
// before the event ends and takes no more events, which it may have done already (Expire); a visit after it stays.
func (t *Table) clear(s *site, visitor event.Visitor, at, lo, hi event.Time) bool {
	for i := t.first(s, visitor); i != 0; i = t.visits.at(i).next {
		if v := t.visits.at(i); v.first > at && v.first-t.rules.Timeout <= hi {
			return false
		}
	}
	for i := t.first(s, visitor); i != 0; {
		v := t.visits.at(i)
		next := v.next
		if v.last() < at && lo <= v.last()+t.rules.Timeout {
			t.end(s, i).ended = true
		}
		i = next
	}
	return true
}

// taker returns the visit of a chain that takes an event: the one that holds its time, else the next one before or after
// it. If both may take it, other is the one after, to be merged into the one before; if the two were too
// long for that, the one before takes it alone.
func (t *Table) taker(head int32, at event.Time) (i, other int32) {
	var before, after int32
	for i := head; i != 0; {
		v := t.visits.at(i)
		if v.first > at {
			after = i
			break
		}
		before, i = i, v.next
	}
	if before != 0 && !t.takes(before, at) {
		before = 0
	}
	if after != 0 && !t.takes(after, at) {
		after = 0
	}
	switch {
	case before == 0:
		return after, 0
	case after == 0 || at <= t.visits.at(before).last() || t.visits.at(after).last()-t.visits.at(before).first > t.rules.MaxLength:
		return before, 0
	}
	return before, after
}

// takes reports whether an event may be one of a visit.
func (t *Table) takes(i int32, at event.Time) bool {
	v := t.visits.at(i)
	lo, hi := v.reach(at)
	return at >= v.first-t.rules.Timeout && at <= v.last()+t.rules.Timeout && (hi-lo <= t.rules.MaxLength || lo == v.first && hi == v.last())
}

// reach returns from when to when the visit would reach with an event.
func (v *visit) reach(at event.Time) (lo, hi event.Time) { return min(v.first, at), max(v.last(), at) }

// begin makes a visit for an event, which take then adds to it.
func (t *Table) begin(s *site, visitor event.Visitor, at event.Time) int32 {
	i := t.make(s, visitor, at, 0)
	t.touch(i)
	v := t.visits.at(i)
	v.entry = math.MaxUint32 // after any event
	t.touches[v.touch-1] = touch{slot: i, whole: true}
	return i
}

// make makes an empty visit and puts it into its visitor's chain.
func (t *Table) make(s *site, visitor event.Visitor, first event.Time, span uint32) int32 {
	i := t.visits.take()
	*t.visits.at(i) = visit{visitor: visitor, first: first, span: span, site: s.number}
	t.link(s, i)
	t.schedule(i)
	s.live++
	t.live++
	if t.naming != nil {
		t.naming.begin(i)
	}
	return i
}

// first returns a visitor's first visit, 0 if there is none.
func (t *Table) first(s *site, visitor event.Visitor) int32 {
	return s.visitors.first(&t.visits, visitor)
}

// link puts a visit into its visitor's chain.
func (t *Table) link(s *site, i int32) {
	v := t.visits.at(i)
	place := s.visitors.find(&t.visits, v.visitor)
	head := int32(s.visitors.places[place])
	if head == 0 || t.visits.at(head).first > v.first {
		if v.next = head; head != 0 {
			t.visits.at(head).flags |= follows
		}
		s.visitors.put(&t.visits, place, i)
		return
	}
	v.flags |= follows
	p := t.visits.at(head)
	for p.next != 0 && t.visits.at(p.next).first <= v.first {
		p = t.visits.at(p.next)
	}
	v.next, p.next = p.next, i
}

// unlink takes a visit out of its visitor's chain.
func (t *Table) unlink(s *site, i int32) {
	v := t.visits.at(i)
	switch {
	case v.flags&follows != 0:
		p := t.visits.at(t.first(s, v.visitor))
		for p.next != i {
			p = t.visits.at(p.next)
		}
		p.next = v.next
	case v.next != 0:
		t.visits.at(v.next).flags &^= follows
		s.visitors.put(&t.visits, s.visitors.find(&t.visits, v.visitor), v.next)
	default:
		s.visitors.remove(&t.visits, v.visitor)
	}
	v.next = 0
	v.flags &^= follows
}

// merge takes a later visit of the same visitor, if there is one, into a visit.
func (t *Table) merge(s *site, i, other int32) {
	if other == 0 {
		return
	}
	t.touch(i)
	v, o := t.visits.at(i), t.visits.at(other)
	t.touches[v.touch-1].whole = true
	shift := uint32(o.first - v.first)
	if o.views > 0 {
		page := t.exitPage(o)
		if v.views == 0 {
			t.setDimBytes(i, t.arena.get(o.dims), o.entry+shift)
		}
		t.setExitPage(i, page)
		v.exit = o.exit + shift
	}
	v.views += o.views
	v.flags |= o.flags & (interactive | pinged)
	v.span = o.span + shift
	if t.naming != nil {
		t.join(s, i, other)
	}
	t.end(s, other).gone = true
}

// end takes a visit out of the table. Its slot is free when the record is over.
func (t *Table) end(s *site, i int32) *touch {
	t.touch(i)
	t.unlink(s, i)
	s.live--
	t.live--
	return &t.touches[t.visits.at(i).touch-1]
}

// rekey gives a visit to another visitor of the site.
func (t *Table) rekey(s *site, i int32, visitor event.Visitor) {
	t.touch(i)
	v := t.visits.at(i)
	t.touches[v.touch-1].whole = true
	t.unlink(s, i)
	s.moved = append(s.moved, v.visitor)
	v.visitor = visitor
	t.link(s, i)
}

// drop forgets a visit. REQUIRES: the record has not touched it.
func (t *Table) drop(i int32) {
	v := t.visits.at(i)
	s := t.sites[v.site]
	t.unlink(s, i)
	t.arena.free(v.dims)
	t.arena.free(v.exitPage)
	t.visits.release(i)
	s.live--
	t.live--
}
