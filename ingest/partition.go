package ingest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/spool"
)

var (
	errAckTimeout = errors.New("kafka did not acknowledge in time")
	errClosed     = errors.New("the collector is closing")
)

// producer is the part of kgo.Client that a partition needs.
type producer interface {
	TryProduce(ctx context.Context, r *kgo.Record, promise func(*kgo.Record, error))
}

// partition collects the events of one partition into records and hands them to the client in order.
//
// # The low watermark
//
// A record carries low: the collector promises that no event it adds to this partition behind that
// record was received before low. The proof is in one lock and one clock. Time is read only through
// now, under mu. An event gets its receive time and its place in the open batch under the same hold
// of mu. A batch gets its low when it is sealed, and is handed to the client under the same hold of
// mu. So an event that is added after a record was sealed reads the clock later and gets low or
// more, and it goes into a record that is handed over later. The client keeps the order of
// hand-overs: it is idempotent, and a broker takes a producer's records of a partition in sequence
// or not at all. A record that fails takes its low with it; those behind it say no less.
//
// The promise rests on a clock that is not set back. Low never goes back, even if the clock does:
// it is the greatest reading so far. A clock that goes back by less than what leastStep calls a
// step is a clock that is being corrected, and an event then gets low as its time. Past that it has
// the true reading. One that is received while the clock is so far behind low breaks the promise as
// a trusted caller's time does, and the engine has rules for both: it goes by event times and the
// watermark, so the event is on time if other collectors hold the watermark back, late if not, and
// past the lateness dropped, counted and archived under its own minute. A time that is held up at
// low instead would be in a wrong minute for good: the archive has no other. The engine's clock
// goes on by ticks whose low stands; duplicates go by the greatest receive time. wallClock finds
// such a clock, names it, and makes the collector unready meanwhile.
//
// Events in the spool come behind records that are handed over now. Low is held back to the first of
// them until the last is acknowledged (hold). It does not move along as they are drained: other
// collectors compare their clocks with a low that moves, and pass over one that stands. A record
// that said more may have been written before Kafka went away; then the events are late, and counted
// in their minutes all the same.
//
// A request that waits for its acknowledgement does not hold low back, because its events are in a
// record already, in front of the ones that will carry a higher low.
//
// A collector that restarts with its clock set back sends a lower low than before; the engine takes
// the highest that a collector said.
type partition struct {
	c   *Collector
	out producer
	id  int32
	key []byte

	// ticking is 1 while a tick is unacknowledged: while Kafka is away ticks must not pile up.
	ticking atomic.Bool
	// away is set while the last record that is known of was not acknowledged; acked is the offset of
	// the last that was, -1 before there is one.
	away  atomic.Bool
	acked atomic.Int64

	mu      sync.Mutex // guards the fields below and the order of TryProduce
	lowest  event.Time // the last low, but for hold
	kept    int        // events in the spool, or on their way there
	hold    event.Time // the earliest receive time of those that were kept since there were none
	open    *batch     // nil if there is no event
	linger  *time.Timer
	closed  bool
	serials serials
	encoder event.Encoder                                // of the request that adds events
	id64    [protocol.MaxID + event.MaxRepeatPrefix]byte // room for a generated id
}

// batch is the events of one record. Its done is closed when the record is acknowledged, has failed or has taken too long;
// err may be read then.
type batch struct {
	record []byte // headRoom, and behind it the JSON of the events joined by commas
	n      int
	after  int64 // it comes behind this offset in the log, if it does
	timer  *time.Timer
	sealed []byte // the record once it is with the client
	notes  *notes // of the events of brief requests

	done     chan struct{}
	finished atomic.Bool
	err      error
}

// headRoom is how many bytes in front of a batch's events are kept free for the head of its envelope,
// which is known when it is sealed: so that the events are not copied. A head is shorter whatever the
// collector is called.
const headRoom = 128

// envelopeTail is how many bytes of an envelope are behind its events.
const envelopeTail = len("]}")

