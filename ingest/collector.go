package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/arrivals"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
)

// Collector takes beacons in and writes them to Kafka.
type Collector struct {
	opts       Options
	policies   atomic.Pointer[policies]
	identity   *identity.Identity
	client     *kgo.Client
	partitions []*partition
	metrics    *metrics
	network    identity.Network
	proxies    *identity.ProxyWatch
	endpoints  endpoints
	clock      *wallClock
	late       lateEvents

	spooler  *spooler // nil for none
	pending  budget
	buffers  buffers
	noted    notesPool
	ids      idSource
	requests sync.Pool // of *request
	bodies   *protocol.Bodies

	bySite    *limiter[string]
	byAddress *limiter[netip.Prefix]
	newSites  *newSites
	quotas    *quotas

	siteCounts *siteCounts
	arrivals   *arrivals.Log

	lastError atomic.Int64 // when a produce error was logged last, Unix seconds
	lastBug   atomic.Int64 // when a panic of a protocol was logged last, Unix seconds
	health    health
	closing   atomic.Bool
	life      context.Context // ends with Close
	end       context.CancelFunc
	stopped   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open connects to Kafka, checks that the topic is there with the right number of partitions, and
// starts the ticks. It waits for Kafka until ctx ends.
func Open(ctx context.Context, opts Options) (*Collector, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	id, err := identity.New(opts.Secret, opts.Salts)
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
		opts:       opts,
		identity:   id,
		network:    opts.network(),
		client:     client,
		pending:    budget{most: opts.MaxPendingBytes},
		ids:        idSource{prefix: idPrefix(opts.CollectorID, opts.Now())},
		bodies:     protocol.NewBodies(opts.MaxBodyBytes),
		bySite:     newLimiter(opts.SiteRate, strings.Clone),
		byAddress:  newLimiter[netip.Prefix](opts.AddressRate, nil),
		newSites:   newNewSites(opts.NewSites),
		quotas:     openQuotas(opts.Quotas, opts.Log),
		siteCounts: newSiteCounts(opts.Protocols),
		arrivals:   arrivals.New(),
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.siteCounts.name(siteIDs(opts.Sites)...)
	c.policies.Store(newPolicies(&opts))
	c.health.opened = time.Now()
	c.requests.New = func() any { return c.newRequest() }
	c.metrics = newMetrics(&c.pending)
	c.proxies = identity.NewProxyWatch(opts.Log, func(sign string) identity.Counter { return c.metrics.hidden.WithLabelValues(sign) })
	c.endpoints = newEndpoints(opts.Protocols, c.metrics)
	c.clock = newWallClock(&opts, c.metrics)
	c.metrics.watch(c.clock)
	c.metrics.registered = append(c.metrics.registered, c.siteCounts)
	for i := range n {
		c.partitions = append(c.partitions, newPartition(c, i))
	}
	err = c.openSpool()
	if err == nil {
		if err = c.metrics.register(opts.Metrics); err != nil {
			err = errors.Join(fmt.Errorf("register metrics: %w", err), c.spooler.close())
		}
	}
	if err != nil {
		c.end()
		client.Close()
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if c.spooler != nil {
		c.stopped.Go(c.spooler.run)
	}
	stepped := make(chan struct{}, 1)
	c.stopped.Go(func() { c.ticks(stepped) })
	c.stopped.Go(c.saveQuotas)
	c.stopped.Go(func() { (&logClock{c: c}).run(c.life, stepped) })
	return c, nil
}

// Close refuses further requests with 503, waits until Kafka has acknowledged what was taken in, at
// most Options.AckTimeout, sends a last tick, and closes the client. An error says what was not
// acknowledged. Further calls return the same.
func (c *Collector) Close() error {
	c.closeOnce.Do(func() { c.closeErr = c.close() })
	return c.closeErr
}

func (c *Collector) close() error {
	// Refuse first, so that nothing comes behind the last tick; then stop the ticker, which takes the
	// same locks; then flush. The client goes last: the promises of its records answer the requests
	// that still wait.
	c.closing.Store(true)
	c.end()
	c.stopped.Wait()
	for _, p := range c.partitions {
		p.close()
	}
	wait := c.opts.AckTimeout
	if c.spooler != nil { // what is not acknowledged by then goes there
		wait = min(wait, spoolAfter)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err := c.client.Flush(ctx)
	c.client.Close()
	c.metrics.unregister(c.opts.Metrics)
	if err != nil {
		err = fmt.Errorf("ingest: close: not all events were acknowledged by kafka: %w", err)
	}
	return errors.Join(err, c.spooler.close())
}

// ticks sends ticks and looks at the clock until the collector closes.
func (c *Collector) ticks(stepped chan<- struct{}) {
	t := time.NewTicker(c.opts.TickEvery)
	defer t.Stop()
	for {
		for _, p := range c.partitions {
			p.tick()
		}
		if c.clock.look() {
			select {
			case stepped <- struct{}{}:
			default:
			}
		}
		select {
		case <-t.C:
		case <-c.life.Done():
			return
		}
	}
}

// saveQuotas writes the file of quotas until the collector closes, and then a last time. Of errors in
// a row the first is logged.
func (c *Collector) saveQuotas() {
	t := time.NewTicker(quotasEvery)
	defer t.Stop()
	failing := false
	for open := true; open; {
		select {
		case <-t.C:
		case <-c.life.Done():
			open = false
		}
		err := c.quotas.save()
		if err != nil && !failing {
			c.opts.Log.Error("quotas would begin anew after a restart", "err", err)
		}
		failing = err != nil
	}
}

func (c *Collector) now() time.Time { return c.opts.Now() }

// failed counts a record that Kafka did not take, and logs it, at most one a second: when Kafka is
// away there are thousands. One that was refused for its time has been logged.
func (c *Collector) failed(partition int32, err error, logged bool) {
	c.metrics.produceErrs.Inc()
	c.health.failed(err)
	if logged {
		return
	}
	now := time.Now().Unix()
	if last := c.lastError.Load(); last != now && c.lastError.CompareAndSwap(last, now) {
		c.opts.Log.Error("kafka did not take a record", "topic", c.opts.Topic, "partition", partition, "err", err)
	}
}

// partition returns the partition of an event.
func (c *Collector) partition(in *protocol.Input) *partition {
	return c.partitions[event.Partition(in.Site, in.Shard, int32(len(c.partitions)))]
}
