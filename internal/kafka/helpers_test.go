package kafka

import (
	"context"
	"fmt"
	"hash"
	"hash/fnv"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/internal/broker"
	"millrace/internal/testgc"
	"millrace/internal/testparallel"
	"millrace/internal/testtmp"
)

func TestMain(m *testing.M) {
	testparallel.Raise()
	testgc.Relax()
	testtmp.Memory()
	goleak.VerifyTestMain(m,
		// Sarama's metrics library starts one per process, for good.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

const (
	testTopic = "in"
	testGroup = "group"
)

var quiet = slog.New(slog.DiscardHandler)

// mustBroker is the embedded broker, in memory.
func mustBroker(t *testing.T) *Cluster {
	t.Helper()
	b, err := broker.Open(broker.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return &Cluster{Brokers: b.Addrs(), Dialer: b.Dialer()}
}

// mustFake is kfake itself, on a port, for what the embedded broker does not let us do.
func mustFake(t *testing.T) (*kfake.Cluster, *Cluster) {
	t.Helper()
	f, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f, &Cluster{Brokers: f.ListenAddrs()}
}

func mustEnsure(t *testing.T, c *Cluster, topics ...Topic) {
	t.Helper()
	if err := c.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
}

// mustProduce writes n records of values "0", "1", … to partition 0 of a topic.
func mustProduce(t *testing.T, c *Cluster, topic string, n int) {
	t.Helper()
	client := mustClient(t, c)
	records := make([]*kgo.Record, n)
	for i := range n {
		records[i] = &kgo.Record{Topic: topic, Key: []byte("#0"), Value: fmt.Append(nil, i)}
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// mustClient returns a client that writes to the partition a record names.
func mustClient(t *testing.T, c *Cluster) *kgo.Client {
	t.Helper()
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	if c.Dialer != nil {
		opts = append(opts, kgo.Dialer(func(_ context.Context, network, addr string) (net.Conn, error) { return c.Dialer.Dial(network, addr) }))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// committed asks the broker for the group's offset, -1 for none.
func committed(t *testing.T, c *Cluster) int64 {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(c.Brokers, c.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	resp, err := admin.ListConsumerGroupOffsets(testGroup, map[string][]int32{testTopic: {0}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetBlock(testTopic, 0).Offset
}

// eventually polls until ok, for half a minute at most: real brokers on a busy machine take seconds
// to form a group.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited 30 s for %s", what)
}

// proc is a running goka processor.
type proc struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	err    error

	mu     sync.Mutex // guards what follows
	seen   []int64
	acked  int // records of the output that the broker has taken
	finish map[int64]func(error)
}

// start runs a processor that keeps all commits back until they are finished by hand, or the
// callback given instead.
func start(t *testing.T, c *Cluster, callback func(*proc, goka.Context, any), opts ...goka.ProcessorOption) *proc {
	t.Helper()
	p := &proc{t: t, done: make(chan struct{}), finish: map[int64]func(error){}}
	if callback == nil {
		callback = func(p *proc, ctx goka.Context, _ any) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.seen = append(p.seen, ctx.Offset())
			p.finish[ctx.Offset()] = ctx.DeferCommit()
		}
	}
	graph := goka.DefineGroup(testGroup,
		goka.Input(testTopic, new(codec.Bytes), func(ctx goka.Context, msg any) { callback(p, ctx, msg) }),
		goka.Output("out", new(codec.Bytes)))
	g, err := goka.NewProcessor(c.Brokers, graph, append(c.GokaOptions(GroupOptions{
		Hasher: func() hash.Hash32 { return fnv.New32a() },
		Log:    quiet,
		OnProduced: func(*sarama.ProducerMessage) {
			p.mu.Lock()
			p.acked++
			p.mu.Unlock()
		},
	}), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.done)
		p.err = g.Run(ctx)
	}()
	t.Cleanup(func() { p.stop() })
	return p
}

// stop ends the processor cleanly. What was never finished is finished with an error, since goka
// waits for it.
func (p *proc) stop() error {
	p.cancel()
	p.mu.Lock()
	for _, f := range p.finish {
		f(context.Canceled)
	}
	clear(p.finish)
	p.mu.Unlock()
	<-p.done
	return p.err
}

func (p *proc) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen)
}

func (p *proc) finished(offset int64) {
	p.mu.Lock()
	f := p.finish[offset]
	delete(p.finish, offset)
	p.mu.Unlock()
	f(nil)
}
