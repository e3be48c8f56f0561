package kafka

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"millrace/internal/kafkatest"
)

// mustKafka is a real cluster, empty.
func mustKafka(t *testing.T) *Cluster {
	t.Helper()
	return &Cluster{Brokers: kafkatest.Fresh(t), SessionTimeout: 6 * time.Second}
}

func TestEnsureTopicsOnKafka(t *testing.T) { testEnsureTopics(t, mustKafka(t)) }

func TestCommitsPrefixOnKafka(t *testing.T) { testCommitsPrefix(t, mustKafka(t)) }

// Members come and go while records are written. Each partition's records are processed in order,
// with nothing left out by whoever gets it next; what is in hand when a member has to hand over is
// finished and committed by that member, so nothing is done twice either.
func TestRebalanceOnKafka(t *testing.T) {
	c := mustKafka(t)
	const partitions, perPartition = 6, 300
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: partitions}, Topic{Name: "out", Partitions: 1})
	var (
		mu   sync.Mutex
		seen = map[int32][]int64{}
		by   = map[*proc]int{}
	)
	count := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, o := range seen {
			n += len(o)
		}
		return n
	}
	work := func(p *proc, ctx goka.Context, _ any) {
		mu.Lock()
		seen[ctx.Partition()] = append(seen[ctx.Partition()], ctx.Offset())
		by[p]++
		mu.Unlock()
		ctx.Emit("out", "k", fmt.Appendf(nil, "%d/%d", ctx.Partition(), ctx.Offset()))
	}
	a := start(t, c, work)
	var written sync.WaitGroup
	written.Go(func() { mustProduceAll(t, c, partitions, perPartition) })
	const all = partitions * perPartition
	eventually(t, "the first member", func() bool { return count() > all/10 })
	b := start(t, c, work)
	eventually(t, "the second member", func() bool { mu.Lock(); defer mu.Unlock(); return by[b] > 0 })
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	written.Wait()
	eventually(t, "the rest", func() bool { return count() >= all })
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	for p, offsets := range seen {
		want := make([]int64, perPartition)
		for i := range want {
			want[i] = int64(i)
		}
		if !slices.Equal(offsets, want) {
			t.Errorf("partition %d: %d records were processed, in this order: %v", p, len(offsets), offsets)
		}
	}
	ends, err := c.Ends(t.Context(), "out")
	if err != nil || ends[0] != all {
		t.Errorf("%v records of output, %v; want %d", ends, err, all)
	}
	t.Logf("%d records by the first member, %d by the second", by[a], by[b])
}

// mustProduceAll writes to all partitions, slowly enough that members can come and go meanwhile,
// with the settings of Millrace's own producers.
func mustProduceAll(t *testing.T, c *Cluster, partitions, perPartition int) {
	cfg := c.Config()
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Producer.Return.Successes = true
	p, err := sarama.NewSyncProducer(c.Brokers, cfg)
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	for i := range perPartition {
		var batch []*sarama.ProducerMessage
		for partition := range partitions {
			batch = append(batch, &sarama.ProducerMessage{
				Topic: testTopic, Partition: int32(partition), Value: sarama.StringEncoder(fmt.Sprint(i)),
			})
		}
		if err := p.SendMessages(batch); err != nil {
			t.Error(err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
