package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/all"
	"millrace/internal/site"
)

const oneEvent = `{"site":"a.example","name":"x"}`

func TestKafkaRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	reg := prometheus.NewRegistry()
	c := mustOpen(t, cluster, func(o *Options) { o.AckTimeout, o.Metrics = time.Second, reg })
	f := func(name string, err *kerr.Error) {
		t.Helper()
		fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: -1})
		res := call(c, outside, "POST", "/v1/events", oneEvent)
		if res.StatusCode() != 503 || string(res.Header.Peek("Retry-After")) != "2" ||
			!strings.Contains(string(res.Body()), "kafka did not acknowledge") {
			t.Errorf("%s: got %d %s", name, res.StatusCode(), res.Body())
		}
		fault.Remove()
		// The client gives a record up at its next retry, and with it those that came in behind it.
		eventually(t, "events are accepted after "+name, func() bool {
			return call(c, outside, "POST", "/v1/events", oneEvent).StatusCode() == 202
		})
	}
	f("a final error", kerr.InvalidRecord)
	f("an error that is retried", kerr.NotLeaderForPartition)
	f("not enough replicas", kerr.NotEnoughReplicas)
	if n := value(t, c.metrics.refused[protocol.ReasonKafka]); n < 3 {
		t.Errorf("%v refusals were counted", n)
	}
	if n := value(t, c.metrics.accepted.WithLabelValues("v1")); n != 3 {
		t.Errorf("%v events were counted", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n := c.pending.used.Load(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
	if left, _ := reg.Gather(); len(left) != 0 {
		t.Errorf("%d metrics are still registered", len(left))
	}
}

func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.Counter.GetValue()
}

// TestEvery2xxIsInKafkaOnce sends events with ids from many goroutines while produce requests fail, some for good and some
// until they are tried again.
func TestEvery2xxIsInKafkaOnce(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.AckTimeout, o.MaxRecordEvents, o.TickEvery = 5*time.Second, 7, 10*time.Second
	})
	waitTicks(t, cluster) // so that the first request that is failed has events
	var n atomic.Int64
	cluster.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1,
			When: func(kmsg.Request) bool { return n.Add(1)%5 == 0 }},
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: -1,
			When: func(kmsg.Request) bool { i := n.Add(1); return i == 2 || i%31 == 0 }},
	)
	var mu sync.Mutex
	accepted := make(map[string]bool)
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 6 {
				id := fmt.Sprintf("%d-%d", g, i)
				body := fmt.Sprintf(`[{"site":"s%d.example","name":"x","id":"%s"},{"site":"t%d.example","name":"x","id":"%s"}]`, i%9, id, i%7, id)
				res := call(c, outside, "POST", "/v1/events", body)
				switch res.StatusCode() {
				case 202:
					mu.Lock()
					accepted[id] = true
					mu.Unlock()
				case 503:
				default:
					t.Errorf("got %d %s", res.StatusCode(), res.Body())
				}
			}
		})
	}
	wg.Wait()
	c.Close()
	stored := make(map[string]int)
	for _, e := range allEvents(readAll(t, cluster)) {
		stored[e.ID+e.Site[:1]]++
	}
	for id := range accepted {
		if stored[id+"s"] != 1 || stored[id+"t"] != 1 {
			t.Errorf("accepted %s: stored %d and %d times", id, stored[id+"s"], stored[id+"t"])
		}
	}
	for id, n := range stored {
		if n != 1 {
			t.Errorf("%s is stored %d times", id, n)
		}
	}
	if len(accepted) == 0 || len(accepted) == 300 {
		t.Errorf("%d of 300 requests were accepted: the faults did not bite, or always", len(accepted))
	}
}

// TestBrokerGone: the broker vanishes under load. Every request is answered, memory is bounded, further requests are
// refused, and everything is given back.
func TestBrokerGone(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	const most = 64 << 10
	c := mustOpen(t, cluster, func(o *Options) {
		o.AckTimeout, o.MaxPendingBytes, o.MaxBodyBytes = time.Second, most, 8<<10
	})
	if res := call(c, outside, "POST", "/v1/events", oneEvent); res.StatusCode() != 202 {
		t.Fatalf("got %d", res.StatusCode())
	}
	cluster.Close()
	body := `{"site":"a.example","name":"x","props":{"long":"` + strings.Repeat("x", 2000) + `"}}`
	var capacity, kafka atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			res := call(c, outside, "POST", "/v1/events", body)
			if used := c.pending.used.Load(); used > most {
				t.Errorf("%d bytes are pending, the limit is %d", used, most)
			}
			switch retry := string(res.Header.Peek("Retry-After")); {
			case res.StatusCode() == 503 && retry == "1":
				capacity.Add(1)
			case res.StatusCode() == 503 && retry == "2":
				kafka.Add(1)
			default:
				t.Errorf("got %d %s", res.StatusCode(), res.Body())
			}
		})
	}
	wg.Wait()
	if capacity.Load() == 0 || kafka.Load() == 0 {
		t.Errorf("%d were refused for capacity, %d for kafka", capacity.Load(), kafka.Load())
	}
	eventually(t, "nothing is reserved", func() bool { return c.pending.used.Load() == 0 })
}

