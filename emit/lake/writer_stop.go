package lake

import (
	"context"
	"time"

	"github.com/lovoo/goka"
)

const (
	// catchUpTime is how long a sole archiver goes on reading once it is told to end, to get to the
	// end of the log.
	catchUpTime = 2 * time.Second
	// sealTime is how long it then tries to store what it has.
	sealTime = 4 * time.Second
)

// runToTheEnd runs a processor until ctx is done and what is in the log by then has been consumed.
func (a *Archiver) runToTheEnd(ctx context.Context, proc *goka.Processor) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	caughtUp := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(caughtUp)
		a.catchUp(inner)
		cancel()
	})
	err := proc.Run(inner)
	cancel()
	if !stop() {
		<-caughtUp
	}
	return err
}

// catchUp waits until all of the log has been consumed, catchUpTime is over, or ctx ends. Whatever
// writes to the log has been stopped before.
func (a *Archiver) catchUp(ctx context.Context) {
	if _, why := a.Waiting(); a.o.End == nil || why != nil {
		return // the store is away: what there is stays in the log
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for partition := range a.o.Partitions {
		end, err := a.o.End(ctx, partition)
		if err != nil {
			a.o.Log.Debug("find the end of the log", "partition", partition, "err", err)
			return
		}
		for a.partition(partition).taken.Load() < end {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
		}
	}
}

// seal stores the segments that are open, although they are not full, so that a stopped process has
// everything in its archive. The next start goes on behind them.
//
// A segment is then cut where the process was stopped, and not by what is in the log alone. That
// does no harm as long as there is no other owner: cut off before its progress is stored, the
// segment is read again, is cut further on, and its objects replace those that were left, because
// they have the same names, and all of them, because every hour of a segment's beginning is an hour
// of the segment.
//
// REQUIRES: no session runs.
func (a *Archiver) seal(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sealTime)
	defer cancel()
	for id := range a.o.Partitions {
		p := a.partition(id)
		if p.session == nil || p.expect <= p.done.NextOffset {
			continue
		}
		if err := p.flush(ctx); err != nil {
			a.o.Log.Warn("the open segment was not archived; its events are in the log, and are archived after the next start",
				"topic", a.o.Topic, "partition", id, "err", err)
			return
		}
	}
}
