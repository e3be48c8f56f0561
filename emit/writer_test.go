package emit

import (
	"context"
	"errors"
	"testing"
	"time"

	"millrace/engine/window"
)

// fencedSink calls the fence, as a sink does that other processes write to.
type fencedSink struct{ batches int }

func (*fencedSink) Intake() Intake                   { return Intake{Group: "test", MaxPending: 1 << 20} }
func (*fencedSink) CheckWindow(*window.Window) error { return nil }
func (*fencedSink) Rebalanced(context.Context)       {}
func (s *fencedSink) WriteBatch(_ context.Context, b Batch) (int, error) {
	if err := b.Fence(); err != nil {
		return 0, err
	}
	s.batches++
	return 0, nil
}

// TestFence: a process that stood still writes nothing more until its next session, and commits
// nothing.
func TestFence(t *testing.T) {
	s := &fencedSink{}
	p := newPulse()
	w := &writer{c: &Consumer{opts: Options{Sink: s}, intake: s.Intake()}, pulse: p}
	var results []error
	write := func() {
		w.write([]*item{mkItem(t.Context(), 1, func(err error) { results = append(results, err) })})
	}
	write()
	if s.batches != 1 || results[0] != nil {
		t.Fatalf("%d batches, %v", s.batches, results)
	}
	now := p.now
	p.now = func() time.Time { return now().Add(time.Minute) }
	write()
	p.reset()
	write() // of the same Run: it has failed
	if s.batches != 1 || results[1] == nil || !errors.Is(results[2], results[1]) || w.failed == nil {
		t.Errorf("%d batches are written by a process that stood still: %v", s.batches, results)
	}
	w = &writer{c: w.c, pulse: p}
	if write(); s.batches != 2 || results[3] != nil {
		t.Errorf("%d batches after a new run: %v", s.batches, results)
	}
}