// held is a Kafka that keeps every record and says nothing, until release.
type held struct {
	mu      sync.Mutex
	waiting []func()
}

func (h *held) TryProduce(_ context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = append(h.waiting, func() { promise(r, kerr.NotEnoughReplicas) })
}

func (h *held) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.waiting {
		f()
	}
	h.waiting = nil
}

// TestPendingIsBounded: what is pending is never over the limit, even if events are many times as long as what was sent (a user
// agent comes with each), or were sent without a body.
func TestPendingIsBounded(t *testing.T) {
	const most = 256 << 10
	f := func(t *testing.T, method, uri, body string) {
		t.Helper()
		t.Parallel() // each waits for a second
		var h held
		c := mustOpen(t, mustCluster(t), func(o *Options) {
			o.AckTimeout, o.MaxPendingBytes, o.MaxBodyBytes = time.Second, most, 8<<10
			o.TickEvery = 10 * time.Second
		})
		for _, p := range c.partitions {
			p.mu.Lock()
			p.out = &h
			p.mu.Unlock()
		}
		var capacity atomic.Int64
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				res := call(c, outside, method, uri, body, "User-Agent", "Mozilla/5.0 "+strings.Repeat("y", 1000))
				if res.StatusCode() != 503 {
					t.Errorf("got %d %s", res.StatusCode(), res.Body())
				}
				if string(res.Header.Peek("Retry-After")) == "1" {
					capacity.Add(1)
				}
				if used := c.pending.used.Load(); used > most {
					t.Errorf("%d bytes are pending, the limit is %d", used, most)
				}
			})
		}
		wg.Wait()
		// What was taken in stays: nothing is acknowledged.
		if used := c.pending.used.Load(); used > most || used < most/8 || capacity.Load() == 0 {
			t.Errorf("%d bytes of %d are pending, %d of 300 requests were refused", used, most, capacity.Load())
		}
		h.release()
		if used := c.pending.used.Load(); used != 0 {
			t.Errorf("%d bytes are still reserved", used)
		}
	}
	t.Run("pixels", func(t *testing.T) { f(t, "GET", "/v1/pixel.gif?site=a.example", "") })
	t.Run("short events", func(t *testing.T) {
		f(t, "POST", "/v1/events", "["+strings.Repeat(oneEvent+",", 19)+oneEvent+"]")
	})
	t.Run("escapes", func(t *testing.T) {
		f(t, "POST", "/v1/events", `{"site":"a.example","name":"x","props":{"long":"`+strings.Repeat(`\"`, 1000)+`"}}`)
	})
}

// TestLoneGiant: a request that needs more than the limit is let through when nobody else is there, and not otherwise.
func TestLoneGiant(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) { o.MaxPendingBytes, o.MaxBodyBytes = 64<<10, 64<<10 })
	body := "[" + strings.Repeat(oneEvent+",", 999) + oneEvent + "]"
	eventually(t, "it is taken in", func() bool { return call(c, outside, "POST", "/v1/events", body).StatusCode() == 202 })
	if !c.pending.take(1, 0) {
		t.Fatal("one byte is not to be had")
	}
	if res := call(c, outside, "POST", "/v1/events", body); res.StatusCode() != 503 || string(res.Header.Peek("Retry-After")) != "1" {
		t.Errorf("beside another: got %d %s", res.StatusCode(), res.Body())
	}
	c.pending.give(1)
}

// TestLowAndTicks: in each partition, no event was received before a low watermark that is in front of it, lows never step
// back, and ticks come while events do. The wall clock steps about meanwhile.
func TestLowAndTicks(t *testing.T) {
	cluster := mustCluster(t)
	var step atomic.Int64
	c := mustOpen(t, cluster, func(o *Options) {
		o.TickEvery, o.Linger, o.MaxRecordEvents = 10*time.Millisecond, 100*time.Microsecond, 5
		o.Now = func() time.Time { return time.Now().Add(time.Duration(step.Load())) }
	})
	stop := make(chan struct{})
	var steps sync.WaitGroup
	steps.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				step.Store(rng.Int64N(int64(time.Second)) - int64(time.Second)/2)
			}
		}
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 150 {
				call(c, outside, "POST", "/v1/events", fmt.Sprintf(`{"site":"s%d.example","name":"x"}`, (g+i)%20))
			}
		})
	}
	wg.Wait()
	for p := range int32(testPartitions) { // from here on there are only ticks
		end := cluster.PartitionInfo(testTopic, p).HighWatermark
		eventually(t, "ticks are written", func() bool { return cluster.PartitionInfo(testTopic, p).HighWatermark >= end+3 })
	}
	close(stop)
	steps.Wait()
	c.Close()
	low := make(map[int32]event.Time)
	ticks, events := make(map[int32]int), 0
	var last [testPartitions]record
	for _, r := range readAll(t, cluster) {
		for _, e := range r.events {
			if e.Received < low[r.partition] {
				t.Fatalf("partition %d: an event received %s behind low %s", r.partition, e.Received, low[r.partition])
			}
			if got := event.Partition(e.Site, 0, testPartitions); got != r.partition {
				t.Fatalf("site %s is in partition %d, want %d", e.Site, r.partition, got)
			}
			events++
		}
		if r.low < low[r.partition] {
			t.Fatalf("partition %d: low %s behind %s", r.partition, r.low, low[r.partition])
		}
		if r.key != event.Key(r.partition) || r.collector != "c1" || len(r.events) > 5 {
			t.Fatalf("record of partition %d: key %q, collector %q, %d events", r.partition, r.key, r.collector, len(r.events))
		}
		low[r.partition] = r.low
		if len(r.events) == 0 {
			ticks[r.partition]++
		}
		last[r.partition] = r
	}
	if events != 8*150 {
		t.Errorf("%d events, want %d", events, 8*150)
	}
	for p := range int32(testPartitions) {
		if ticks[p] < 3 {
			t.Errorf("partition %d has %d ticks", p, ticks[p])
		}
		if len(last[p].events) != 0 {
			t.Errorf("partition %d does not end with a tick", p)
		}
	}
}

