package emit

import (
	"context"
)

// writer is the goroutine between the queue and the sink, of one Run.
type writer struct {
	c      *Consumer
	queue  *queue
	pulse  *pulse
	failed error // of the sink; no batch after it is written
}

// run writes what gathers in the queue until the queue is closed and empty, and returns the sink's
// error.
func (w *writer) run() error {
	for {
		batch := w.queue.take()
		if len(batch) == 0 {
			return w.failed
		}
		w.write(batch)
		w.queue.release(batch)
	}
}

// write writes a batch and finishes its records. A record whose partition is taken away is given up
// and the others go on, unless the sink wants to finish. After an error of the sink every record is
// finished with that error, which stops the processor and commits nothing.
func (w *writer) write(batch []*item) {
	for {
		if !w.c.intake.Finish {
			batch = dropDead(batch)
		}
		if len(batch) == 0 {
			return
		}
		err := w.failed
		if err == nil {
			ctx, cancel := w.scope(batch)
			err = w.writeOnce(ctx, batch)
			lost := ctx.Err() != nil
			cancel()
			if err != nil && lost {
				continue
			}
			w.failed = err
		}
		for _, it := range batch {
			it.finish(err)
		}
		return
	}
}

// scope returns the context that a batch is written in.
func (w *writer) scope(batch []*item) (context.Context, context.CancelFunc) {
	if w.c.intake.Finish {
		return context.WithCancel(context.Background())
	}
	return whileAll(batch)
}

func (w *writer) writeOnce(ctx context.Context, batch []*item) error {
	b := Batch{Fence: w.pulse.check}
	for _, it := range batch {
		b.Windows = append(b.Windows, it.windows...)
		if it.progress != nil {
			b.Progress = append(b.Progress, *it.progress)
		}
	}
	stale, err := w.c.opts.Sink.WriteBatch(ctx, b)
	if err != nil {
		return err
	}
	w.c.counts.windows.Add(uint64(len(b.Windows) - stale))
	w.c.counts.stale.Add(uint64(stale))
	w.c.counts.progress.Add(uint64(len(b.Progress)))
	w.c.counts.batches.Add(1)
	return nil
}

// dropDead gives up the items whose partition was taken away.
func dropDead(batch []*item) []*item {
	var alive []*item
	for _, it := range batch {
		if it.ctx.Err() != nil {
			it.finish(errGivenUp)
			continue
		}
		alive = append(alive, it)
	}
	return alive
}

// whileAll returns a context that ends as soon as that of one of the items does.
func whileAll(batch []*item) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	seen := map[context.Context]bool{}
	var stops []func() bool
	for _, it := range batch {
		if !seen[it.ctx] { // a partition has one
			seen[it.ctx] = true
			stops = append(stops, context.AfterFunc(it.ctx, cancel))
		}
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
