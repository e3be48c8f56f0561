package emittest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/emit"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// Partitions is how many the topics have.
const Partitions = 4

// Kafka is a cluster in the process with the topics of a Consumer.
type Kafka struct {
	Brokers []string
	tb      testing.TB
	client  *kgo.Client
	sent    int64 // records
}

// NewKafka starts a cluster that ends with the test.
func NewKafka(tb testing.TB) *Kafka {
	tb.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(Partitions, emit.Topic, deadletter.Topic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(k.Close)
	c, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return &Kafka{Brokers: k.ListenAddrs(), tb: tb, client: c}
}

// Goka returns the options of a processor of the cluster.
func (k *Kafka) Goka() []goka.ProcessorOption {
	c := &kafka.Cluster{Brokers: k.Brokers}
	return c.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: Logger(k.tb)})
}

// Logger returns a log of what an operator should know.
func Logger(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Produce writes records to a partition of the topic of windows.
func (k *Kafka) Produce(partition int32, key string, values ...[]byte) {
	k.tb.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: emit.Topic, Partition: partition, Key: []byte(key), Value: v})
	}
	if err := k.client.ProduceSync(k.tb.Context(), records...).FirstErr(); err != nil {
		k.tb.Fatal(err)
	}
	k.sent += int64(len(values))
}

// Windows writes windows as the engine does.
func (k *Kafka) Windows(ws ...*window.Window) {
	k.tb.Helper()
	for _, w := range ws {
		b, err := w.AppendLines(nil)
		if err != nil {
			k.tb.Fatal(err)
		}
		k.Produce(event.Partition(w.Site, w.Shard, Partitions), window.RecordKey(w.Kind, w.Site, w.Start, w.Shard), b)
	}
}

// Committed returns how many records a group has committed.
func (k *Kafka) Committed(group string) int64 {
	k.tb.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Group, req.Groups = group, []kmsg.OffsetFetchRequestGroup{g}
	resp, err := req.RequestWith(k.tb.Context(), k.client)
	if err != nil {
		k.tb.Fatal(err)
	}
	var n int64
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			n += max(p.Offset, 0)
		}
	}
	return n
}

// WaitCommitted waits until a group has committed all that was written.
func (k *Kafka) WaitCommitted(group string) {
	k.tb.Helper()
	Eventually(k.tb, "all records are committed", func() bool { return k.Committed(group) == k.sent })
}

// Eventually waits for a condition.
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within a minute: %s", what)
		}
	}
}

// Letters waits for n dead letters and returns them.
func (k *Kafka) Letters(n int) []deadletter.Letter {
	k.tb.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ConsumeTopics(deadletter.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		k.tb.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(k.tb.Context(), time.Minute)
	defer cancel()
	var list []deadletter.Letter
	for len(list) < n {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			k.tb.Fatalf("%d letters, want %d", len(list), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			l, err := deadletter.Parse(r.Value)
			if err != nil || l.Partition != r.Partition {
				k.tb.Errorf("letter in partition %d: %+v, %v", r.Partition, l, err)
			}
			list = append(list, l)
		})
	}
	if len(list) > n {
		k.tb.Errorf("%d letters, want %d", len(list), n)
	}
	return list
}

// Consumer returns a Consumer of the cluster.
func (k *Kafka) Consumer(s emit.Sink) *emit.Consumer {
	k.tb.Helper()
	c, err := emit.New(emit.Options{Sink: s, Brokers: k.Brokers, Goka: k.Goka(), Log: Logger(k.tb)})
	if err != nil {
		k.tb.Fatal(err)
	}
	return c
}

// Start runs a Consumer as a process does: again after an error, until stop is called or the test
// ends. Stop returns what the last Run returned.
func (k *Kafka) Start(c *emit.Consumer) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil {
			if err = c.Run(ctx); err != nil {
				k.tb.Logf("consumer: %v", err)
			}
		}
		done <- err
	}()
	var result error
	stop = func() error {
		if ctx.Err() != nil {
			return result
		}
		cancel()
		select {
		case result = <-done:
		case <-time.After(30 * time.Second):
			k.tb.Error("the consumer does not stop")
		}
		return result
	}
	k.tb.Cleanup(func() { _ = stop() })
	return stop
}
