package supervise

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestRestartsWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		task := Start(t.Context(), "t", slog.New(slog.DiscardHandler), func(context.Context) error {
			at = append(at, time.Since(began))
			if len(at) == 7 {
				time.Sleep(2 * time.Minute) // a run that lasted: the pauses start anew
			}
			return errors.New("broken")
		})
		time.Sleep(4 * time.Minute)
		task.Stop()
		want := []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond,
			7500 * time.Millisecond, 15500 * time.Millisecond, 30500 * time.Millisecond,
			2*time.Minute + 31*time.Second}
		if len(at) < len(want) {
			t.Fatalf("started %d times in 4 minutes: %v", len(at), at)
		}
		for i, w := range want {
			if at[i] != w {
				t.Errorf("start %d at %v, want %v", i, at[i], w)
			}
		}
		if got := task.Restarts(); got != int64(len(at)-1) {
			t.Errorf("%d restarts for %d starts", got, len(at))
		}
	})
}

func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		task := Start(t.Context(), "t", slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return nil
		})
		synctest.Wait()
		if !task.Running() {
			t.Error("not running")
		}
		task.Stop()
		if !ended {
			t.Error("Stop did not wait")
		}
		if task.Running() {
			t.Error("running after Stop")
		}
		task.Stop()
	})
}

func TestNotRunningWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		task := Start(t.Context(), "t", slog.New(slog.DiscardHandler), func(context.Context) error {
			return errors.New("broken")
		})
		synctest.Wait()
		if task.Running() {
			t.Error("running while it waits")
		}
		task.Stop()
	})
}
