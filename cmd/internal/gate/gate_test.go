package gate

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errAway = errors.New("away")

// bench is a role whose outside world is switched on and off.
type bench struct {
	away    atomic.Bool
	since   atomic.Pointer[time.Time]
	running atomic.Bool
	probes  atomic.Int64
	gate    *Gate
}

func newBench() *bench {
	b := &bench{}
	b.gate = New(Options{Name: "emit", Log: slog.New(slog.DiscardHandler),
		Probe: func(context.Context) error {
			b.probes.Add(1)
			if b.away.Load() {
				return errAway
			}
			return nil
		},
		Waiting: func() (time.Time, error) {
			if at := b.since.Load(); at != nil {
				return *at, errAway
			}
			return time.Time{}, nil
		},
	})
	return b
}

func (b *bench) run(ctx context.Context) error {
	b.running.Store(true)
	defer b.running.Store(false)
	<-ctx.Done()
	return nil
}

func TestWorksOnlyOnceProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		if b.gate.Why() == nil {
			t.Error("ready before the first probe")
		}
		b.away.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.gate.Guard(b.run)(ctx) }()
		time.Sleep(time.Hour)
		if b.running.Load() || !errors.Is(b.gate.Why(), errAway) {
			t.Errorf("running %v, why %v", b.running.Load(), b.gate.Why())
		}
		if n := b.probes.Load(); n < 300 || n > 400 {
			t.Errorf("%d probes in an hour", n)
		}
		b.away.Store(false)
		time.Sleep(lastPause + time.Millisecond)
		synctest.Wait()
		if !b.running.Load() || b.gate.Why() != nil {
			t.Errorf("running %v, why %v", b.running.Load(), b.gate.Why())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestLeavesAfterPatienceAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.gate.Guard(b.run)(ctx) }()
		synctest.Wait()
		now := time.Now()
		b.away.Store(true)
		b.since.Store(&now)
		time.Sleep(Patience - 2*time.Second)
		synctest.Wait()
		if !b.running.Load() || b.gate.Why() != nil {
			t.Errorf("before its patience ends: running %v, why %v", b.running.Load(), b.gate.Why())
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if b.running.Load() || !errors.Is(b.gate.Why(), errAway) {
			t.Errorf("after it: running %v, why %v", b.running.Load(), b.gate.Why())
		}
		b.since.Store(nil)
		b.away.Store(false)
		time.Sleep(lastPause)
		synctest.Wait()
		if !b.running.Load() || b.gate.Why() != nil {
			t.Errorf("when it is back: running %v, why %v", b.running.Load(), b.gate.Why())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A role that fails at once, again and again, is not ready in between.
func TestFailedRunHasToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		errBroken := errors.New("broken")
		guarded := b.gate.Guard(func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
				return errBroken
			}
		})
		for range 3 {
			if err := guarded(t.Context()); err != errBroken {
				t.Fatal(err)
			}
			if !errors.Is(b.gate.Why(), errBroken) {
				t.Errorf("why %v", b.gate.Why())
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.gate.Guard(b.run)(ctx) }()
		synctest.Wait()
		cancel()
		<-done
		ctx, cancel = context.WithCancel(t.Context())
		go guarded(ctx)
		time.Sleep(Settle / 2)
		synctest.Wait()
		if b.gate.Why() == nil {
			t.Error("ready while it may fail again")
		}
		cancel()
		synctest.Wait()
	})
}
