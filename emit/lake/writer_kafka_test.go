package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/internal/blob"
	"millrace/internal/kafka"
)

// limitedGroup is a consumer group that keeps to a Limit, on plain Sarama: goka finishes the
// archiver's records in order, so that the highest mark is the contiguous prefix.
type limitedGroup struct {
	sarama.ConsumerGroup
	limit Limit
}

func (g *limitedGroup) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	return g.ConsumerGroup.Consume(ctx, topics, &limitedHandler{h, g.limit})
}

type limitedHandler struct {
	sarama.ConsumerGroupHandler
	limit Limit
}

func (h *limitedHandler) Setup(s sarama.ConsumerGroupSession) error {
	return h.ConsumerGroupHandler.Setup(&limitedSession{s, h.limit})
}

type limitedSession struct {
	sarama.ConsumerGroupSession
	limit Limit
}

func (s *limitedSession) MarkOffset(topic string, partition int32, next int64, meta string) {
	if next = min(next, s.limit(topic, partition)); next > 0 {
		s.ConsumerGroupSession.MarkOffset(topic, partition, next, meta)
	}
}

func gokaOptions(limit Limit, fetch int32) []goka.ProcessorOption {
	cfg := goka.DefaultConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Offsets.AutoCommit.Interval = 50 * time.Millisecond
	cfg.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond // how soon a rebalance is noticed
	cfg.Consumer.MaxWaitTime = 20 * time.Millisecond
	cfg.Consumer.Fetch.Default = fetch
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	tm := goka.NewTopicManagerConfig()
	tm.NoCreate = true
	return []goka.ProcessorOption{
		goka.WithHasher(event.NewHasher),
		goka.WithLogger(log.New(io.Discard, "", 0)),
		goka.WithConsumerGroupBuilder(func(brokers []string, group, id string) (sarama.ConsumerGroup, error) {
			cfg := *cfg
			cfg.ClientID = id
			g, err := sarama.NewConsumerGroup(brokers, group, &cfg)
			return &limitedGroup{g, limit}, err
		}),
		goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(cfg)),
		goka.WithProducerBuilder(goka.ProducerBuilderWithConfig(cfg)),
		goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(cfg, tm)),
	}
}

