package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/wire"
)

// LedgerOptions are the options of a Ledger.
type LedgerOptions struct {
	// Topic and Partition name the log.
	Topic     string
	Partition int32
	// Rules are those that the stream counts by. REQUIRES: Validate returns nil.
	Rules Rules
	// Deriver finds out what is counted of an event. It belongs to the Ledger.
	Deriver Deriver
}

// Ledger reads a partition's log as a Core does, with the same code, and makes hits of it (package hits) in the place of windows:
// of each event that is counted one, with its row, its minute and its visit. It has no clock and does no I/O, and belongs to
// one goroutine. It keeps its state in checkpoints.
//
//	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: 3, Rules: rules, Deriver: enrich.New(…)})
//	err := l.Load(checkpoints) // none at the beginning of the log
//	for … {
//		err := l.Step(offset, value, sink) // calls sink.Hit, sink.Join, sink.Visit
//	}
//	checkpoint := l.Checkpoint(nil) // with each segment
type Ledger struct {
	reading
	o    LedgerOptions
	sink hits.Sink // of the Step under way
	at   int64     // offset of its record
	hit  hits.Hit
	// Since the last checkpoint.
	prev     int64  // its last record
	ids      []byte // journals of ids
	lastIDs  int64  // the last record that is in them, or delta.None
	seenFrom int64  // since the beginning
}

// NewLedger returns a Ledger before its first record.
func NewLedger(o LedgerOptions) *Ledger {
	l := &Ledger{reading: newReading(o.Rules, o.Deriver), o: o}
	l.clear()
	l.visits.Watch((*watcher)(l))
	return l
}

func (l *Ledger) clear() {
	l.reading.clear(visit.NewTable(l.rules.Visits()))
	l.visits.Watch(nil)
	l.prev, l.ids, l.lastIDs, l.seenFrom = delta.None, l.ids[:0], delta.None, 0
}

// Last returns the offset of the last record, or delta.None.
func (l *Ledger) Last() int64 { return l.meta.last }

// ErrOrder is wrapped by the error of Ledger.Step for a record that is not after the last.
var ErrOrder = errors.New("record out of order")

// Step takes the next record of the log and gives s what comes of it. An error that wraps ErrOrder means that nothing was done;
// any other that the record can't be read: there are no hits of it, and the engine puts it among the dead letters.
func (l *Ledger) Step(offset int64, value []byte, s hits.Sink) error {
	if offset <= l.meta.last {
		return l.outOfOrder(offset)
	}
	dead := l.decode(value)
	l.step(offset, dead, s)
	return dead
}

// StepDecoded is Step for a caller who has decoded the record: into env, or dead says why that was not possible. env is read during the
// call only. The error is dead, or wraps ErrOrder.
func (l *Ledger) StepDecoded(offset int64, env *event.Envelope, dead error, s hits.Sink) error {
	if offset <= l.meta.last {
		return l.outOfOrder(offset)
	}
	own := l.env // whose memory the next record is decoded into
	l.env = *env
	l.decoded(dead)
	l.step(offset, dead, s)
	l.env = own
	return dead
}

func (l *Ledger) outOfOrder(offset int64) error {
	return fmt.Errorf("%s, partition %d: %w: offset %d after %d", l.o.Topic, l.o.Partition, ErrOrder, offset, l.meta.last)
}

// step takes the record in env.
func (l *Ledger) step(offset int64, dead error, s hits.Sink) {
	l.sink, l.at = s, offset
	if dead == nil {
		l.count()
		l.visits.EndRecord()
		l.moveOn()
	}
	l.sink = nil
	journal, from := l.seen.Flush(offset)
	if len(journal) > 0 {
		l.ids = binary.AppendUvarint(l.ids, uint64(offset))
		l.ids = binary.AppendUvarint(l.ids, uint64(len(journal)))
		l.ids = append(l.ids, journal...)
		l.lastIDs = offset
	}
	l.seenFrom = max(l.seenFrom, from)
	l.meta.last = offset
}

// count makes the hits of the record.
func (l *Ledger) count() {
	horizon := l.horizon()
	l.counter.Ahead(l.env.Events)
	for i := range l.env.Events {
		e := &l.env.Events[i]
		l.visits.Name(visit.IDOf(l.at, i))
		start, row, verdict, taken := l.next(e, horizon)
		h := &l.hit
		*h = hits.Hit{Topic: l.o.Topic, Partition: l.o.Partition, Offset: l.at, Index: int32(i), Minute: start}
		if !l.counter.Hit(h, e, row, verdict, taken) {
			continue
		}
		l.sink.Hit(h)
	}
}

// watcher is how a Ledger hears of visits.
type watcher Ledger

func (w *watcher) Joined(j visit.Join) {
	w.sink.Join(hits.Join{Offset: w.at, Visit: j.Visit, Into: j.Into, Site: j.Site, Visitor: j.Visitor, Begin: j.Begin})
}

func (w *watcher) Ended(v *visit.Visit) { w.sink.Visit(v) }

// A checkpoint is the version (1 byte), the last record of the checkpoint before, the last of this one, the last with ids
// (varints), seenFrom (uvarint), the time after which its visits have ended, the watermark (varints), and with their lengths (uvarint) before them
// the meta of the core, the ids and the visits. The ids are the journals of package dedup, each with its offset and its length
// (uvarints) before it.
const checkpointVersion = 1

