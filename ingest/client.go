package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clientOptions are the caller's options and then ours, which win.
func clientOptions(o *Options) []kgo.Opt {
	opts := append([]kgo.Opt{kgo.ClientID("millrace-ingest")}, o.Kafka...)
	return append(opts,
		// The promise: every in-sync replica has it, once, in order. (Idempotence is the client's
		// default.)
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// Batching is done here already.
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(1_000_012),
		// A record's time is bounded even if a request is in flight whose outcome is not known: memory
		// must not be held for as long as a broker is away. The client then starts a new epoch, so that a
		// broker that was only slow can't write the old request behind newer ones. That event may be
		// stored although its sender was told 503; it is the same as with a lost answer, and ids
		// deduplicate it.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.RecordDeliveryTimeout(o.AckTimeout),
		kgo.ProduceRequestTimeout(o.AckTimeout),
		kgo.RequestTimeoutOverhead(5*time.Second),
		// The client's pause after an error is 250 ms to 5 s by default: half the time a request waits.
		kgo.RetryBackoffFn(func(tries int) time.Duration {
			return min(time.Second, 50*time.Millisecond<<min(tries, 10))
		}),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.DisableClientMetrics(),
	)
}

// countPartitions requests the topic's metadata itself: kadm's gives up after three tries, and a
// collector starts beside its brokers.
func countPartitions(ctx context.Context, client *kgo.Client, topic string) (int32, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return 0, fmt.Errorf("ask kafka for topic %q: %w", topic, err)
	}
	if len(res.Topics) != 1 {
		return 0, fmt.Errorf("ask kafka for topic %q: the answer names %d topics", topic, len(res.Topics))
	}
	if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil {
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return 0, fmt.Errorf("topic %q does not exist: create it first: %w", topic, err)
		}
		return 0, fmt.Errorf("topic %q: %w", topic, err)
	}
	return int32(len(res.Topics[0].Partitions)), nil
}
