package influx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"golang.org/x/sync/errgroup"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
)

// Group is the consumer group of the Emitter, Topic what it reads.
const (
	Group goka.Group  = "millrace.emit-influx"
	Topic goka.Stream = "millrace.windows"
)

// EmitterOptions says how an Emitter reads.
type EmitterOptions struct {
	// Brokers are Kafka's bootstrap addresses. Required.
	Brokers []string
	// Goka are the processor's options. They must make commits wait for the contiguous prefix of finished records.
	Goka []goka.ProcessorOption
	// Sink writes. Required.
	Sink *Sink
	// Linger is how long the first window of a batch waits for others. Default 50 ms; it adds to the delay of
	// every number, and saves requests: a tick fires all its windows within a few ms.
	Linger time.Duration
	// MaxPending bounds the windows that have been read and not been written, in bytes of records. Default 32 MiB:
	// eight full requests, so that reading goes on during a write. One record may be larger.
	MaxPending int64
}

// Emitter is the goka processor that writes the topic millrace.windows to a Sink.
//
// A record goes from goka's partition goroutine into a queue; one goroutine takes what has gathered, writes it in one
// go, and then finishes the records, which lets goka commit them. So memory stays bounded when InfluxDB is away for
// hours: the queue holds MaxPending bytes, then goka's partition goroutine blocks in the callback, goka's channel
// (10 records) and Sarama's (256, and a fetch of each partition) fill up, and nothing more is fetched. Heartbeats
// are Sarama's own goroutine's, so that the group does not take a blocked member for dead.
type Emitter struct {
	opts EmitterOptions
}

// NewEmitter returns an Emitter. It makes no connection yet.
func NewEmitter(o EmitterOptions) (*Emitter, error) {
	var errs []error
	if len(o.Brokers) == 0 {
		errs = append(errs, errors.New("influx emitter: no brokers"))
	}
	if o.Sink == nil {
		errs = append(errs, errors.New("influx emitter: no sink"))
	}
	if o.Linger < 0 || o.MaxPending < 0 {
		errs = append(errs, errors.New("influx emitter: negative bound"))
	}
	def(&o.Linger, 50*time.Millisecond)
	def(&o.MaxPending, 32<<20)
	return &Emitter{opts: o}, errors.Join(errs...)
}

// Run reads and writes until ctx ends, and returns nil then. It may be called again after an error, by one goroutine at
// a time.
//
// A rebalance that finds unwritten windows ends Run with an error, for goka knows no other way to give up a record
// without committing it: Run is to be called again, and goes on at the commit.
func (e *Emitter) Run(ctx context.Context) error {
	q := newQueue(e.opts.MaxPending)
	p := newPulse()
	opts := append([]goka.ProcessorOption{goka.WithNilHandling(goka.NilProcess)}, e.opts.Goka...)
	opts = append(opts, goka.WithRebalanceCallback(func(goka.Assignment) {
		p.reset()
		// Only the end of ctx can stop it, which ends the processor too.
		_ = e.opts.Sink.Forget(ctx)
	}))
	graph := goka.DefineGroup(Group,
		goka.Input(Topic, new(codec.Bytes), func(c goka.Context, msg any) { e.consume(q, c, msg) }),
		goka.Output(deadletter.Topic, new(codec.Bytes)))
	proc, err := goka.NewProcessor(e.opts.Brokers, graph, opts...)
	if err != nil {
		return fmt.Errorf("start %s: %w", Group, err)
	}
	// The processor is first to end: its partitions wait for the records they have handed out, which the writer
	// gives back as soon as their contexts are done. Then nothing comes into the queue any more.
	side, stop := context.WithCancel(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error { p.run(side); return nil })
	g.Go(func() error { e.write(side, q, p); return nil })
	err = proc.Run(ctx)
	stop()
	_ = g.Wait()
	if ctx.Err() != nil {
		return nil // records given up on the way out are errors to goka
	}
	if err == nil {
		err = errors.New("ended by itself")
	}
	return fmt.Errorf("run %s: %w", Group, err)
}

// consume takes one record. What can't be decoded becomes a dead letter; goka finishes the record when that is
// acknowledged.
func (e *Emitter) consume(q *queue, c goka.Context, msg any) {
	value, _ := msg.([]byte)
	it, err := decodeItem(value)
	if err != nil {
		e.opts.Sink.opts.Log.Warn("window set aside", "topic", c.Topic(), "partition", c.Partition(), "offset", c.Offset(), "reason", err)
		l := deadletter.Letter{
			Topic: string(c.Topic()), Partition: c.Partition(), Offset: c.Offset(), Reason: err.Error(), Key: c.Key(), Value: value,
		}
		c.Emit(deadletter.Topic, event.Key(c.Partition()), l.Append(nil))
		return
	}
	it.ctx, it.done = c.Context(), c.DeferCommit()
	if !q.put(it) {
		it.done(errGivenUp)
	}
}

var errGivenUp = errors.New("given up unwritten, to be read again")

func decodeItem(value []byte) (*item, error) {
	rec, err := window.Decode(value)
	if err != nil {
		return nil, err
	}
	if rec.Window != nil {
		if err := checkWindow(rec.Window); err != nil {
			return nil, err
		}
	}
	return &item{size: int64(len(value)), window: rec.Window, progress: rec.Progress}, nil
}

// write writes what gathers in the queue until ctx ends.
func (e *Emitter) write(ctx context.Context, q *queue, p *pulse) {
	for {
		batch := q.take(ctx, e.opts.Linger, int64(e.opts.Sink.opts.MaxBytes))
		if len(batch) == 0 {
			q.close()
			return
		}
		e.writeBatch(batch, p)
		q.release(batch)
	}
}

// writeBatch writes a batch and finishes its records. A record whose partition is taken away is given up, unwritten
// or not; the others go on.
func (e *Emitter) writeBatch(batch []*item, p *pulse) {
	for {
		batch = dropDead(batch)
		if len(batch) == 0 {
			return
		}
		ctx, cancel := whileAll(batch)
		err := e.writeOnce(ctx, batch, p)
		lost := ctx.Err() != nil
		cancel()
		if err != nil && lost {
			continue
		}
		for _, it := range batch {
			it.done(err)
		}
		return
	}
}

func (e *Emitter) writeOnce(ctx context.Context, batch []*item, p *pulse) error {
	var windows []*window.Window
	var progress []window.Progress
	for _, it := range batch {
		if it.window != nil {
			windows = append(windows, it.window)
		}
		if it.progress != nil {
			progress = append(progress, *it.progress)
		}
	}
	if len(windows) > 0 {
		if err := e.opts.Sink.writeLive(ctx, windows, p.check); err != nil {
			return err
		}
	}
	return e.opts.Sink.writeProgress(ctx, progress, p.check)
}
