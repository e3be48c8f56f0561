package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
	"millrace/internal/deadletter"
)

// Group is the consumer group of the Emitter, Topic what it reads.
const (
	Group = "millrace.emit-local"
	Topic = "millrace.windows"
)

// maxBatch is the largest number of records in one batch of the store: thousands of points, some megabytes. The
// disk's time to sync is what fills a batch; while nothing is behind, batches have one record.
const maxBatch = 256

// EmitterOptions of an Emitter. All but Rewind and Logger are required.
type EmitterOptions struct {
	Store   *Store
	Brokers []string
	// Goka are the options of the processor: hasher, commits over the contiguous prefix of finished records.
	Goka []goka.ProcessorOption
	// Rewind makes the group begin with the oldest record again. It is called once for a new Store: what the group has
	// committed is in the store that was there before.
	Rewind func(ctx context.Context) error
	Logger *slog.Logger
}

// EmitterStats counts since the Emitter was made.
type EmitterStats struct {
	Windows  uint64 // written
	Stale    uint64 // ignored, because a newer version was stored
	Progress uint64 // written
	Batches  uint64
	Dead     uint64 // records that could not be read
}

// Emitter moves fired windows from the topic into a Store.
type Emitter struct {
	opts                                    EmitterOptions
	input                                   chan item
	windows, stale, progress, batches, dead atomic.Uint64
}

// item is a record on its way to the store.
type item struct {
	rec  window.Record
	done func(error) // finishes the record in Kafka
}

// NewEmitter returns an Emitter that does nothing yet.
func NewEmitter(o EmitterOptions) *Emitter {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Emitter{opts: o}
}

// Stats returns the counters as they are now.
func (e *Emitter) Stats() EmitterStats {
	return EmitterStats{
		Windows: e.windows.Load(), Stale: e.stale.Load(), Progress: e.progress.Load(),
		Batches: e.batches.Load(), Dead: e.dead.Load(),
	}
}

// Run consumes until ctx is done, which is a clean stop: what has been read is written and committed. It may be
// called again after an error.
func (e *Emitter) Run(ctx context.Context) error {
	if err := e.rewind(ctx); err != nil {
		return fmt.Errorf("begin a new rollup store: %w", err)
	}
	e.input = make(chan item, maxBatch)
	graph := goka.DefineGroup(goka.Group(Group),
		goka.Input(goka.Stream(Topic), new(codec.Bytes), e.process),
		goka.Output(goka.Stream(deadletter.Topic), new(codec.Bytes)))
	opts := append([]goka.ProcessorOption{goka.WithNilHandling(goka.NilProcess)}, e.opts.Goka...)
	proc, err := goka.NewProcessor(e.opts.Brokers, graph, opts...)
	if err != nil {
		return fmt.Errorf("make processor %s: %w", Group, err)
	}
	var writer sync.WaitGroup
	var writeErr error
	writer.Go(func() { writeErr = e.write(context.WithoutCancel(ctx)) })
	err = proc.Run(ctx)
	close(e.input) // no callback runs any more
	writer.Wait()
	if ctx.Err() != nil && writeErr == nil {
		if err != nil { // of connections that were closing; what is not committed comes again
			e.opts.Logger.Debug("stopped", "group", Group, "err", err)
		}
		return nil
	}
	if err := errors.Join(err, writeErr); err != nil {
		return fmt.Errorf("run %s: %w", Group, err)
	}
	return nil
}

// rewind begins with the oldest window that Kafka still has if the store is a new one. Windows that replay has put
// there meanwhile are not undone: their versions tell.
func (e *Emitter) rewind(ctx context.Context) error {
	if e.opts.Rewind == nil {
		return nil
	}
	emitted, err := e.opts.Store.Emitted()
	if err != nil || emitted {
		return err
	}
	if err := e.opts.Rewind(ctx); err != nil {
		return err
	}
	return e.opts.Store.MarkEmitted()
}

// process takes one record of the topic. It runs on the goroutine of the record's partition.
func (e *Emitter) process(ctx goka.Context, msg any) {
	value, _ := msg.([]byte)
	rec, err := window.Decode(value)
	if err == nil {
		err = checkSketches(rec.Window)
	}
	if err != nil {
		e.bury(ctx, value, err)
		return
	}
	e.input <- item{rec, ctx.DeferCommit()} // the writer drains it until Run has ended
}

// checkSketches tells whether readers will be able to unite the sketches of w, which may be nil: one that they can't
// would fail every question about its minute.
func checkSketches(w *window.Window) error {
	if w == nil {
		return nil
	}
	var s sketch.Sketch
	for i := range w.Points {
		p := &w.Points[i]
		s.Reset()
		if err := s.MergeBinary(p.Sketch); err != nil {
			return fmt.Errorf("sketch of %s %q: %w", p.Family, p.Dims, err)
		}
	}
	return nil
}

// bury puts a record into the dead letters; goka finishes it once that is acknowledged.
func (e *Emitter) bury(ctx goka.Context, value []byte, reason error) {
	e.dead.Add(1)
	e.opts.Logger.Warn("window set aside", "topic", ctx.Topic(), "partition", ctx.Partition(), "offset", ctx.Offset(), "reason", reason)
	l := deadletter.Letter{
		Topic: string(ctx.Topic()), Partition: ctx.Partition(), Offset: ctx.Offset(),
		Reason: reason.Error(), Key: ctx.Key(), Value: value,
	}
	ctx.Emit(goka.Stream(deadletter.Topic), event.Key(ctx.Partition()), l.Append(nil))
}

// write puts into one batch what is at hand, until the input is closed. It never waits for a batch to fill. After an
// error it finishes every record with that error, which stops the processor and commits nothing.
func (e *Emitter) write(ctx context.Context) error {
	var failed error
	batch := make([]item, 0, maxBatch)
	for first := range e.input {
		batch = e.gather(append(batch[:0], first))
		if failed == nil {
			failed = e.flush(ctx, batch)
		}
		for i := range batch {
			batch[i].done(failed)
		}
		clear(batch)
	}
	return failed
}

// gather adds what is in the input already.
func (e *Emitter) gather(batch []item) []item {
	for len(batch) < maxBatch {
		select {
		case it, ok := <-e.input:
			if !ok {
				return batch
			}
			batch = append(batch, it)
		default:
			return batch
		}
	}
	return batch
}

// flush writes windows and progress as one batch of the store: progress never gets ahead of its windows.
func (e *Emitter) flush(ctx context.Context, batch []item) error {
	var ws []*window.Window
	var ps []window.Progress
	for i := range batch {
		if w := batch[i].rec.Window; w != nil {
			ws = append(ws, w)
		} else {
			ps = append(ps, *batch[i].rec.Progress)
		}
	}
	stale, err := e.opts.Store.apply(ctx, ws, live, ps)
	if err != nil {
		return err
	}
	e.windows.Add(uint64(len(ws) - stale))
	e.stale.Add(uint64(stale))
	e.progress.Add(uint64(len(ps)))
	e.batches.Add(1)
	return nil
}
