package commits

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/kafka"
)

// Topics is the topic of commits in Kafka. Any number of goroutines may use it.
type Topics struct {
	cluster *kafka.Cluster
	more    []kgo.Opt
	topic   string
	client  *kgo.Client
}

// OpenTopics returns the topic of commits of a cluster, by Cluster.Names; it makes no request. More are further options of its
// clients, such as the dialer of the embedded broker.
func OpenTopics(cluster *kafka.Cluster, more ...kgo.Opt) (*Topics, error) {
	t := &Topics{cluster: cluster, more: more, topic: cluster.Names.Of(Topic)}
	var err error
	t.client, err = t.newClient(kafka.ToWrite, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(kafka.MaxRecordBytes),
		// A record that is written twice counts once, by rule L1; and a write that is idempotent can't be given up.
		kgo.DisableIdempotentWrite(), kgo.RecordDeliveryTimeout(appendTimeout))
	return t, err
}

// appendTimeout is after how long a write counts as one of which it is not known whether it was done.
const appendTimeout = 20 * time.Second

// Close disconnects.
func (t *Topics) Close() error {
	t.client.Close()
	return nil
}

func (t *Topics) newClient(purpose string, opts ...kgo.Opt) (*kgo.Client, error) {
	all := append(t.cluster.ClientOptionsTo(purpose), t.more...)
	client, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("topic %s: connect to Kafka: %w", t.topic, err)
	}
	return client, nil
}

// Partition returns a partition of the topic.
func (t *Topics) Partition(p int32) Log { return &partition{t, p} }

type partition struct {
	*Topics
	id int32
}

func (p *partition) wrap(verb string, err error) error {
	return fmt.Errorf("%s %s/%d: %w", verb, p.topic, p.id, err)
}

func (p *partition) Bounds(ctx context.Context) (start, end int64, err error) {
	starts, ends, err := kafka.Bounds(ctx, p.client, p.topic)
	if err != nil {
		return 0, 0, err
	}
	start, ok1 := starts[p.id]
	end, ok2 := ends[p.id]
	if !ok1 || !ok2 {
		return 0, 0, p.wrap("bounds of", errors.New("there is no such partition"))
	}
	return start, end, nil
}

func (p *partition) Append(ctx context.Context, record []byte) (int64, error) {
	r, err := p.client.ProduceSync(ctx, &kgo.Record{Topic: p.topic, Partition: p.id, Value: record}).First()
	if err != nil {
		return 0, p.wrap("write to", err)
	}
	return r.Offset, nil
}

func (p *partition) Read(ctx context.Context, from, to int64, fn func(offset int64, record []byte) error) error {
	if from >= to {
		return nil
	}
	client, err := p.newClient(kafka.ToRead, kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.DisableFetchSessions(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {p.id: kgo.NewOffset().At(from)}}))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		for _, f := range fetches.Errors() {
			if errors.Is(f.Err, kerr.OffsetOutOfRange) {
				return p.wrap("read", ErrTrimmed)
			}
			return p.wrap("read", f.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset >= to {
				return nil
			}
			if err := fn(r.Offset, r.Value); err != nil {
				return err
			}
			if r.Offset == to-1 {
				return nil
			}
		}
	}
}

func (p *partition) Trim(ctx context.Context, before int64) error {
	offsets := kadm.Offsets{}
	offsets.AddOffset(p.topic, p.id, before, -1)
	res, err := kadm.NewClient(p.client).DeleteRecords(ctx, offsets)
	if err == nil {
		err = res.Error()
	}
	if err != nil {
		return p.wrap("delete old records of", err)
	}
	return nil
}
