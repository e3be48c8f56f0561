package chaos

import (
	"millrace/engine/event"
	"millrace/engine/window"
)

// windowKey names a window.
type windowKey struct {
	kind  window.Kind
	site  string
	start event.Time
}

// recount counts a log as it is written. It keeps the events and folds them when it is asked.
type recount struct {
	work    Workload
	limit   int // values of a family and window
	sites   []string
	parts   []lane
	windows map[windowKey][]counted // of minutes
	hours   map[windowKey]bool
	tours   map[tourist][]*tour
	seen    map[uint32]event.Time // when an event that may come again was counted
	ends    []int64               // records of each partition
	dead    []map[int64]bool
	last    event.Time // log time reached
}

// counted is an event in its window.
type counted struct {
	made
	class class
	// origin is the event that gives the visit's dimensions as they were when this one was counted, nil without a visit.
	origin *made
}

type class uint8

const (
	human class = iota
	bot
	dropped
)

// lane is what the rules of time know of a partition.
type lane struct {
	counters  tally
	logTime   event.Time
	watermark event.Time
	lows      map[int]*low
}

type low struct{ at, seen event.Time }

// tally accounts for the events of a partition.
type tally struct {
	Records, Events, OnTime, Late, Dropped, Bots, Duplicates, Dead uint64
}

func (t *tally) add(o tally) {
	t.Records += o.Records
	t.Events += o.Events
	t.OnTime += o.OnTime
	t.Late += o.Late
	t.Dropped += o.Dropped
	t.Bots += o.Bots
	t.Duplicates += o.Duplicates
	t.Dead += o.Dead
}

// The engine's rules of time, at their defaults.
const (
	grace       = 2 * event.Second
	silentAfter = 10 * event.Second
	limit       = 500
)

func newRecount(w Workload) *recount {
	r := &recount{work: w, limit: limit, windows: map[windowKey][]counted{}, hours: map[windowKey]bool{}, tours: map[tourist][]*tour{}, seen: map[uint32]event.Time{}, ends: make([]int64, w.Partitions)}
	r.sites, _ = w.siteTable()
	for range w.Partitions {
		r.parts = append(r.parts, lane{lows: map[int]*low{}})
		r.dead = append(r.dead, map[int64]bool{})
	}
	return r
}

// add counts the next record of the log.
func (r *recount) add(rec *record) {
	l := &r.parts[rec.partition]
	offset := r.ends[rec.partition]
	r.ends[rec.partition]++
	r.last = max(r.last, rec.now)
	l.counters.Records++
	if rec.poison {
		l.counters.Dead++
		r.dead[rec.partition][offset] = true
		return
	}
	for i := range rec.events {
		r.event(l, &rec.events[i])
	}
	l.observe(rec.collector, rec.low)
}

// event puts an event into its window.
func (r *recount) event(l *lane, e *made) {
	n := &l.counters
	n.Events++
	e.order = uint32(n.Events)
	c := counted{made: *e}
	start := e.time / event.Minute * event.Minute
	past := l.watermark > 0 && start < (l.watermark-r.work.Lateness)/event.Minute*event.Minute
	switch {
	case r.again(e):
		n.Duplicates++
		return
	case agents[e.agent].bot != "":
		n.Bots++
		c.class = bot
		if past {
			return
		}
	case past:
		n.Dropped++
		c.class = dropped
		start = l.watermark / event.Minute * event.Minute
	case start+event.Minute+grace <= l.watermark:
		n.Late++
	default:
		n.OnTime++
	}
	if c.class == human {
		c.origin = r.visit(e)
	}
	k := windowKey{window.Minute, r.sites[e.site], start}
	r.windows[k] = append(r.windows[k], c)
	r.hours[windowKey{window.Hour, k.site, start / event.Hour * event.Hour}] = true
}

// horizon is how long an id is known; no event is sent again between two minutes before and after that (writer.again).
const horizon = 10 * event.Minute

// again reports whether an event has been counted lately. Of an event and its twin the one that comes first in the log
// counts, whichever was made first.
func (r *recount) again(e *made) bool {
	if !e.twin {
		return false
	}
	if at, ok := r.seen[e.number]; ok && e.received-at < horizon {
		return true
	}
	r.seen[e.number] = e.received
	return false
}

// observe is the rule of the watermark: the least of what the collectors say, of those that were heard lately; it never
// goes back.
func (l *lane) observe(collector int, at event.Time) {
	l.logTime = max(l.logTime, at)
	c := l.lows[collector]
	if c == nil {
		c = &low{}
		l.lows[collector] = c
	}
	c.at, c.seen = max(c.at, at), l.logTime
	least := l.logTime
	for id, c := range l.lows {
		if l.logTime-c.seen > silentAfter {
			delete(l.lows, id)
			continue
		}
		least = min(least, c.at)
	}
	l.watermark = max(l.watermark, least)
}

// records is how many there are.
func (r *recount) records() int64 {
	n := int64(0)
	for _, e := range r.ends {
		n += e
	}
	return n
}

// total is the tally of all partitions.
func (r *recount) total() tally {
	var t tally
	for i := range r.parts {
		t.add(r.parts[i].counters)
	}
	return t
}
