package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"millrace/engine/delta"
	"millrace/engine/event"
)

// Counters account for every event of the partition since its log began: OnTime + Late + Dropped + Duplicates + Bots =
// Events. Dead counts records.
type Counters struct {
	Records    uint64 // records read, ticks and dead ones included
	Events     uint64 // events read
	OnTime     uint64 // counted before their window was final
	Late       uint64 // counted after, within the lateness
	Dropped    uint64 // past the lateness: in the lake, not in their window
	Bots       uint64 // taken for bots, whenever they came
	Duplicates uint64 // with the id of one before
	Dead       uint64 // records that could not be read
}

// meta is the core's state besides its windows. It travels whole in every delta.
type meta struct {
	last       int64      // offset of the last record
	logTime    event.Time // the largest low seen: the log's clock
	watermark  event.Time // never goes back
	lastTimer  event.Time // log time of the last timer step
	lastEarly  event.Time // log time of the last early firing
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
	seen event.Time // log time of its last record
}

// errMeta says that a stored meta is not readable; the state is of another version or damaged.
var errMeta = errors.New("malformed core state")

// Version 2 had no closed, and up to version 3 all that was due fired at once: what was announced was final, and no hour was left
// over.
const metaVersion = 4

func (m *meta) append(b []byte) []byte {
	b = append(b, metaVersion)
	for _, v := range [...]int64{m.last, int64(m.logTime), int64(m.watermark), int64(m.lastTimer), int64(m.lastEarly), int64(m.announced), int64(m.firedTo), int64(m.closed), int64(m.finals)} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(m.firedSite)))
	b = append(b, m.firedSite...)
	c := &m.counters
	for _, v := range [...]uint64{c.Records, c.Events, c.OnTime, c.Late, c.Dropped, c.Bots, c.Duplicates, c.Dead} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(m.collectors)))
	for i := range m.collectors {
		c := &m.collectors[i]
		b = binary.AppendUvarint(b, uint64(len(c.id)))
		b = append(b, c.id...)
		b = binary.AppendVarint(b, int64(c.low))
		b = binary.AppendVarint(b, int64(c.seen))
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
	if version > metaVersion || version < metaVersion-2 {
		return fmt.Errorf("%w: version %d, this build has %d", errMeta, version, metaVersion)
	}
	b = b[1:]
	ok := true
	varint := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			ok = false
			return 0
		}
		b = b[n:]
		return v
	}
	uvarint := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			ok = false
			return 0
		}
		b = b[n:]
		return v
	}
	text := func() string {
		n := uvarint()
		if n > uint64(len(b)) {
			ok = false
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	m.last = varint()
	for _, t := range [...]*event.Time{&m.logTime, &m.watermark, &m.lastTimer, &m.lastEarly, &m.announced, &m.firedTo} {
		*t = event.Time(varint())
	}
	if version >= 3 {
		m.closed = event.Time(varint())
	}
	m.finals = m.announced
	if version >= 4 {
		m.finals, m.firedSite = event.Time(varint()), text()
	}
	c := &m.counters
	for _, v := range [...]*uint64{&c.Records, &c.Events, &c.OnTime, &c.Late, &c.Dropped, &c.Bots, &c.Duplicates, &c.Dead} {
		*v = uvarint()
	}
	for n := uvarint(); n > 0 && ok; n-- {
		m.collectors = append(m.collectors, collector{id: text(), low: event.Time(varint()), seen: event.Time(varint())})
	}
	if !ok || len(b) > 0 {
		return errMeta
	}
	return nil
}

// observe takes in the low watermark of a record and returns the partition's new watermark.
//
// A collector that has been silent for silentAfter of the log's time no longer holds the watermark back, and is
// forgotten: should it come back, its old events are late. A new one does not pull the watermark back either.
func (m *meta) observe(id string, low, silentAfter event.Time) {
	m.logTime = max(m.logTime, low)
	found := false
	for i := range m.collectors {
		if c := &m.collectors[i]; c.id == id {
			c.low, c.seen, found = max(c.low, low), m.logTime, true
		}
	}
	if !found {
		m.collectors = append(m.collectors, collector{id: strings.Clone(id), low: low, seen: m.logTime})
	}
	live := m.collectors[:0]
	least := m.logTime
	for _, c := range m.collectors {
		if m.logTime-c.seen > silentAfter {
			continue
		}
		live = append(live, c)
		least = min(least, c.low)
	}
	m.collectors = live
	m.watermark = max(m.watermark, least)
}
