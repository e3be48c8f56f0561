package ingest

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/spool"
)

// TestSpoolReserves: what goes to the spool is reserved from the budget before it is copied, and
// refused where there is no memory.
func TestSpoolReserves(t *testing.T) {
	t.Parallel()
	c := mustOpen(t, mustCluster(t), spoolOn(vfs.NewMem()))
	now := event.TimeOf(time.Now())
	in := protocol.Input{Event: event.Event{Site: "a.example", Name: "pageview", URL: "https://a.example/", ID: "1", Time: now, Received: now}}
	f := func(used int64, kept bool) {
		t.Helper()
		r := c.newRequest()
		p := c.partition(&in)
		r.of, r.partitions = []int{toSpool}, []int32{p.id}
		p.mu.Lock()
		p.holdBack(1, in.Received)
		p.mu.Unlock()
		before := heldBack(c)
		c.pending.used.Add(used)
		refused := c.spooler.keep([]protocol.Input{in}, r)
		if held := r.memory.Reserved(); (held >= in.MostBytes()) != kept || (refused == nil) != kept {
			t.Errorf("%d bytes are reserved, of %d; %v", held, in.MostBytes(), refused)
		}
		r.memory.release()
		c.pending.give(used)
		if got := before - heldBack(c); (got == 0) != kept {
			t.Errorf("%d events hold the watermark no more", got)
		}
		mustDrain(t, c)
	}
	f(0, true)
	f(c.opts.MaxPendingBytes, false)
}

// TestDrainLooks: a copy is found in a topic that was made anew, whose offsets are below those of
// before, and once Kafka lets the collector read the topic again.
func TestDrainLooks(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, spoolOn(vfs.NewMem()))
	if got := shown(c, "there"); got != 202 {
		t.Fatal(got)
	}
	var entry spool.Entry
	for _, r := range readAll(t, cluster) {
		for i := range r.events {
			e := &r.events[i]
			entry = spool.Entry{Partition: r.partition, From: e.Received, N: 1, Events: e.Append(nil)}
		}
	}
	f := func(after int64, unread time.Duration, found bool) {
		t.Helper()
		d := drainer{spooler: c.spooler}
		if unread > 0 {
			d.unread = time.Now().Add(-unread)
		}
		e := entry
		e.After = after
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		all, err := d.copies(ctx, []spool.Entry{e})
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, there := range all[e.Partition].ids {
			got = *there
		}
		if got != found || found && !d.unread.IsZero() {
			t.Errorf("after %d: found %t, want %t; unread since %v", after, got, found, d.unread)
		}
	}
	f(spool.Start, 0, true)
	f(1<<40, 0, true)
	f(spool.Start, time.Second, false)
	f(spool.Start, unreadTime+time.Second, true)
}

// TestFailedOpenLeavesNoMetrics: a collector that can't register all its metrics registers none.
func TestFailedOpenLeavesNoMetrics(t *testing.T) {
	t.Parallel()
	cluster, reg := mustCluster(t), prometheus.NewRegistry()
	taken := prometheus.NewGauge(prometheus.GaugeOpts{Name: "millrace_ingest_spool_errors_total", Help: "Requests that neither Kafka nor the spool took."})
	reg.MustRegister(taken)
	o := c1(cluster)
	o.Metrics = reg
	spoolOn(vfs.NewMem())(&o)
	if c, err := Open(t.Context(), o); err == nil {
		c.Close()
		t.Fatal("it is open, with the name of a metric taken")
	}
	reg.Unregister(taken)
	spoolOn(vfs.NewMem())(&o)
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
