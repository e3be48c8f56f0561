package emit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"golang.org/x/sync/errgroup"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// Topic is what a Consumer reads.
const Topic = window.Topic

// Options of a Consumer.
type Options struct {
	// Sink stores the windows. Required.
	Sink Sink
	// Brokers are Kafka's bootstrap addresses. Required.
	Brokers []string
	// Goka are the processor's options. They must make commits wait for the contiguous prefix of
	// finished records.
	Goka []goka.ProcessorOption
	// Before, if set, is called first in each Run. Its error ends Run.
	Before func(ctx context.Context) error
	// Names are what Topic, deadletter.Topic and the sink's group are called in Kafka.
	Names kafka.Names
	// Log takes what an operator should know. Required.
	Log *slog.Logger
}

// Stats counts since the Consumer was made.
type Stats struct {
	Windows uint64 // written
	Stale   uint64 // left out, because a newer version was stored, or waited to be
	// Superseded were left out because the window fired again before they were written.
	Superseded uint64
	Progress   uint64 // written
	Batches    uint64
	Dead       uint64 // records that became dead letters
}

// Consumer is the goka processor that brings the topic millrace.windows into a Sink.
//
// A record goes from goka's partition goroutine into a queue; one goroutine takes what has
// gathered, writes it in one go, and then finishes the records, which lets goka commit them. Of
// several firings of a window that have gathered it writes the newest alone, so that a sink that has
// fallen behind catches up in windows, however often each has fired. Memory stays bounded when the sink is away for hours: the queue holds MaxPending bytes, then
// goka's partition goroutine blocks in the callback, goka's channel (10 records) and Sarama's (256,
// and a fetch of each partition) fill up, and nothing more is fetched. Heartbeats are Sarama's own
// goroutine's, so that the group does not take a blocked member for dead.
type Consumer struct {
	opts   Options
	intake Intake

	counts counts
}

// counts are what Stats is made of.
type counts struct {
	windows, stale, superseded, progress, batches, dead atomic.Uint64
}

// New returns a Consumer. It makes no connection yet.
func New(o Options) (*Consumer, error) {
	var errs []error
	if len(o.Brokers) == 0 {
		errs = append(errs, errors.New("emit: no brokers"))
	}
	if o.Log == nil {
		errs = append(errs, errors.New("emit: no log"))
	}
	if o.Sink == nil {
		return nil, errors.Join(append(errs, errors.New("emit: no sink"))...)
	}
	c := &Consumer{opts: o, intake: o.Sink.Intake()}
	if c.intake.Group != "" {
		c.intake.Group = o.Names.Of(c.intake.Group)
	}
	if i := c.intake; i.Group == "" || i.MaxPending <= 0 || i.MaxBytes < 0 || i.MaxRecords < 0 || i.Linger < 0 {
		errs = append(errs, fmt.Errorf("emit: intake of the sink: no group, or a bound that is none: %+v", i))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// Stats returns the counters as they are now.
func (c *Consumer) Stats() Stats {
	n := &c.counts
	return Stats{
		Windows: n.windows.Load(), Stale: n.stale.Load(), Superseded: n.superseded.Load(), Progress: n.progress.Load(),
		Batches: n.batches.Load(), Dead: n.dead.Load(),
	}
}

// Run reads and writes until ctx ends, and returns nil then, unless the sink failed. It may be
// called again after an error, by one goroutine at a time.
//
// A rebalance that finds unwritten windows ends Run with an error, except for a sink with
// Intake.Finish: goka knows no other way to give up a record without committing it. Run is to be
// called again, and goes on at the commit.
func (c *Consumer) Run(ctx context.Context) error {
	if c.opts.Before != nil {
		if err := c.opts.Before(ctx); err != nil {
			return err
		}
	}
	w := &writer{c: c, queue: newQueue(c.intake, &c.counts), pulse: newPulse()}
	proc, err := c.processor(ctx, w)
	if err != nil {
		return fmt.Errorf("start %s: %w", c.intake.Group, err)
	}
	// The processor is first to end: its partitions wait for the records they have handed out,
	// which the writer writes, or gives back as soon as their contexts are done. Then nothing comes
	// into the queue any more.
	side, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var g errgroup.Group
	g.Go(func() error { w.pulse.run(side); return nil })
	g.Go(w.run)
	err = proc.Run(ctx)
	w.queue.close()
	stop()
	failed := g.Wait()
	switch {
	case failed != nil:
		err = failed // goka passes on only the text of it
	case ctx.Err() != nil:
		if err != nil { // records that were given up on the way out, or connections that were closing
			c.opts.Log.Debug("stopped", "group", c.intake.Group, "err", err)
		}
		return nil
	case err == nil:
		err = errors.New("ended by itself")
	}
	return fmt.Errorf("run %s: %w", c.intake.Group, err)
}

func (c *Consumer) processor(ctx context.Context, w *writer) (*goka.Processor, error) {
	opts := append([]goka.ProcessorOption{goka.WithNilHandling(goka.NilProcess)}, c.opts.Goka...)
	opts = append(opts, goka.WithRebalanceCallback(func(goka.Assignment) {
		w.pulse.reset()
		c.opts.Sink.Rebalanced(ctx)
	}))
	graph := goka.DefineGroup(goka.Group(c.intake.Group),
		goka.Input(goka.Stream(c.opts.Names.Of(Topic)), new(codec.Bytes), func(ctx goka.Context, msg any) { c.consume(w.queue, ctx, msg) }),
		goka.Output(c.letters(), new(codec.Bytes)))
	return goka.NewProcessor(c.opts.Brokers, graph, opts...)
}

// letters returns the topic of dead letters.
func (c *Consumer) letters() goka.Stream { return goka.Stream(c.opts.Names.Of(deadletter.Topic)) }

// consume takes one record, on the goroutine of the record's partition.
func (c *Consumer) consume(q *queue, ctx goka.Context, msg any) {
	value, _ := msg.([]byte)
	rec, err := c.decode(value)
	if err != nil {
		c.bury(ctx, value, err)
		return
	}
	it := &item{ctx: ctx.Context(), done: []func(error){ctx.DeferCommit()}, size: int64(len(value)), progress: rec.Progress}
	if rec.Window != nil {
		it.windows = []*window.Window{rec.Window}
	}
	if !q.put(it) {
		it.finish(errGivenUp)
	}
}

func (c *Consumer) decode(value []byte) (window.Record, error) {
	rec, err := window.Decode(value)
	if err == nil && rec.Window != nil {
		err = c.opts.Sink.CheckWindow(rec.Window)
	}
	return rec, err
}

// bury puts a record into the dead letters; goka finishes it when the letter is acknowledged.
func (c *Consumer) bury(ctx goka.Context, value []byte, reason error) {
	c.counts.dead.Add(1)
	c.opts.Log.Warn("window set aside", "topic", ctx.Topic(), "partition", ctx.Partition(), "offset", ctx.Offset(), "reason", reason)
	l := deadletter.Letter{
		Topic: string(ctx.Topic()), Partition: ctx.Partition(), Offset: ctx.Offset(),
		Reason: reason.Error(), Key: ctx.Key(), Value: value,
	}
	ctx.Emit(c.letters(), event.Key(ctx.Partition()), l.Append(nil))
}
