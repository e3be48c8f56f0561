package ingest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine/event"
)

// setClock is a wall clock that can be set, beside a monotonic one that can't.
type setClock struct {
	mu      sync.Mutex
	elapsed time.Duration
	start   time.Time // of the wall clock
}

func newSetClock() *setClock { return &setClock{start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *setClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start.Add(c.elapsed)
}

func (c *setClock) sinceStart() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

func (c *setClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += d
}

func (c *setClock) set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start = c.start.Add(by)
}

// lockedLog is a log that a test reads while others write.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

// A clock that is ahead and then set right: events have its true time, low does not go back, the
// collector says what is wrong while it is, and is ready again by itself.
func TestClockSetBack(t *testing.T) {
	cluster, clock, log := mustCluster(t), newSetClock(), &lockedLog{}
	c := mustOpen(t, cluster, func(o *Options) {
		o.Now, o.Elapsed, o.TickEvery = clock.now, clock.sinceStart, 10*time.Second
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	send := func() event.Time {
		t.Helper()
		at := event.TimeOf(clock.now())
		if res := call(c, outside, "POST", "/v1/events", oneEvent); res.StatusCode() != 202 {
			t.Fatalf("%d %s", res.StatusCode(), res.Body())
		}
		return at
	}
	look := func(passed time.Duration, want string) {
		t.Helper()
		clock.pass(passed)
		c.clock.look()
		got := ""
		if err := c.clock.why(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("not ready because %q, want %q", got, want)
		}
	}
	times := []event.Time{send()}
	look(time.Second, "")
	clock.set(-1900 * time.Millisecond) // as a slow correction may come to
	look(time.Second, "")
	clock.set(1900 * time.Millisecond)
	look(time.Second, "")

	clock.set(2 * time.Hour)
	look(time.Second, "the clock was set ahead by 2h0m0s")
	times = append(times, send())
	look(59*time.Second, "the clock was set ahead by 2h0m0s")
	look(time.Second, "")

	clock.set(-2 * time.Hour)
	look(time.Second, "the clock is 1h58m59s behind the time that this collector has promised to the log")
	times = append(times, send())
	look(time.Hour, "the clock is 58m59s behind the time that this collector has promised to the log")
	times = append(times, send())
	look(58*time.Minute+57*time.Second, "")
	look(10*time.Second, "")
	times = append(times, send())
	look(time.Minute, "")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	if n := value(t, c.metrics.clockSteps); n != 2 || log.count("level=ERROR") != 3 ||
		log.count("was set ahead") != 1 || log.count("was set back") != 1 || log.count("has promised to the log") != 1 {
		t.Errorf("%v steps; the log has\n%s", n, log.b.String())
	}
	var got []event.Time
	low := map[int32]event.Time{}
	for _, r := range readAll(t, cluster) {
		if r.low < low[r.partition] {
			t.Errorf("low goes back to %s", r.low)
		}
		low[r.partition] = r.low
		for _, e := range r.events {
			if e.Time != e.Received {
				t.Errorf("event time %s, received %s", e.Time, e.Received)
			}
			got = append(got, e.Received)
		}
	}
	if len(got) != len(times) {
		t.Fatalf("%d events, want %d", len(got), len(times))
	}
	for i := range got {
		if got[i] != times[i] {
			t.Errorf("event %d is of %s, want %s", i, got[i], times[i])
		}
	}
}

// Kafka that refuses the time of records: the answer comes at once and names the clock, and so do
// log and health.
func TestKafkaRefusesTime(t *testing.T) {
	cluster, log := mustCluster(t), &lockedLog{}
	c := mustOpen(t, cluster, func(o *Options) {
		o.AckTimeout, o.Metrics = time.Minute, prometheus.NewRegistry()
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidTimestamp, Count: -1})
	for range 2 {
		start := time.Now()
		res := call(c, outside, "POST", "/v1/events", oneEvent)
		if body := string(res.Body()); res.StatusCode() != 503 || !strings.Contains(body, "clock is ahead of kafka's") || strings.Contains(body, "in time") {
			t.Errorf("%d %s", res.StatusCode(), body)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("the answer took %v", took)
		}
	}
	if err := c.Health(); err == nil || !strings.Contains(err.Error(), "clock is ahead of Kafka's") {
		t.Errorf("health: %v", err)
	}
	if log.count("the clock of this machine is ahead of Kafka's") != 1 || log.count("did not take a record") != 0 {
		t.Errorf("the log has\n%s", log.b.String())
	}
	fault.Remove()
	eventually(t, "events are accepted again", func() bool {
		return call(c, outside, "POST", "/v1/events", oneEvent).StatusCode() == 202
	})
	eventually(t, "the collector is healthy again", func() bool { return c.Health() == nil })
}
