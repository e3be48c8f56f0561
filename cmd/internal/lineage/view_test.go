package lineage

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine"
	"millrace/internal/kafka"
)

// growing has the log written, read and committed between any two requests of a client.
type growing struct {
	tb    testing.TB
	other *kgo.Client
	grown atomic.Int64
}

// OnBrokerRead implements kgo.HookBrokerRead.
func (g *growing) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if of := kmsg.Key(key); err != nil || of != kmsg.OffsetFetch && of != kmsg.ListOffsets {
		return
	}
	ctx := context.Background()
	r, err := g.other.ProduceSync(ctx, &kgo.Record{Topic: engine.EventsTopic, Value: []byte("some")}).First()
	if err != nil {
		g.tb.Error(err)
		return
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(engine.EventsTopic, 0, r.Offset+1, -1)
	if err := kadm.NewClient(g.other).CommitAllOffsets(ctx, engine.Group, offsets); err != nil {
		g.tb.Error(err)
	}
	g.grown.Add(1)
}

// TestGrowingLog: a log that is written, read and committed while it is looked at is not taken for one that was cut short. Its ends were
// asked for before what is committed.
func TestGrowingLog(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, engine.EventsTopic, engine.WindowsTopic, kafka.TableTopic(engine.Group)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	grow := &growing{tb: t, other: other}
	g := New(Options{Partitions: 1, Groups: map[string]string{engine.Group: engine.EventsTopic}})
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.WithHooks(grow))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 3 {
		v, err := g.viewLog(t.Context(), client)
		if err == nil {
			err = g.groupsInside(v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if grow.grown.Load() < 6 {
		t.Errorf("the log has grown %d times", grow.grown.Load())
	}
}
