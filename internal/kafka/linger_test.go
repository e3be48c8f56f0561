package kafka

import (
	"hash"
	"hash/fnv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// batches counts the batches that a client is given.
type batches struct{ atomic.Int64 }

func (b *batches) OnFetchBatchRead(kgo.BrokerMetadata, string, int32, kgo.FetchBatchMetrics) {
	b.Add(1)
}

var _ kgo.HookFetchBatchRead = (*batches)(nil)

// TestTableLinger: records of a changelog wait for others and share a batch, those of other topics do
// not wait for them, and a producer that is closed waits until all are written.
func TestTableLinger(t *testing.T) {
	t.Parallel()
	_, c := mustFake(t)
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 1}, Topic{Name: "out", Partitions: 1})
	c.TableLinger = time.Second
	var table, others atomic.Int64
	p, err := c.newProducer("test", func() hash.Hash32 { return fnv.New32a() }, GroupOptions{Table: testTopic, OnProduced: func(m *sarama.ProducerMessage) {
		if m.Topic == testTopic {
			table.Add(1)
		} else {
			others.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	for range n {
		before := others.Load()
		p.Emit(testTopic, "k", []byte("delta"))
		p.Emit("out", "k", []byte("window"))
		eventually(t, "an acknowledgement", func() bool { return others.Load() > before })
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got := table.Load(); got != n {
		t.Errorf("%d records of the changelog were written, want %d", got, n)
	}
	var seen batches
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.ConsumeTopics(testTopic), kgo.WithHooks(&seen))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	read := 0
	for read < n {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		read += fetches.NumRecords()
	}
	if got := seen.Load(); got > n/2 {
		t.Errorf("%d records are in %d batches, want few", read, got)
	}
}