// eventBytes returns how many bytes the events have.
func (b *batch) eventBytes() int { return len(b.record) - headRoom }

// finish may be called by the timer, which may not look at b.timer: nothing orders that behind its
// setting. It reports whether it was the first.
func (b *batch) finish(c *Collector, err error) (first bool) {
	if !b.finished.CompareAndSwap(false, true) {
		return false
	}
	if b.err = err; err == nil {
		c.takenNotes(b.notes)
	}
	close(b.done)
	return true
}

func newPartition(c *Collector, id int32) *partition {
	p := &partition{c: c, out: c.client, id: id, key: []byte(event.Key(id))}
	p.acked.Store(spool.Start)
	p.linger = time.AfterFunc(time.Hour, p.flush)
	p.linger.Stop()
	return p
}

// low returns the promise for a record that is handed over now. REQUIRES: p.mu.
func (p *partition) low() event.Time {
	p.lowest = max(p.lowest, event.TimeOf(p.c.now()))
	low := p.lowest
	if p.kept > 0 {
		low = min(low, p.hold)
	}
	p.c.clock.promise(low)
	return low
}

// received returns the receive time of an event that is added now. REQUIRES: p.mu.
func (p *partition) received() event.Time {
	now := event.TimeOf(p.c.now())
	if back := p.lowest - now; back > 0 && back <= event.Time(leastStep.Milliseconds()) {
		return p.lowest
	}
	return now
}

// add puts those of the inputs of a request that are this partition's into its batches, in order, sets
// their receive times, and their event times and ids where they have none. The batches to wait for
// are in r, and which of them each input is in, or that it goes to the spool. Everything is copied.
// The caller has reserved recordOverhead + in.MostBytes() for each; cost of that now belongs to the
// records and is given back with them. It returns false if the collector is closing.
func (p *partition) add(inputs []protocol.Input, r *request) (cost int, ok bool) {
	spools := p.c.spools(r)
	spool := spools && p.away.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed && !spool {
		if spool = spools; !spool {
			return 0, false
		}
	}
	now := p.received()
	var b *batch // the last of r.batches, once there is one of this partition
	for i := range inputs {
		if r.partitions[i] != p.id {
			continue
		}
		in := &inputs[i]
		if spool {
			p.receive(in, now)
			p.holdBack(1, in.Received)
			r.of[i], r.spooled = toSpool, true
			continue
		}
		if p.open == nil {
			// A record may have been sealed since the clock was read: its low is later.
			now, cost = p.received(), cost+recordOverhead
			p.newBatch()
		}
		if b != p.open {
			b = p.open
			r.batches = append(r.batches, b)
		}
		r.of[i] = len(r.batches) - 1
		p.receive(in, now)
		from := len(b.record) + min(b.n, 1) // behind the comma
		if r.brief {
			cost += b.notes.add(&r.note, in)
		}
		n := p.append(in)
		cost, r.place = cost+n, place{b, from, from + n - min(from-headRoom, 1), p.id}
	}
	p.encoder.Reset() // it has views
	return cost, true
}

// append puts an event into the open batch, which it seals when that is full, and returns how many
// bytes it has there. REQUIRES: p.mu and p.open != nil.
func (p *partition) append(in *protocol.Input) int {
	b := p.open
	before := len(b.record)
	if b.n > 0 {
		b.record = append(b.record, ',')
	}
	b.record = p.c.appendEvent(b.record, &p.encoder, in, p.id64[:0])
	b.n++
	cost := len(b.record) - before
	if b.n >= p.c.opts.MaxRecordEvents || b.eventBytes() >= p.c.opts.MaxRecordBytes {
		p.seal()
	}
	return cost
}

// receive gives an event its receive time, and its event time and the number of its id where it has
// none. REQUIRES: p.mu, and that now is what p.received has returned since the last seal.
func (p *partition) receive(in *protocol.Input, now event.Time) {
	in.Received = now
	if in.Time == 0 {
		in.Time = now
	}
	if in.ID == "" {
		in.Serial = p.serials.next(&p.c.ids)
	}
	p.c.late.note(in.Site, in.Time, now)
}

