package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/wire"
)

// Counters account for every event of the partition since its log began: OnTime + Late + Dropped + Duplicates + Bots +
// Pings = Events. Dead counts records.
type Counters struct {
	Records    uint64 // records read, ticks and dead ones included
	Events     uint64 // events read
	OnTime     uint64 // counted before their window was final
	Late       uint64 // counted after, within the lateness
	Dropped    uint64 // past the lateness: in the lake, not in their window
	Bots       uint64 // taken for bots, whenever they came
	Duplicates uint64 // with the id of one before
	Dead       uint64 // records that could not be read
	Pings      uint64 // no events, but tracker's reports on a view that goes on, whoever sent them and whenever they came
}

// meta is the core's state besides its windows. It travels whole in every delta.
type meta struct {
	last       int64      // offset of the last record
	logTime    event.Time // the largest low seen
	beat       event.Time // the log's clock, see step
	watermark  event.Time // never goes back
	lastTimer  event.Time // beat at the last timer step
	lastEarly  event.Time // beat at the last early firing
	announced  event.Time // last progress announced
	finals     event.Time // minutes that start before it are final, though not all of them may have fired; never goes back
	firedTo    event.Time // hours that were due until then have fired
	firedSite  string     // and those due a millisecond later, of sites up to this one
	closed     event.Time // minutes that start before it have closed; never goes back
	counters   Counters
	collectors []collector // in order of first appearance
}

// collector is the writer of some of the partition's records.
type collector struct {
	id   string
	low  event.Time
	seen event.Time // beat at its last record
	lap  event.Time // how far its clock has come since the beat moved; unmarked if it has written nothing since
	// still is the number of ticks since its low moved, up to 2. One there is where a tick follows
	// a batch in the same millisecond; of two the clock was ahead and has been set right, and the
	// low stands until the time comes that it has promised.
	still uint64
}

func (c *collector) stands() bool { return c.still == 2 }

// unmarked is the lap of a collector that has not been heard since the beat moved.
const unmarked event.Time = -1

// errMeta says that a stored meta is not readable; the state is of another version or damaged.
var errMeta = errors.New("malformed core state")

// Version 2 had no closed, and up to version 3 all that was due fired at once: what was announced was final, and no hour was left
// over. Up to version 4 the log's clock was the largest low, and there were no pings.
const metaVersion = 5

func (m *meta) append(b []byte) []byte {
	b = append(b, metaVersion)
	for _, v := range [...]int64{m.last, int64(m.logTime), int64(m.watermark), int64(m.lastTimer), int64(m.lastEarly), int64(m.announced), int64(m.firedTo), int64(m.closed), int64(m.finals), int64(m.beat)} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(m.firedSite)))
	b = append(b, m.firedSite...)
	c := &m.counters
	for _, v := range [...]uint64{c.Records, c.Events, c.OnTime, c.Late, c.Dropped, c.Bots, c.Duplicates, c.Dead, c.Pings} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(m.collectors)))
	for i := range m.collectors {
		c := &m.collectors[i]
		b = binary.AppendUvarint(b, uint64(len(c.id)))
		b = append(b, c.id...)
		b = binary.AppendVarint(b, int64(c.low))
		b = binary.AppendVarint(b, int64(c.seen))
		b = binary.AppendVarint(b, int64(c.lap))
		b = binary.AppendUvarint(b, c.still)
	}
	return b
}

// decode reads what append wrote; an empty b is the state before the first record.
func (m *meta) decode(b []byte) error {
	*m = meta{last: delta.None}
	if len(b) == 0 {
		return nil
	}
	version := b[0]
	switch {
	case version > metaVersion:
		return fmt.Errorf("core state: %w", wire.Newer(int(version), 2, metaVersion))
	case version < 2:
		return fmt.Errorf("%w: version %d, this build has %d", errMeta, version, metaVersion)
	}
	r := wire.Reader{B: b[1:], Of: errMeta}
	at := func() event.Time { return event.Time(r.Varint()) }
	m.last = r.Varint()
	for _, t := range [...]*event.Time{&m.logTime, &m.watermark, &m.lastTimer, &m.lastEarly, &m.announced, &m.firedTo} {
		*t = at()
	}
	if version >= 3 {
		m.closed = at()
	}
	m.finals = m.announced
	m.beat = m.logTime
	if version >= 4 {
		m.finals = at()
		if version >= 5 {
			m.beat = at()
		}
		m.firedSite = string(r.Bytes())
	}
	c := &m.counters
	for _, v := range [...]*uint64{&c.Records, &c.Events, &c.OnTime, &c.Late, &c.Dropped, &c.Bots, &c.Duplicates, &c.Dead} {
		*v = r.Uvarint()
	}
	if version >= 5 {
		c.Pings = r.Uvarint()
	}
	for n := r.Uvarint(); n > 0 && r.Err == nil; n-- {
		c := collector{id: string(r.Bytes()), low: at(), seen: at(), lap: unmarked}
		if version >= 5 {
			c.lap, c.still = at(), r.Uvarint()
		}
		m.collectors = append(m.collectors, c)
	}
	if r.Err != nil || len(r.B) > 0 {
		return errMeta
	}
	return nil
}

