package influx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/emit"
	"millrace/engine/event"
	"millrace/engine/window"
)

// Group is the consumer group that holds the offsets of a Sink.
const Group = "millrace.emit-influx"

// Intake returns how batches are gathered for a Sink.
func (s *Sink) Intake() emit.Intake {
	return emit.Intake{
		Group: Group,
		// It adds to the delay of every number, and saves requests: a tick fires all its windows
		// within a few ms.
		Linger:   50 * time.Millisecond,
		MaxBytes: int64(s.opts.MaxBytes),
		// Eight full requests, so that reading goes on during a write.
		MaxPending: 32 << 20,
	}
}

// WriteBatch is Write and WriteProgress for an [emit.Consumer]. The fence is called before each
// request.
func (s *Sink) WriteBatch(ctx context.Context, b emit.Batch) (stale int, err error) {
	if len(b.Windows) > 0 {
		if stale, err = s.writeLive(ctx, b.Windows, b.Fence); err != nil {
			return stale, err
		}
	}
	return stale, s.writeProgress(ctx, b.Progress, b.Fence)
}

// Rebalanced drops what is known of versions in InfluxDB: another process may have written live
// since. It waits for its turn, and drops nothing if ctx ends first.
func (s *Sink) Rebalanced(ctx context.Context) {
	if s.enter(ctx) != nil {
		return
	}
	defer s.leave()
	s.known = newVersions()
}

// maxStart is the last window InfluxDB's nanoseconds have room for, with some to spare: the year
// 2200.
const maxStart event.Time = 7258118400000

// ErrWindow is wrapped by the error about a window that can't be written.
var ErrWindow = errors.New("not a window")

func checkWindows(ws []*window.Window) error {
	for _, w := range ws {
		if err := checkWindow(w); err != nil {
			return err
		}
	}
	return nil
}

// CheckWindow reports why InfluxDB can't hold a window.
func (*Sink) CheckWindow(w *window.Window) error { return checkWindow(w) }

func checkWindow(w *window.Window) error {
	if w.Kind >= window.NumKinds {
		return fmt.Errorf("%w: of kind %d", ErrWindow, w.Kind)
	}
	if w.Start%w.Kind.Length() != 0 || w.Start < 0 || w.Start > maxStart {
		return fmt.Errorf("%w of kind %s: it starts at %d ms", ErrWindow, w.Kind, w.Start)
	}
	if err := event.ValidSite(w.Site); err != nil {
		return fmt.Errorf("%w: %w", ErrWindow, err)
	}
	return nil
}
