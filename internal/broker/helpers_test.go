package broker

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const testTopic = "events"

func mustOpen(tb testing.TB, o Options) *Broker {
	tb.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	b, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, b) })
	return b
}

func mustClose(tb testing.TB, b *Broker) {
	tb.Helper()
	if err := b.Close(); err != nil {
		tb.Fatal(err)
	}
}

func testContext(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// mustClient returns a client that is closed before the broker.
func mustClient(tb testing.TB, b *Broker, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	opts = append([]kgo.Opt{
		kgo.SeedBrokers(b.Addrs()...),
		kgo.Dialer(b.DialContext),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, opts...)
	c, err := kgo.NewClient(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func createTopic(ctx context.Context, c *kgo.Client, topic string, partitions int32, configs map[string]string) error {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	for k, v := range configs {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

func mustCreate(tb testing.TB, c *kgo.Client, topic string, partitions int32, configs map[string]string) {
	tb.Helper()
	if err := createTopic(testContext(tb), c, topic, partitions, configs); err != nil {
		tb.Fatal(err)
	}
}

func value(i int) string { return fmt.Sprintf("value %d", i) }

// mustProduce writes the values of from..to-1 to partition 0, each in a batch of its own.
func mustProduce(tb testing.TB, c *kgo.Client, topic string, from, to int) {
	tb.Helper()
	ctx := testContext(tb)
	for i := from; i < to; i++ {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value(i))}).FirstErr(); err != nil {
			tb.Fatal(err)
		}
	}
}

// offsets returns the first offset and the one after the last.
func offsets(tb testing.TB, c *kgo.Client, topic string, partition int32) (start, end int64) {
	tb.Helper()
	at := func(timestamp int64) int64 {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = partition, timestamp
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID = -1
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		resp, err := req.RequestWith(testContext(tb), c)
		if err != nil {
			tb.Fatal(err)
		}
		got := resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			tb.Fatal(err)
		}
		return got.Offset
	}
	return at(-2), at(-1)
}

// mustConsume reads a partition from its start to its end, and checks that the offsets have no
// hole.
func mustConsume(tb testing.TB, b *Broker, topic string, partition int32) (start int64, values []string) {
	tb.Helper()
	ctx := testContext(tb)
	c := mustClient(tb, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {partition: kgo.NewOffset().AtStart()},
	}))
	defer c.Close()
	start, end := offsets(tb, c, topic, partition)
	for next := start; next < end; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			tb.Fatal(err)
		}
		for _, r := range fetches.Records() {
			if r.Offset != next {
				tb.Fatalf("%s-%d: offset %d follows %d", topic, partition, r.Offset, next-1)
			}
			next++
			values = append(values, string(r.Value))
		}
	}
	return start, values
}

func wantValues(tb testing.TB, got []string, n int) {
	tb.Helper()
	if len(got) != n {
		tb.Fatalf("%d records, want %d", len(got), n)
	}
	for i, v := range got {
		if v != value(i) {
			tb.Fatalf("record %d is %q, want %q", i, v, value(i))
		}
	}
}

// crashCopy copies the folder of an open broker: what a kill -9 at this moment would leave.
func crashCopy(tb testing.TB, dir string) string {
	tb.Helper()
	to := filepath.Join(tb.TempDir(), "copy")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return to
}

// eventually polls until ok or fails.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within 10 s: %s", what)
		}
	}
}