// TestRecordsFill: events that arrive together share a record, up to the limits.
func TestRecordsFill(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) { o.TickEvery, o.Linger = 10*time.Second, time.Second })
	waitTicks(t, cluster) // they would cut the batches
	call(c, outside, "POST", "/v1/events", "["+strings.Repeat(oneEvent+",", 249)+oneEvent+"]")
	long := `{"site":"a.example","name":"x","props":{` + props(30, 2000) + `}}`
	call(c, outside, "POST", "/v1/events", "["+strings.Repeat(long+",", 9)+long+"]")
	c.Close()
	var sizes []int
	for _, r := range readAll(t, cluster) {
		if len(r.events) > 0 {
			sizes = append(sizes, len(r.events))
		}
		if len(r.value) > 700_000 {
			t.Errorf("a record of %d bytes", len(r.value))
		}
	}
	if got := fmt.Sprint(sizes); got != "[100 100 50 9 1]" {
		t.Errorf("records of %s events", got)
	}
}

func props(n, size int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%02d":"%s"`, i, strings.Repeat("v", size))
	}
	return b.String()
}

// TestClose: requests under way are answered with what became of them, later ones are refused, and closing twice is
// closing once.
func TestClose(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) { o.TickEvery = 10 * time.Second })
	waitTicks(t, cluster)
	sent := make(chan struct{})
	var once sync.Once
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1,
		When: func(kmsg.Request) bool { once.Do(func() { close(sent) }); return true }})
	done := make(chan int, 1)
	go func() { done <- call(c, outside, "POST", "/v1/events", oneEvent).StatusCode() }()
	<-sent
	fault.Remove()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if status := <-done; status != 202 {
		t.Errorf("the request under way got %d", status)
	}
	res := call(c, outside, "POST", "/v1/events", oneEvent)
	if res.StatusCode() != 503 || string(res.Body()) != `{"error":"shutting down, try again"}` {
		t.Errorf("got %d %s", res.StatusCode(), res.Body())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n := len(allEvents(readAll(t, cluster))); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	cluster := mustCluster(t)
	patience := time.Minute
	base := Options{Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, CollectorID: "c1", Secret: testSecret,
		Salts: identity.NewDerived(testSecret), Protocols: all.Protocols()}
	f := func(want string, change func(*Options)) {
		t.Helper()
		o := base
		change(&o)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c, err := Open(ctx, o)
		if err == nil {
			c.Close()
			t.Errorf("no error, want %s", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	f(`topic "nowhere" does not exist: create it first`, func(o *Options) { o.Topic = "nowhere" })
	f(`topic "millrace.events" has 4 partitions, want 5`, func(o *Options) { o.Partitions = 5 })
	f("ingest options: Kafka: at least kgo.SeedBrokers is needed\nCollectorID: \"\" is not 1 to 32 of a-z 0-9 -\nSecret: 0 bytes, want 32\nSalts: are needed\n"+
		"Sites[0]: site \"A\": a site id has 1 to 253 characters of a-z 0-9 . -\nLinger: 2s is not between 100µs and 1s",
		func(o *Options) {
			*o = Options{Protocols: all.Protocols(), Sites: []site.Site{{ID: "A"}}, Linger: 2 * time.Second}
		})
	f("ingest options: Protocols: at least one is needed", func(o *Options) { o.Protocols = nil })
	f(`ingest options: Protocols: protocol "v1" is there twice`, func(o *Options) { o.Protocols = append(o.Protocols, o.Protocols[0]) })
	f(`ingest options: Sites[1]: the token "t" is empty or that of site "a"`, func(o *Options) {
		o.Sites = []site.Site{{ID: "a", Tokens: []string{"t", "u"}}, {ID: "b", Tokens: []string{"t"}}}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	patience = time.Second
	f(`ask kafka for topic "millrace.events"`, func(o *Options) { o.Kafka = []kgo.Opt{kgo.SeedBrokers(addr)} })
}
