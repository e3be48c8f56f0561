package server_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/cmd/internal/roles"
	"millrace/engine"
	"millrace/engine/event"
)

// TestTimes: what is logged of times that are wrong, and how often.
func TestTimes(t *testing.T) { synctest.Test(t, testTimes) }

func testTimes(t *testing.T) {
	var out bytes.Buffer
	w := roles.NewTimes(slog.New(slog.NewTextHandler(&out, nil)))
	f := func(passed time.Duration, partition int32, dropped uint64, ahead time.Duration, want ...string) {
		t.Helper()
		out.Reset()
		time.Sleep(passed)
		w.Observe(partition, engine.Snapshot{Counters: engine.Counters{Dropped: dropped}, Watermark: event.TimeOf(time.Now().Add(ahead))})
		if n := strings.Count(out.String(), "\n"); n != len(want) {
			t.Errorf("%d lines, want %d: %s", n, len(want), out.String())
		}
		for _, s := range want {
			if !strings.Contains(out.String(), s) {
				t.Errorf("%q is not in %s", s, out.String())
			}
		}
	}
	f(0, 1, 1000, -time.Second) // of the log before this start
	f(time.Second, 1, 1001, -time.Second, "events=1 partition=1")
	f(time.Second, 1, 1003, -time.Second)
	f(time.Second, 2, 5, -time.Second)
	f(time.Minute, 2, 6, time.Minute, "events=3 partition=2")
	f(time.Second, 2, 6, 2*time.Hour, "topic=millrace.events partition=2 by=2h0m0s")
	f(time.Second, 1, 1003, 2*time.Hour)
	f(time.Hour, 1, 1003, time.Hour, "by=1h0m0s")
}