// mustCluster starts a broker and produces a log into each partition.
func mustCluster(tb testing.TB, logs [][]record) []string {
	tb.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(int32(len(logs)), testTopic, commits.Topic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cluster.Close)
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Producer.Return.Successes = true
	p, err := sarama.NewSyncProducer(cluster.ListenAddrs(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	defer p.Close()
	for partition, log := range logs {
		for chunk := range slices.Chunk(log, 50) {
			var msgs []*sarama.ProducerMessage
			for _, r := range chunk {
				m := &sarama.ProducerMessage{Topic: testTopic, Partition: int32(partition), Key: sarama.StringEncoder(event.Key(int32(partition)))}
				if r.value != nil {
					m.Value = sarama.ByteEncoder(r.value)
				}
				msgs = append(msgs, m)
			}
			if err := p.SendMessages(msgs); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return cluster.ListenAddrs()
}

// withHits has an archiver write hits, committed through Kafka, and returns the logs of commits.
func withHits(tb testing.TB, o *Options) func(partition int32) commits.Log {
	tb.Helper()
	cluster := &kafka.Cluster{Brokers: o.Brokers}
	topics, err := commits.OpenTopics(cluster)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { topics.Close() })
	o.Hits = testHits(nil, nil)
	o.Hits.Commits = topics.Partition
	o.Hits.Records = func(ctx context.Context, partition int32, from, to int64, f func(int64, []byte) error) error {
		return cluster.Records(ctx, testTopic, partition, from, to, f)
	}
	return topics.Partition
}

func someLogs(partitions int) [][]record {
	var logs [][]record
	for p := range partitions {
		logs = append(logs, newGenerator(uint64(100+p)).log(250, 12*event.Minute))
	}
	return logs
}

// mustFeedAll archives the logs without Kafka: what the lake has to be, and where each partition's
// archive ends.
func mustFeedAll(tb testing.TB, logs [][]record) (store blob.Store, ends []int64) {
	tb.Helper()
	store = mustFolder(tb)
	o := smallOptions(store)
	o.Partitions = int32(len(logs))
	a := mustArchiver(tb, o)
	for partition, log := range logs {
		ctx := session(tb)
		for offset, r := range log {
			if err := a.partition(int32(partition)).consume(ctx, int64(offset), r.value); err != nil {
				tb.Fatal(err)
			}
		}
		ends = append(ends, a.Limit(testTopic, int32(partition)))
	}
	return store, ends
}

// waitArchived waits until the progress of all partitions is at the ends.
func waitArchived(ctx context.Context, store blob.Store, ends []int64) error {
	for {
		all, err := NewReader(store).Progress(ctx)
		if err != nil {
			return err
		}
		done := 0
		for _, p := range all {
			if p.NextOffset == ends[p.Partition] {
				done++
			}
		}
		if done == len(ends) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not archived in time: %+v, want %v", all, ends)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func sameLake(t *testing.T, store, want blob.Store, logs [][]record, ends []int64) {
	t.Helper()
	mustCheck(t, store)
	var rows []placed
	for partition, log := range logs {
		rows = append(rows, wantRows(log, int32(partition), "", ends[partition])...)
	}
	sameRows(t, readAll(t, store, ""), rows)
	onlyObjects := func(all map[string]string) map[string]string {
		for key := range all {
			if strings.HasPrefix(key, progressPrefix) || !strings.HasPrefix(key, "dt=") {
				delete(all, key)
			}
		}
		return all
	}
	sameContents(t, onlyObjects(contents(t, store)), onlyObjects(contents(t, want)))
}

// Over Kafka, killed between the upload and the commit and elsewhere, with fetches of different
// sizes: the lake is the same as without any of it, byte for byte.
func TestKafkaCrashes(t *testing.T) {
	t.Parallel()
	logs := someLogs(3)
	want, ends := mustFeedAll(t, logs)
	brokers := mustCluster(t, logs)
	inner := mustFolder(t)
	crashing := &faultyStore{Store: inner}
	rng := rand.New(rand.NewPCG(1, 2))
	fetches := []int32{2 << 10, 64 << 10, 1 << 20}
	for run := 0; ; run++ {
		ctx, kill := context.WithTimeout(context.Background(), 30*time.Second)
		if run < 4 {
			crashing.set(3+rng.IntN(40), kill, run%2 == 0)
		} else {
			crashing.set(-1, nil, false)
		}
		o := smallOptions(crashing)
		o.Brokers, o.Partitions = brokers, int32(len(logs))
		o.Goka = func(l Limit) []goka.ProcessorOption { return gokaOptions(l, fetches[run%len(fetches)]) }
		chains := withHits(t, &o)
		a := mustArchiver(t, o)
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		err := waitArchived(ctx, inner, ends)
		kill()
		start := time.Now()
		if rerr := <-done; rerr != nil {
			t.Fatal(rerr)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("run %d took %s to stop", run, took)
		}
		if err == nil && run >= 4 {
			for partition, log := range logs {
				if s := sameHits(t, inner, int32(partition), chains(int32(partition)), log); s.Next != ends[partition] || s.Began != 0 {
					t.Errorf("partition %d: hits end at %d, want %d; whole from %s", partition, s.Next, ends[partition], s.Began)
				}
			}
			break
		}
		if run > 6 || err != nil && run >= 4 {
			t.Fatal(run, err)
		}
	}
	sameLake(t, inner, want, logs, ends)
}

// An instance joins while another holds part of a segment. The session must end at once, held
// records or not: otherwise the group would wait a minute for it.
func TestKafkaRebalance(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("goka waits five seconds at each rebalance")
	}
	logs := someLogs(4)
	want, ends := mustFeedAll(t, logs)
	brokers := mustCluster(t, logs)
	store := mustFolder(t)
	gated := &gatedStore{Store: store, open: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	run := func(joined func()) chan error {
		o := smallOptions(gated)
		o.Brokers, o.Partitions = brokers, int32(len(logs))
		o.Goka = func(l Limit) []goka.ProcessorOption {
			return append(gokaOptions(l, 4<<10), goka.WithRebalanceCallback(func(a goka.Assignment) {
				if len(a) > 0 {
					joined()
				}
			}))
		}
		withHits(t, &o)
		a := mustArchiver(t, o)
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		return done
	}
	firstHas, secondHas := make(chan struct{}, 9), make(chan struct{}, 9)
	firstDone := run(func() { firstHas <- struct{}{} })
	<-firstHas
	secondDone := run(func() { secondHas <- struct{}{} })
	start := time.Now()
	select {
	case <-secondHas:
	case err := <-firstDone:
		t.Fatal("the first instance ended:", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the rebalance took %s", took)
	}
	close(gated.open)
	if err := waitArchived(ctx, store, ends); err != nil {
		t.Error(err)
	}
	start = time.Now()
	cancel()
	if err := errors.Join(<-firstDone, <-secondDone); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s to stop", took)
	}
	sameLake(t, store, want, logs, ends)
}

// gatedStore lets only the first segment of each partition through until it is opened.
type gatedStore struct {
	blob.Store
	open chan struct{}
}

func (s *gatedStore) Put(ctx context.Context, key string, body []byte) error {
	if strings.HasSuffix(key, ".parquet") && !strings.HasSuffix(key, "-00000000000000000000.parquet") {
		select {
		case <-s.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.Store.Put(ctx, key, body)
}

// What Run can't get over comes out of it as an error: here the group was committed further than
// the archive is.
func TestKafkaGap(t *testing.T) {
	t.Parallel()
	logs := someLogs(1)
	_, ends := mustFeedAll(t, logs)
	brokers := mustCluster(t, logs)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	run := func(ctx context.Context, store blob.Store) error {
		o := smallOptions(store)
		o.Brokers = brokers
		o.Goka = func(l Limit) []goka.ProcessorOption { return gokaOptions(l, 1<<20) }
		return mustArchiver(t, o).Run(ctx)
	}
	first := mustFolder(t)
	firstCtx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- run(firstCtx, first) }()
	if err := waitArchived(ctx, first, ends); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	old := mustFolder(t)
	early := Progress{Version: progressVersion, Topic: testTopic, Partitions: 1}
	if err := mustArchiver(t, smallOptions(old)).partition(0).store(ctx, &early); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, old); !errors.Is(err, ErrGap) {
		t.Errorf("got %v, want ErrGap", err)
	}
}
