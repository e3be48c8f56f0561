package attack

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"millrace/bench"
	"millrace/bench/verify/oracle"
	"millrace/engine/event"
)

const (
	sites = 50
	// attackedSite is neither the largest nor the smallest.
	attackedSite = 10
	// before and after are how long the base log is alone.
	before, after = event.Minute, event.Minute
	// batch is the number of events of a record.
	batch = 200
)

// log is the log of one partition, a pure function of the options: the base's events, some of which
// come again with the same id up to nine minutes later; those of the attack between them, in the
// same records; ticks each second; and at the end ticks until everything has closed.
type log struct {
	o      Options
	attack bool // else its events are left out
	counts bool // else records have no events of the oracle's

	base  *bench.Workload
	again map[event.Time][]event.Event // by the second in which they come again
	rng   *rand.Rand                   // of the attack
	retry *rand.Rand

	second       event.Time // under way
	start, end   event.Time // of the base log
	next0        *event.Event
	offset       int64
	queue        []record
	text         []byte
	held, native int            // events of the record under way: in all, and in text
	events       []oracle.Event // of it
	made, total  int            // events
	sent         int            // of the attack
	closing      event.Time
}

// record is one of the log, and what the oracle is to know of it.
type record struct {
	offset     int64
	value      []byte // nil: nothing but the attack's
	tick, last bool   // last: of the attack
	low        event.Time
	events     []oracle.Event // of the attacked site
}

// newLog returns the log at its beginning. Without the attack its events only take their places,
// so that what comes after them has the same offset.
func newLog(o Options, attack bool) *log {
	length := before + o.Length + after
	l := &log{
		o: o, attack: attack,
		base: bench.NewWorkload(bench.WorkloadOptions{
			Seed: o.Seed, Sites: sites, Rate: float64(o.Base) / float64(length/event.Second),
		}),
		again: map[event.Time][]event.Event{},
		rng:   rand.New(rand.NewPCG(o.Seed, 0x61747461636b)), retry: rand.New(rand.NewPCG(o.Seed, 0x7265747279)),
		start: bench.DefaultStart, end: bench.DefaultStart + length, second: bench.DefaultStart, total: o.Base,
	}
	if attack {
		l.total += o.Events
	}
	l.next0 = l.base.Next()
	return l
}

// next returns the next record; false at the end.
func (l *log) next() (record, bool) {
	for len(l.queue) == 0 {
		switch {
		case l.second < l.end:
			l.fill()
		case l.closing < 17*event.Hour:
			// All closes: the windows of visits live for 14 hours after their quarter.
			l.closing += 5 * event.Minute
			l.tick(l.end + l.closing)
		default:
			return record{}, false
		}
	}
	rec := l.queue[0]
	l.queue = l.queue[1:]
	return rec, true
}

// fill makes the records of a second.
func (l *log) fill() {
	from, to := l.second, l.second+event.Second
	l.second = to
	begin := l.start + before
	due := 0
	if from >= begin && from < begin+l.o.Length {
		seconds := l.o.Length / event.Second
		i := (from - begin) / event.Second
		due = int(event.Time(l.o.Events)*(i+1)/seconds) - int(event.Time(l.o.Events)*i/seconds)
	}
	retries := l.again[from]
	delete(l.again, from)
	var list []event.Event
	for ; l.next0.Time < to; l.next0 = l.base.Next() {
		list = append(list, *l.next0)
		if l.retry.IntN(50) == 0 {
			at := from + event.Time(1+l.retry.IntN(9*60))*event.Second
			l.again[at] = append(l.again[at], *l.next0)
		}
	}
	for i := range retries {
		retries[i].Time, retries[i].Received = from, from
		l.add(&retries[i], true)
	}
	// The attack's events come between the others'.
	done := 0
	for i := range list {
		for ; done < due*i/len(list); done++ {
			l.assault(list[i].Time)
		}
		l.add(&list[i], true)
	}
	for ; done < due; done++ {
		l.assault(to - 1)
	}
	l.flush()
	l.tick(to)
	l.queue[len(l.queue)-1].last = to == begin+l.o.Length
}

// tick adds a record without events. Only ticks move the watermark, in both runs alike.
func (l *log) tick(low event.Time) {
	l.queue = append(l.queue, record{offset: l.offset, value: event.AppendEnvelope(nil, "bench", low, nil), tick: true, low: low})
	l.offset++
}

// assault makes one event of the attack.
func (l *log) assault(at event.Time) {
	n := l.rng.Uint64()
	l.sent++
	visitor := bench.Mix(n)
	if l.o.Visitors > 0 {
		visitor = bench.Mix(n%uint64(l.o.Visitors)) | 1<<63
	}
	site := bench.SiteName(attackedSite)
	if !l.attack {
		l.add(nil, false)
		return
	}
	l.add(&event.Event{
		ID: "a-" + strconv.FormatInt(int64(l.sent), 16), Site: site, Name: event.Pageview, Time: at, Received: at,
		Visitor: event.Visitor(visitor), URL: fmt.Sprintf("https://%s/%016x/%x", site, n, l.sent),
		UA: bench.UserAgent(n), Country: bench.Country(n >> 8),
		Language: bench.Language(0), Screen: bench.Screen(0), Client: "v1",
	}, true)
}

// add puts an event into the record under way; one that is not kept only takes its place.
func (l *log) add(e *event.Event, kept bool) {
	if kept {
		if l.native > 0 {
			l.text = append(l.text, ',')
		}
		l.text = e.Append(l.text)
		l.native++
		l.made++
		if l.counts && e.Site == bench.SiteName(attackedSite) {
			l.events = append(l.events, described(e))
		}
	}
	if l.held++; l.held == batch {
		l.flush()
	}
}

// flush ends the record under way. Its low is that of the tick before: only ticks move time on, in
// both runs alike.
func (l *log) flush() {
	if l.held == 0 {
		return
	}
	rec := record{offset: l.offset, low: l.second - event.Second, events: l.events}
	if l.native > 0 {
		rec.value = event.AppendEnvelope(nil, "bench", rec.low, l.text)
	}
	l.queue = append(l.queue, rec)
	l.offset++
	l.text, l.events, l.held, l.native = l.text[:0], nil, 0, 0
}
