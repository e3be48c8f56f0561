package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millrace/emit"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// Group is the consumer group that holds the offsets of a Store.
const Group = "millrace.emit-local"

// Intake returns how batches are gathered for a Store.
func (s *Store) Intake() emit.Intake {
	return emit.Intake{
		Group: Group,
		// Thousands of points, some megabytes. The disk's time to sync is what fills a batch; while
		// nothing is behind, batches have one record.
		MaxRecords: 256,
		MaxBytes:   4 << 20,
		// Eight batches: a minute of log of hundreds of sites, so that the firings of a window meet when
		// it is behind.
		MaxPending: 32 << 20,
		// The folder belongs to this process, and no write waits for long.
		Finish: true,
	}
}

// CheckWindow reports whether readers will be able to unite the sketches of w: one that they can't
// would fail every query of its minute.
func (s *Store) CheckWindow(w *window.Window) error {
	var sk sketch.Sketch
	for i := range w.Points {
		p := &w.Points[i]
		sk.Reset()
		if err := sk.MergeBinary(p.Sketch); err != nil {
			return fmt.Errorf("sketch of %s %q: %w", p.Family, p.Dims, err)
		}
	}
	return nil
}

// Rebalanced does nothing: no other process writes to the folder.
func (s *Store) Rebalanced(context.Context) {}

// WriteBatch writes windows and progress as one batch of the store. Stale is the number of windows
// that were ignored because a newer version is stored. The fence is not called: no other process
// writes to the folder.
func (s *Store) WriteBatch(ctx context.Context, b emit.Batch) (stale int, err error) {
	return s.apply(ctx, b.Windows, live, b.Progress)
}

// BeginEmit calls rewind, which makes the group begin with the oldest record that Kafka still has,
// if the store is a new one: what the group has committed is in the store that was there before.
// Windows that a replay has put there meanwhile are not undone, by their versions. It is
// called before the first record of each run.
func (s *Store) BeginEmit(ctx context.Context, rewind func(ctx context.Context) error) error {
	begun, err := s.emitted()
	if err == nil && !begun {
		if err = rewind(ctx); err == nil {
			err = s.markEmitted()
		}
	}
	if err != nil {
		return fmt.Errorf("begin a new rollup store: %w", err)
	}
	return nil
}

var emittedKey = []byte{tableMeta, 'e', 'm', 'i', 't', 't', 'e', 'd'}

// emitted reports whether the topic has ever begun to fill the store. Where it has not, what the
// group has committed speaks of another store.
func (s *Store) emitted() (bool, error) {
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	_, closer, err := pebbleOf(s).Get(emittedKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, damaged(err)
	}
	return true, closer.Close()
}

// markEmitted notes that the store is filled from the topic's beginning.
func (s *Store) markEmitted() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return damaged(pebbleOf(s).Set(emittedKey, nil, s.write))
}
