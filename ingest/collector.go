package ingest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

// Collector takes beacons in and writes them to Kafka.
type Collector struct {
	opts       Options
	policies   policies
	identity   *enrich.Identity
	client     *kgo.Client
	partitions []*partition
	metrics    *metrics

	pending  budget
	buffers  buffers
	ids      idSource
	requests sync.Pool // of *request
	unpack   unpacker

	bySite    *limiter[string]
	byAddress *limiter[netip.Prefix]

	lastError atomic.Int64 // when a produce error was logged last, Unix seconds
	closing   atomic.Bool
	stop      chan struct{}
	stopped   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open connects to Kafka, checks that the topic is there with the right number of partitions, and starts the ticks. It
// waits for Kafka until ctx ends.
func Open(ctx context.Context, opts Options) (*Collector, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	identity, err := enrich.New(opts.Secret)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	client, err := kgo.NewClient(clientOptions(&opts)...)
	if err != nil {
		return nil, fmt.Errorf("ingest: kafka client: %w", err)
	}
	n, err := countPartitions(ctx, client, opts.Topic)
	if err == nil && opts.Partitions != 0 && n != opts.Partitions {
		err = fmt.Errorf("topic %q has %d partitions, want %d", opts.Topic, n, opts.Partitions)
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("ingest: %w", err)
	}
	c := &Collector{
		opts:      opts,
		policies:  newPolicies(&opts),
		identity:  identity,
		client:    client,
		pending:   budget{most: opts.MaxPendingBytes},
		ids:       idSource{prefix: idPrefix(opts.CollectorID, opts.Now())},
		unpack:    newUnpacker(opts.MaxBodyBytes),
		bySite:    newLimiter[string](opts.SiteRate),
		byAddress: newLimiter[netip.Prefix](opts.AddressRate),
		stop:      make(chan struct{}),
	}
	c.requests.New = func() any { return new(request) }
	c.metrics = newMetrics(&c.pending)
	if err := c.metrics.register(opts.Metrics); err != nil {
		client.Close()
		return nil, fmt.Errorf("ingest: register metrics: %w", err)
	}
	for i := range n {
		c.partitions = append(c.partitions, newPartition(c, i))
	}
	c.stopped.Go(c.ticks)
	return c, nil
}

// Close refuses further requests with 503, waits until Kafka has acknowledged what was taken in, at most
// Options.AckTimeout, sends a last tick, and closes the client. An error says what was not acknowledged. Further calls
// return the same.
func (c *Collector) Close() error {
	c.closeOnce.Do(func() { c.closeErr = c.close() })
	return c.closeErr
}

func (c *Collector) close() error {
	// Refuse first, so that nothing comes behind the last tick; then stop the ticker, which takes the same locks; then
	// flush. The client goes last: the promises of its records answer the requests that still wait.
	c.closing.Store(true)
	close(c.stop)
	c.stopped.Wait()
	for _, p := range c.partitions {
		p.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.AckTimeout)
	defer cancel()
	err := c.client.Flush(ctx)
	c.client.Close()
	c.metrics.unregister(c.opts.Metrics)
	if err != nil {
		return fmt.Errorf("ingest: close: not all events were acknowledged by kafka: %w", err)
	}
	return nil
}

func (c *Collector) ticks() {
	t := time.NewTicker(c.opts.TickEvery)
	defer t.Stop()
	for {
		for _, p := range c.partitions {
			p.tick()
		}
		select {
		case <-t.C:
		case <-c.stop:
			return
		}
	}
}

func (c *Collector) now() time.Time { return c.opts.Now() }

// failed counts a record that Kafka did not take, and logs it, at most one a second: when Kafka is away there are thousands.
func (c *Collector) failed(partition int32, err error) {
	c.metrics.produceErrs.Inc()
	now := time.Now().Unix()
	if last := c.lastError.Load(); last != now && c.lastError.CompareAndSwap(last, now) {
		c.opts.Log.Error("kafka did not take a record", "topic", c.opts.Topic, "partition", partition, "err", err)
	}
}

// clientOptions are the caller's options and then ours, which win.
func clientOptions(o *Options) []kgo.Opt {
	opts := append([]kgo.Opt{kgo.ClientID("millrace-ingest")}, o.Kafka...)
	return append(opts,
		// The promise: every in-sync replica has it, once, in order. (Idempotence is the client's default.)
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// Batching is done here already.
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(1_000_012),
		// A record's time is bounded even if a request is in flight whose outcome nobody knows: memory must not be held
		// for as long as a broker is away. The client then starts a new epoch, so that a broker that was only
		// slow can't write the old request behind newer ones. That event may be stored although its sender was
		// told 503; it is the same as with a lost answer, and ids deduplicate it.
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

// idPrefix is unique per start: collectors of one topic have distinct ids, and two starts of one collector differ in time
// or in four random characters.
func idPrefix(collector string, now time.Time) string {
	b := append([]byte(collector), '-')
	b = appendBase36(b, uint64(now.UnixMilli()))
	b = append(b, rand.Text()[:4]...)
	return string(append(b, '-'))
}

// partition returns the partition of an event.
func (c *Collector) partition(in *Input) *partition {
	return c.partitions[event.Partition(in.Site, in.Shard, int32(len(c.partitions)))]
}
