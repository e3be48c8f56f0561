package roles

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"millrace/engine"
	"millrace/engine/event"
)

func TestTimes(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := newTimes(slog.New(slog.NewTextHandler(&out, nil)))
	w.now = func() time.Time { return now }
	f := func(passed time.Duration, partition int32, dropped uint64, ahead time.Duration, want ...string) {
		t.Helper()
		out.Reset()
		now = now.Add(passed)
		w.observe(partition, engine.Snapshot{Counters: engine.Counters{Dropped: dropped}, Watermark: event.TimeOf(now.Add(ahead))})
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
