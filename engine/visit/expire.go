package visit

import (
	"math"
	"slices"

	"millrace/engine/event"
	"millrace/engine/window"
)

// maxSpare is the number of lists of visits that are kept for their memory.
const maxSpare = 64

// expiring is the number of visits that are looked at ahead together.
const expiring = 128

func minuteOf(at event.Time) int32 { return int32(at.Floor(event.Minute) / event.Minute) }

// dueList holds the visits that may expire in a minute.
type dueList struct {
	minute int32
	slots  []int32
}

// schedule puts a visit under the minute in which it may expire.
func (t *Table) schedule(i int32) {
	v := t.visits.at(i)
	v.due = minuteOf(v.last() + t.rules.Timeout)
	list := t.lastDue
	if list == nil || list.minute != v.due {
		list = t.dueList(v.due)
		t.lastDue = list
	}
	list.slots = append(list.slots, i)
}

// dueList returns the list of a minute, made if there is none.
func (t *Table) dueList(minute int32) *dueList {
	list := t.due[minute]
	if list == nil {
		if n := len(t.spare); n > 0 {
			list, t.spare = t.spare[n-1], t.spare[:n-1]
		} else {
			list = &dueList{}
		}
		list.minute = minute
		t.due[minute] = list
	}
	return list
}

// Expire forgets the visits that no event can touch any more. It looks at the minute of the watermark only, and does nothing
// if that has not moved on: call it after each record, and once after the last Apply.
func (t *Table) Expire(watermark event.Time) {
	t.ExpireBefore((watermark - t.rules.Lateness).Floor(event.Minute))
}

// ExpireBefore forgets the visits that no event at or past an instant can touch, a whole minute.
func (t *Table) ExpireBefore(horizon event.Time) {
	if horizon <= t.horizon {
		return
	}
	t.horizon = horizon
	var minutes []int32
	for m := range t.due {
		if event.Time(m)*event.Minute < horizon {
			minutes = append(minutes, m)
		}
	}
	slices.Sort(minutes)
	for _, m := range minutes {
		list := t.due[m]
		delete(t.due, m)
		if t.lastDue == list {
			t.lastDue = nil
		}
		for part := range slices.Chunk(list.slots, expiring) {
			t.aheadOf(part)
			for _, i := range part {
				t.expire(i, m)
			}
		}
		if len(t.spare) < maxSpare {
			list.slots = list.slots[:0]
			t.spare = append(t.spare, list)
		}
	}
	if t.naming != nil {
		t.dropNamed()
	}
}

// aheadOf reads what expire will look at, as Ahead does: nobody has looked at these visits for an hour or more.
func (t *Table) aheadOf(list []int32) {
	a := &t.ahead
	a.sites, a.hashes, a.next = a.sites[:0], a.hashes[:0], 0
	for _, i := range list {
		a.sum += uint64(t.visits.at(i).due)
	}
	for _, i := range list {
		if v := t.visits.at(i); v.site >= 0 && v.last()+t.rules.Timeout < t.horizon {
			s := t.sites[v.site]
			a.note(s, v.visitor)
		}
	}
	a.readPlaces()
}

func (t *Table) expire(i, minute int32) {
	v := t.visits.at(i)
	if v.site < 0 || v.due != minute {
		return // the slot was freed since
	}
	if v.last()+t.rules.Timeout >= t.horizon {
		t.schedule(i)
		return
	}
	if t.naming != nil {
		t.naming.over = append(t.naming.over, i) // until all are known: see dropNamed
		return
	}
	t.forget(i)
}

// forget drops a visit, and its site if that was the last one.
func (t *Table) forget(i int32) {
	s := t.sites[t.visits.at(i).site]
	t.drop(i)
	if s.live == 0 {
		t.removeSite(s)
	}
}

// removeSite forgets a site without visits. What Checkpoint would have to say of it are visits that were there before and
// have become others that are no more: nobody who reads of the former keeps them longer than these.
func (t *Table) removeSite(s *site) {
	delete(t.names, s.name)
	t.sites[s.number] = nil
	t.unused = append(t.unused, s.number)
	s.number, s.dirty, s.gone = -1, nil, nil
	if t.latest == s {
		t.latest = nil
	}
}

// until returns when, in log time, no event can touch a visit any more whose last event is at a time.
func (t *Table) until(last event.Time) event.Time {
	return last + t.rules.Timeout + t.rules.Lateness + 2*event.Minute
}

// Until returns until when a checkpoint of a table with other rules is to be kept, at most, by what that said.
func (t *Table) Until(said event.Time) event.Time {
	if said == 0 {
		return 0
	}
	return t.until(said) // it said no earlier time than that of the last event
}

// Horizon returns the start of the oldest window of visits that records after the watermark may change.
func (t *Table) Horizon(watermark event.Time) event.Time {
	if watermark == 0 {
		return math.MinInt64 / 2
	}
	const slack = event.Minute // what is dropped is cut to minutes
	oldest := watermark - t.rules.Lateness - slack - t.rules.Timeout - t.rules.MaxLength
	return oldest.Floor(window.Visits.Length())
}
