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

func TestMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		m := NewMonitor(MonitorOptions{Name: "Kafka", Every: 3 * time.Second, Tolerance: 15 * time.Second,
			Log: slog.New(slog.DiscardHandler), Probe: func(ctx context.Context) error {
				if away.Load() {
					<-ctx.Done()
					return errAway
				}
				return nil
			}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		f := func(wait time.Duration, want error) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if got := m.Why(); want == nil && got != nil || !errors.Is(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		if m.Why() == nil {
			t.Error("well before it has answered")
		}
		f(16*time.Second, errAway)
		away.Store(false)
		f(18*time.Second, nil)
		away.Store(true)
		f(14*time.Second, nil) // not for long
		f(20*time.Second, errAway)
		away.Store(false)
		f(18*time.Second, nil)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
