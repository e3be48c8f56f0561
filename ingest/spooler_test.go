package ingest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/spool"
)

// spoolOn gives a collector a spool in a file system in memory, and little patience.
func spoolOn(fs vfs.FS) func(*Options) {
	return func(o *Options) {
		o.AckTimeout, o.TickEvery = time.Second, 20*time.Millisecond
		o.Spool = &spool.Options{Dir: "spool", MaxBytes: 1 << 20, FS: fs}
	}
}

// away makes Kafka refuse every produce until the fault is removed.
func away(cluster *kfake.Cluster, err *kerr.Error) *kfake.FaultHandle {
	return cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: -1})
}

// shown is a request of a tracker that never sends again.
func shown(c *Collector, page string) int {
	body := fmt.Sprintf(`{"n":"pageview","d":"a.example","u":"https://a.example/%s"}`, page)
	return call(c, outside, "POST", "/api/event", body).StatusCode()
}

// pages returns how often each page is in the log, and checks what low promises.
func pages(tb testing.TB, cluster *kfake.Cluster) map[string]int {
	tb.Helper()
	have, lows := map[string]int{}, map[string]event.Time{}
	for _, r := range readAll(tb, cluster) {
		of := fmt.Sprint(r.partition, r.collector)
		for _, e := range r.events {
			if have[strings.TrimPrefix(e.URL, "https://a.example/")]++; e.Received < lows[of] {
				tb.Errorf("%s was received at %v, behind a low of %v", e.URL, e.Received, lows[of])
			}
		}
		lows[of] = max(lows[of], r.low)
	}
	return have
}

func mustHave(tb testing.TB, cluster *kfake.Cluster, want ...string) {
	tb.Helper()
	have := pages(tb, cluster)
	for _, page := range want {
		if have[page] != 1 {
			tb.Errorf("%q is in the log %d times", page, have[page])
		}
		delete(have, page)
	}
	if len(have) > 0 {
		tb.Errorf("there is also %v", have)
	}
}

func mustDrain(tb testing.TB, c *Collector) {
	tb.Helper()
	eventually(tb, "the spool is drained", func() bool {
		return c.SpoolStats().Entries == 0 && c.spooler.away.Load() == 0 && heldBack(c) == 0
	})
}

// heldBack returns for how many events low is held back.
func heldBack(c *Collector) (n int) {
	for _, p := range c.partitions {
		p.mu.Lock()
		n += p.kept
		p.mu.Unlock()
	}
	return n
}

func TestSpoolWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, spoolOn(vfs.NewMem()))
	waitTicks(t, cluster)
	if got := shown(c, "before"); got != 202 {
		t.Fatal(got)
	}
	fault := away(cluster, kerr.NotLeaderForPartition)
	if got := shown(c, "first"); got != 202 {
		t.Fatalf("after a wait: %d", got)
	}
	start := time.Now()
	if got := shown(c, "second"); got != 202 {
		t.Errorf("at once: %d", got)
	}
	beacon := call(c, outside, "POST", "/v1/events", `{"site":"a.example","name":"x","url":"https://a.example/beacon"}`, "Sec-Fetch-Mode", "no-cors")
	if beacon.StatusCode() != 202 {
		t.Errorf("what can't read the answer: %d %s", beacon.StatusCode(), beacon.Body())
	}
	again := call(c, outside, "POST", "/v1/events", `{"site":"a.example","name":"x","id":"1"}`)
	if again.StatusCode() != 503 || string(again.Header.Peek("Retry-After")) == "" {
		t.Errorf("what sends again: %d", again.StatusCode())
	}
	if took := time.Since(start); took >= c.opts.AckTimeout { // so long takes one that waits
		t.Errorf("known to be away, it took %v", took)
	}
	if st := c.SpoolStats(); st.Events != 3 || c.Health() != nil || !strings.Contains(c.Note(), "spool of 3 events") {
		t.Errorf("%+v, health %v, note %q", st, c.Health(), c.Note())
	}
	fault.Remove()
	mustDrain(t, c)
	if n := value(t, c.metrics.drained); n != 3 {
		t.Errorf("%v events were drained", n)
	}
	if got := shown(c, "after"); got != 202 {
		t.Fatal(got)
	}
	mustHave(t, cluster, "before", "first", "second", "beacon", "after")
}

// TestSpoolFindsCopies: Kafka does what it is asked and does not say so. The event is in the log
// and in the spool, and is not sent again.
func TestSpoolFindsCopies(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, spoolOn(vfs.NewMem()))
	waitTicks(t, cluster)
	// A tick that fails before the event is handed over would send it to the spool alone.
	for _, p := range c.partitions {
		eventually(t, "no tick is on its way", func() bool { return p.ticking.CompareAndSwap(false, true) })
	}
	fault := away(cluster, kerr.RequestTimedOut)
	if got := shown(c, "copied"); got != 202 {
		t.Fatal(got)
	}
	for _, p := range c.partitions {
		p.ticking.Store(false)
	}
	if got := shown(c, "kept"); got != 202 {
		t.Fatal(got)
	}
	fault.Remove()
	mustDrain(t, c)
	if n := value(t, c.metrics.spoolCopies); n != 1 {
		t.Errorf("%v copies were found", n)
	}
	mustHave(t, cluster, "copied", "kept")
}