// appendEvent appends the JSON of an event; room is for an id.
func (c *Collector) appendEvent(dst []byte, x *event.Encoder, in *protocol.Input, room []byte) []byte {
	if in.Serial == 0 {
		return x.Append(dst, &in.Event, in.Plain, in.PropsText)
	}
	in.ID = protocol.View(c.ids.append(room, in.Repeat, in.Serial))
	dst = x.Append(dst, &in.Event, in.Plain, in.PropsText)
	in.ID = "" // room is another event's next
	return dst
}

// newBatch opens a batch. REQUIRES: p.mu.
func (p *partition) newBatch() {
	b := &batch{record: append(p.c.buffers.get(), make([]byte, headRoom)...), notes: p.c.noted.get(), done: make(chan struct{}), after: p.acked.Load()}
	b.timer = time.AfterFunc(p.c.opts.AckTimeout, func() {
		p.setAway(true)
		b.finish(p.c, errAckTimeout)
	})
	p.open = b
	p.linger.Reset(p.c.opts.Linger)
}

// seal hands the open batch to the client. REQUIRES: p.mu and p.open != nil.
func (p *partition) seal() {
	b := p.open
	p.open = nil
	p.linger.Stop()
	p.c.metrics.recordEvents.Observe(float64(b.n))
	cost := int64(b.eventBytes() + b.notes.bytes() + recordOverhead)
	var room [headRoom]byte
	empty := event.AppendEnvelope(room[:0], p.c.opts.CollectorID, p.low(), nil)
	head, tail := empty[:len(empty)-envelopeTail], empty[len(empty)-envelopeTail:]
	whole := append(b.record, tail...)
	value := whole[headRoom-len(head):]
	copy(value, head)
	b.record, b.sealed = nil, whole
	p.c.metrics.recordBytes.Observe(float64(len(value)))
	p.produce(value, func(_ *kgo.Record, err error) {
		p.c.pending.give(cost)
		b.timer.Stop()
		if b.finish(p.c, err) && err == nil {
			// A failed record may still be in the client's hands, in a request that was given up; and one
			// that took too long in those of its requests.
			p.c.buffers.put(whole)
		}
		p.c.noted.put(b.notes)
	})
}

// flush seals the open batch when it has lingered. It may find the next batch instead of the one it was set for, which is
// then a little shorter.
func (p *partition) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != nil {
		p.seal()
	}
}

// tick sends an envelope without events behind everything added so far, unless the last one is still on its way.
func (p *partition) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.sendTick()
}

// sendTick REQUIRES: p.mu.
func (p *partition) sendTick() {
	if p.open != nil {
		p.seal()
	}
	if !p.ticking.CompareAndSwap(false, true) {
		return
	}
	value := event.AppendEnvelope(nil, p.c.opts.CollectorID, p.low(), nil)
	p.produce(value, func(*kgo.Record, error) { p.ticking.Store(false) })
}

// close refuses further events, seals what is open and sends a last tick.
func (p *partition) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.sendTick()
	p.linger.Stop()
}

// produce hands a record to the client. REQUIRES: p.mu, because order is all. The client calls done once, from a goroutine of
// its own or before TryProduce returns; done must not take p.mu.
func (p *partition) produce(value []byte, done func(*kgo.Record, error)) {
	r := &kgo.Record{Topic: p.c.opts.Topic, Partition: p.id, Key: p.key, Value: value}
	p.out.TryProduce(context.Background(), r, func(r *kgo.Record, err error) {
		refused := p.c.clock.acked(err)
		if err != nil {
			p.c.failed(p.id, err, refused)
		} else {
			p.c.health.acknowledged()
			p.acked.Store(max(r.Offset, p.acked.Load())) // in order, but for fakes and lost offsets
		}
		p.setAway(err != nil && !refused)
		done(r, err)
	})
}