// ErrCheckpoint is wrapped by the errors of Load.
var ErrCheckpoint = errors.New("malformed checkpoint of a log's reading")

// Head is what the beginning of a checkpoint holds.
type Head struct {
	// Prev is the last record of the checkpoint before, Last that of this one.
	Prev, Last int64
	// IDs is the last record of which there are ids in it, or delta.None.
	IDs int64
	// SeenFrom is the first record of which ids are remembered.
	SeenFrom int64
	// Until is the watermark from which on no visit in it is alive.
	Until event.Time
	// Watermark is that after Last.
	Watermark event.Time
}

// Checkpoint appends what has changed since the checkpoint before, and ends it. It is a function of the log and of where it
// was cut into checkpoints before. All that Needed keeps are what Load wants.
func (l *Ledger) Checkpoint(dst []byte) []byte {
	visits, until := l.visits.Checkpoint(nil)
	dst = append(dst, checkpointVersion)
	dst = binary.AppendVarint(dst, l.prev)
	dst = binary.AppendVarint(dst, l.meta.last)
	dst = binary.AppendVarint(dst, l.lastIDs)
	dst = binary.AppendUvarint(dst, uint64(l.seenFrom))
	dst = binary.AppendVarint(dst, int64(until))
	dst = binary.AppendVarint(dst, int64(l.meta.watermark))
	for _, b := range [...][]byte{l.meta.append(nil), l.ids, visits} {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	l.prev, l.ids, l.lastIDs = l.meta.last, l.ids[:0], delta.None
	return dst
}

// ReadHead reads the head of a checkpoint.
func ReadHead(checkpoint []byte) (Head, error) {
	r := wire.Reader{B: checkpoint, Of: ErrCheckpoint}
	h := readHead(&r)
	return h, r.Err
}

func readHead(r *wire.Reader) (h Head) {
	switch version := r.Byte(); {
	case r.Err != nil:
		return h
	case version > checkpointVersion:
		r.Err = fmt.Errorf("%w: %w", ErrCheckpoint, wire.Newer(int(version), checkpointVersion, checkpointVersion))
	case version < checkpointVersion:
		r.Fail(fmt.Sprintf("unknown version %d", version))
	}
	h.Prev, h.Last, h.IDs, h.SeenFrom = r.Varint(), r.Varint(), r.Varint(), int64(r.Uvarint())
	h.Until, h.Watermark = event.Time(r.Varint()), event.Time(r.Varint())
	if r.Err == nil && (h.Prev < delta.None || h.Last < h.Prev || h.IDs < delta.None || h.IDs > h.Last || h.SeenFrom < 0) {
		r.Fail("bad offsets")
	}
	return h
}

// Needed returns which of the checkpoints of a log, in its order, Load needs to go on after the last: those with ids that are
// remembered, those with visits that may be alive, and the last. REQUIRES: those that were not needed before are not given.
func Needed(heads []Head) []bool {
	need := make([]bool, len(heads))
	for i := range heads {
		last := heads[len(heads)-1]
		need[i] = i == len(heads)-1 || heads[i].IDs >= last.SeenFrom || heads[i].Until >= last.Watermark
	}
	return need
}

// Load goes on where the last of the checkpoints was made: of those that Needed keeps, or more, in the order of the log. None
// is the beginning of the log. After an error the Ledger is unusable.
func (l *Ledger) Load(checkpoints [][]byte) error {
	l.clear()
	if err := l.load(checkpoints); err != nil {
		return fmt.Errorf("%s, partition %d: %w", l.o.Topic, l.o.Partition, err)
	}
	l.visits.Expire(l.meta.watermark)
	l.visits.Watch((*watcher)(l))
	return nil
}

func (l *Ledger) load(checkpoints [][]byte) (err error) {
	var meta []byte
	for _, b := range checkpoints {
		if meta, err = l.apply(b); err != nil {
			return err
		}
	}
	if err := l.loadMeta(meta); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return nil
}

// apply takes over the ids and visits of a checkpoint, and returns its meta.
func (l *Ledger) apply(checkpoint []byte) (meta []byte, err error) {
	r := wire.Reader{B: checkpoint, Of: ErrCheckpoint}
	h := readHead(&r)
	meta = r.Bytes()
	ids, visits := r.Bytes(), r.Bytes()
	switch {
	case r.Err == nil && len(r.B) > 0:
		r.Fail("bytes left over")
	case r.Err == nil && h.Last < l.prev:
		r.Fail(fmt.Sprintf("it ends at record %d, and one before it at %d", h.Last, l.prev))
	}
	if r.Err != nil {
		return nil, r.Err
	}
	if err := l.visits.Apply(visits); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	for r = (wire.Reader{B: ids, Of: ErrCheckpoint}); len(r.B) > 0; {
		offset, journal := int64(r.Uvarint()), r.Bytes()
		if r.Err != nil {
			return nil, r.Err
		}
		if err := l.seen.Apply(offset, journal); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
	}
	l.prev, l.seenFrom = h.Last, max(l.seenFrom, h.SeenFrom)
	return meta, nil
}