// TestSpoolOutlivesTheCollector: a collector ends with events in its spool, some of which it was
// just draining. The next holds low back from its first tick on, and drains each once.
func TestSpoolOutlivesTheCollector(t *testing.T) {
	t.Parallel()
	cluster, fs := mustCluster(t), vfs.NewMem()
	c := mustOpen(t, cluster, spoolOn(fs))
	waitTicks(t, cluster)
	fault := away(cluster, kerr.NotLeaderForPartition)
	for _, page := range []string{"a", "b"} {
		if got := shown(c, page); got != 202 {
			t.Fatal(got)
		}
	}
	// Ticks pass and events do not: what is drained is in the log, and nobody is told.
	fault.Remove()
	lost := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: -1,
		When: func(req kmsg.Request) bool {
			return slices.ContainsFunc(req.(*kmsg.ProduceRequest).Topics[0].Partitions, func(p kmsg.ProduceRequestTopicPartition) bool {
				return len(p.Records) > 250 // ticks are 150
			})
		}})
	eventually(t, "an answer is lost", func() bool { return lost.Hits() > 0 })
	c.Close()
	lost.Remove()
	if got := call(c, outside, "POST", "/api/event", "{}").StatusCode(); got < 400 {
		t.Errorf("after the end: %d", got)
	}
	c = mustOpen(t, cluster, spoolOn(fs))
	mustDrain(t, c)
	mustHave(t, cluster, "a", "b")
}

func TestSpoolIsFull(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		spoolOn(vfs.NewMem())(o)
		o.Spool.MaxBytes = spool.LeastBytes
	})
	waitTicks(t, cluster)
	fault := away(cluster, kerr.NotLeaderForPartition)
	long := strings.Repeat("x", 4000)
	var taken []string
	for i := 0; ; i++ {
		page := fmt.Sprint(i, long)
		if got := shown(c, page); got == 503 {
			break
		} else if got != 202 || i > 100 {
			t.Fatalf("the %dth: %d", i, got)
		}
		taken = append(taken, page)
	}
	if err := c.Health(); value(t, c.metrics.refused[protocol.ReasonSpool]) != 1 || c.spooler.health() == nil {
		t.Errorf("health %v", err)
	}
	fault.Remove()
	mustDrain(t, c)
	mustHave(t, cluster, taken...)
	if c.spooler.health() != nil {
		t.Error("it is full for ever")
	}
}

// TestSpoolFails: a disk without room is a 503, and what was taken before is drained from it.
func TestSpoolFails(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var full bool
	set := func(b bool) { mu.Lock(); full = b; mu.Unlock() }
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if full && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
			return syscall.ENOSPC
		}
		return nil
	}))
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, spoolOn(fs))
	waitTicks(t, cluster)
	fault := away(cluster, kerr.NotLeaderForPartition)
	if got := shown(c, "taken"); got != 202 {
		t.Fatal(got)
	}
	set(true)
	if got := shown(c, "refused"); got != 503 {
		t.Fatal(got)
	}
	if err := c.spooler.health(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("health of the spool: %v", err)
	}
	fault.Remove()
	mustDrain(t, c)
	mustHave(t, cluster, "taken")
}

// TestSpoolTakesWhatACloseFinds: requests that wait for Kafka when the collector ends are answered
// with 2xx and are there when the next one starts.
func TestSpoolTakesWhatACloseFinds(t *testing.T) {
	t.Parallel()
	cluster, fs := mustCluster(t), vfs.NewMem()
	c := mustOpen(t, cluster, func(o *Options) {
		spoolOn(fs)(o)
		o.AckTimeout = 20 * time.Second
	})
	waitTicks(t, cluster)
	fault := away(cluster, kerr.NotLeaderForPartition)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if got := shown(c, fmt.Sprint(i)); got != 202 {
				t.Errorf("%d: %d", i, got)
			}
		})
	}
	eventually(t, "all wait", func() bool { return c.spooler.waiting.Load() == 10 })
	c.Close()
	wg.Wait()
	fault.Remove()
	c = mustOpen(t, cluster, spoolOn(fs))
	mustDrain(t, c)
	mustHave(t, cluster, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
}

func TestSpoolRefusesDamage(t *testing.T) {
	cluster, fs := mustCluster(t), vfs.NewMem()
	log, err := spool.Open(spool.Options{Dir: "spool", MaxBytes: 1 << 20, FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append([]spool.Entry{{Partition: 77, From: 1, N: 1, Events: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := c1(cluster)
	spoolOn(fs)(&o)
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), "partition 77") {
		t.Errorf("a spool of another topic: %v", err)
	}
	f, err := fs.Create("spool/progress", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, strings.Repeat("x", 8192))
	f.Close()
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), "spool/progress") {
		t.Errorf("a damaged spool: %v", err)
	}
}