// observe takes in the low watermark of a record, which is a tick if it has no events.
//
// A collector that has been silent for silentAfter by the log's clock no longer holds the watermark
// back, and is forgotten: should it come back, its old events are late. A new one does not pull the
// watermark back either.
//
// The archive (emit/lake, lows) has a rule of its own: its low is how far all events are archived,
// which may stand and go back; this one says when windows fire, and may do neither.
func (m *meta) observe(id string, low event.Time, tick bool, silentAfter event.Time) {
	ahead := max(0, low-m.logTime)
	m.logTime += ahead
	if m.beat == 0 {
		m.beat, ahead = m.logTime, 0
	}
	i := slices.IndexFunc(m.collectors, func(c collector) bool { return c.id == id })
	if i < 0 {
		i = len(m.collectors)
		m.collectors = append(m.collectors, collector{id: strings.Clone(id), low: low, lap: unmarked})
	}
	c := &m.collectors[i]
	switch {
	case low > c.low:
		c.still = 0
	case tick:
		c.still = min(c.still+1, 2)
	}
	lap := m.step(c, low, ahead, tick, silentAfter)
	c.low, c.seen = max(c.low, low), m.beat
	m.watermark = max(m.watermark, m.least(lap, silentAfter))
}

// least forgets the silent collectors and returns the least low of the others. Where the low of
// each of them stands none of them knows better than to go on from the watermark by the lap of the
// beat: what they have promised is as far ahead as their clocks were.
func (m *meta) least(lap, silentAfter event.Time) event.Time {
	live := m.collectors[:0]
	least, stand := m.logTime, true
	for _, c := range m.collectors {
		if m.beat-c.seen > silentAfter {
			continue
		}
		live = append(live, c)
		least = min(least, c.low)
		stand = stand && c.stands()
	}
	m.collectors = live
	if stand {
		least = min(least, m.watermark+lap)
	}
	return least
}

const (
	// mostStep bounds what a record moves the beat by.
	mostStep = 24 * event.Hour
	// leastLap is how far the clock of a collector that is not the first has to come before it
	// moves the beat: longer than what lies between two ticks of the first.
	leastLap = 2 * event.Second
)

// step moves the beat, the clock by which windows fire and collectors are taken for silent. It goes
// by as much as the largest low does. While that stands the other collectors move it: the one whose
// low is the first to have come two seconds further since the beat moved last. A tick of one that
// stands is worth a second, because ticks come once a second. It returns by how much the beat has
// moved.
//
// The largest low alone will not do. Once a collector that is an hour ahead is set right, it stands
// for an hour, in which nothing would fire. And a step takes no other collector for silent, however
// long it is, because one whose clock jumps would make the events of all others late: for that a
// step counts as half of silentAfter at most.
func (m *meta) step(c *collector, low, ahead event.Time, tick bool, silentAfter event.Time) event.Time {
	lap := ahead
	if ahead == 0 {
		switch {
		case c.lap == unmarked:
			c.lap = 0
		case low > c.low:
			c.lap += max(0, min(low-c.low, mostStep)) // below 0 it is past what fits
		case tick && c.stands():
			c.lap += event.Second
		}
		if lap = c.lap; lap < leastLap {
			return 0
		}
	}
	lap = min(lap, mostStep, math.MaxInt64-m.beat)
	m.beat += lap
	for i := range m.collectors {
		m.collectors[i].lap = unmarked
		m.collectors[i].seen += max(0, lap-silentAfter/2)
	}
	c.lap = 0
	return lap
}
