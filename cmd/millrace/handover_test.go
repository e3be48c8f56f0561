package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/gate"
	"millrace/cmd/internal/roles"
	"millrace/emit"
	emitinflux "millrace/emit/influx"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/internal/kafka"
)

// TestHandOver: of two emitters one loses its InfluxDB while it has something to write. It leaves the group, the other writes
// what is in its partitions, and it comes back once its InfluxDB does.
func TestHandOver(t *testing.T) {
	t.Parallel()
	const partitions = 4
	b := mustBroker(t, t.TempDir())
	cluster := &kafka.Cluster{Brokers: b.Addrs(), Replication: 1, SessionTimeout: 6 * time.Second}
	topics := []kafka.Topic{{Name: engine.WindowsTopic, Partitions: partitions}, {Name: deadletter.Topic, Partitions: partitions}}
	if err := cluster.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	low := event.TimeOf(time.Now())
	produce := func() {
		t.Helper()
		low += event.Second
		var records []*kgo.Record
		for p := range int32(partitions) {
			line := window.Progress{Partition: p, Low: low, Offset: int64(low)}.AppendLines(nil)
			records = append(records, &kgo.Record{Topic: engine.WindowsTopic, Partition: p, Key: []byte(event.Key(p)), Value: line})
		}
		mustProduce(t, client, records...)
	}

	run := func() (*pointsServer, *gate.Gate) {
		db := &pointsServer{sites: map[string]bool{}, match: regexp.MustCompile(`(?m)^progress,partition=(\d+) `)}
		srv := httptest.NewServer(db)
		cfg, err := influxdb.ParseURL(srv.URL + "/db")
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		sink, err := emitinflux.NewSink(emitinflux.Options{DB: cfg, Log: log, MaxBackoff: 100 * time.Millisecond,
			Dead: func(context.Context, deadletter.Letter) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		e, err := emit.New(emit.Options{Sink: sink, Brokers: b.Addrs(), Log: log,
			Goka: cluster.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: log})})
		if err != nil {
			t.Fatal(err)
		}
		g := gate.New(gate.Options{Name: roles.Emit, Probe: sink.Probe, Waiting: sink.Waiting, Patience: time.Second, Log: log})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for guarded := g.Guard(e.Run); ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
				_ = guarded(ctx) // a rebalance may end a run
			}
		}()
		t.Cleanup(func() { cancel(); <-done; srv.Close(); sink.Close() })
		return db, g
	}
	one, oneGate := run()
	two, _ := run()
	// wrote waits until the databases have had a progress of so many partitions since forget.
	wrote := func(n int, of ...*pointsServer) {
		t.Helper()
		waitFor(t, 30*time.Second, func() error {
			produce()
			time.Sleep(50 * time.Millisecond)
			var have []string
			for _, db := range of {
				have = append(have, db.seen()...)
			}
			if len(have) < n {
				return fmt.Errorf("progress of the partitions %s", strings.Join(have, ", "))
			}
			return nil
		})
	}
	forget := func() { one.forget(); two.forget() }
	waitFor(t, 30*time.Second, func() error { // both have partitions
		forget()
		produce()
		time.Sleep(100 * time.Millisecond)
		if a, b := len(one.seen()), len(two.seen()); a == 0 || b == 0 {
			return fmt.Errorf("%d and %d partitions", a, b)
		}
		return nil
	})
	one.refuse(true)
	forget()
	wrote(partitions, two)
	if why := oneGate.Why(); why == nil || !strings.Contains(why.Error(), "401") {
		t.Errorf("the first is able: %v", why)
	}
	one.refuse(false)
	forget()
	wrote(1, one)
	if why := oneGate.Why(); why != nil {
		t.Error(why)
	}
}
