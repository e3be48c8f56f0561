package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
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
// A record carries low: the collector promises that no event it adds to this partition behind that record was
// received before low. The proof is in one lock and one number. Time is read only through clock, under mu, and
// never steps back, even if the wall clock does. An event gets its receive time from clock and its place in the open batch
// under the same hold of mu. A batch gets its low from clock when it is sealed, and is handed to the client under
// the same hold of mu. So an event that is added after a record was sealed reads clock later and gets low or more,
// and it goes into a record that is handed over later. The client keeps the order of hand-overs: it is idempotent,
// and a broker takes a producer's records of a partition in sequence or not at all. A record that fails takes its low
// with it; those behind it say no less.
//
// A request that waits for its acknowledgement does not hold low back, because its events are in a record already,
// in front of the ones that will carry a higher low. And low says nothing of event times that trusted callers
// give: such an event may be late, and the engine has rules for late events.
//
// A collector that restarts with its clock set back sends a lower low than before; the engine takes the highest
// that a collector said.
type partition struct {
	c   *Collector
	out producer
	id  int32
	key []byte

	// ticking is 1 while a tick is unacknowledged: while Kafka is away ticks must not pile up.
	ticking atomic.Bool

	mu     sync.Mutex // guards the fields below and the order of TryProduce
	last   event.Time // the last reading of clock
	open   *batch     // nil if there is no event
	linger *time.Timer
	closed bool
	id64   [maxID]byte // room for a generated id
}

// batch is the events of one record. Its done is closed when the record is acknowledged, has failed or has taken too long;
// err may be read then.
type batch struct {
	events []byte // JSON joined by commas
	n      int
	timer  *time.Timer

	done     chan struct{}
	finished atomic.Bool
	err      error
}

// finish may be called by the timer, which may not look at b.timer: nothing orders that behind its setting.
func (b *batch) finish(err error) {
	if b.finished.CompareAndSwap(false, true) {
		b.err = err
		close(b.done)
	}
}

func newPartition(c *Collector, id int32) *partition {
	p := &partition{c: c, out: c.client, id: id, key: []byte(event.Key(id))}
	p.linger = time.AfterFunc(time.Hour, p.flush)
	p.linger.Stop()
	return p
}

// clock returns the time; it never steps back. REQUIRES: p.mu.
func (p *partition) clock() event.Time {
	p.last = max(p.last, event.TimeOf(p.c.now()))
	return p.last
}

// add puts an event into the open batch, sets its receive time, and its event time and id where it has none, and
// returns the batch to wait for. Everything is copied. The caller has reserved in.mostBytes; cost of that now belongs to the
// record and is given back with it.
func (p *partition) add(in *Input) (b *batch, cost int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, 0, errClosed
	}
	if b = p.open; b == nil {
		b, cost = p.newBatch(), recordOverhead
	}
	in.Received = p.clock()
	if in.Time == 0 {
		in.Time = in.Received
	}
	if in.ID == "" {
		in.ID = view(p.c.ids.append(p.id64[:0]))
	}
	before := len(b.events)
	if b.n > 0 {
		b.events = append(b.events, ',')
	}
	b.events = in.Append(b.events)
	b.n++
	cost += len(b.events) - before
	in.ID = "" // it may be a view of p.id64
	if b.n >= p.c.opts.MaxRecordEvents || len(b.events) >= p.c.opts.MaxRecordBytes {
		p.seal()
	}
	return b, cost, nil
}

func (p *partition) newBatch() *batch {
	b := &batch{events: p.c.buffers.get(), done: make(chan struct{})}
	b.timer = time.AfterFunc(p.c.opts.AckTimeout, func() { b.finish(errAckTimeout) })
	p.open = b
	p.linger.Reset(p.c.opts.Linger)
	return b
}

// seal hands the open batch to the client. REQUIRES: p.mu and p.open != nil.
func (p *partition) seal() {
	b := p.open
	p.open = nil
	p.linger.Stop()
	p.c.metrics.recordEvents.Observe(float64(b.n))
	value := slices.Grow(p.c.buffers.get(), len(b.events)+128)
	value = event.AppendEnvelope(value, p.c.opts.CollectorID, p.clock(), b.events)
	p.c.metrics.recordBytes.Observe(float64(len(value)))
	cost := int64(len(b.events) + recordOverhead)
	p.c.buffers.put(b.events)
	b.events = nil
	p.produce(value, func(err error) {
		p.c.pending.give(cost)
		if err == nil {
			// A failed record may still be in the client's hands, in a request that was given up.
			p.c.buffers.put(value)
		}
		b.timer.Stop()
		b.finish(err)
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
	value := event.AppendEnvelope(nil, p.c.opts.CollectorID, p.clock(), nil)
	p.produce(value, func(error) { p.ticking.Store(false) })
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
func (p *partition) produce(value []byte, done func(error)) {
	r := &kgo.Record{Topic: p.c.opts.Topic, Partition: p.id, Key: p.key, Value: value}
	p.out.TryProduce(context.Background(), r, func(_ *kgo.Record, err error) {
		if err != nil {
			p.c.failed(p.id, err)
		}
		done(err)
	})
}
