package influx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

const partitions = 2

// kafkaBench is a Kafka with the topics, and what a test does with it.
type kafkaBench struct {
	cluster  *kafka.Cluster
	producer sarama.SyncProducer
}

func newKafka(t *testing.T) *kafkaBench {
	t.Helper()
	fakeCluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fakeCluster.Close)
	k := &kafkaBench{cluster: &kafka.Cluster{Brokers: fakeCluster.ListenAddrs()}}
	err = k.cluster.EnsureTopics(t.Context(), kafka.Topic{Name: string(Topic), Partitions: partitions}, kafka.Topic{Name: deadletter.Topic, Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	cfg := k.cluster.Config()
	cfg.Producer.Partitioner = sarama.NewCustomHashPartitioner(event.NewHasher)
	if k.producer, err = sarama.NewSyncProducer(k.cluster.Brokers, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.producer.Close() })
	return k
}

func (k *kafkaBench) send(t *testing.T, key string, value []byte) {
	t.Helper()
	_, _, err := k.producer.SendMessage(&sarama.ProducerMessage{Topic: string(Topic), Key: sarama.StringEncoder(key), Value: sarama.ByteEncoder(value)})
	if err != nil {
		t.Fatal(err)
	}
}

func (k *kafkaBench) sendWindow(t *testing.T, w *window.Window) {
	t.Helper()
	lines, err := w.AppendLines(nil)
	if err != nil {
		t.Fatal(err)
	}
	k.send(t, window.RecordKey(w.Kind, w.Site, w.Start, w.Shard), lines)
}

// committed returns the sum of the group's committed offsets, that is, how many records are done.
func (k *kafkaBench) committed(t *testing.T) int64 {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(k.cluster.Brokers, k.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	r, err := admin.ListConsumerGroupOffsets(string(Group), map[string][]int32{string(Topic): {0, 1}})
	if errors.Is(err, sarama.ErrGroupIDNotFound) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for p := range int32(partitions) {
		n += max(r.GetBlock(string(Topic), p).Offset, 0)
	}
	return n
}

func (k *kafkaBench) waitCommitted(t *testing.T, want int64) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d committed records", want), func() bool { return k.committed(t) == want })
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// run keeps an emitter running, as cmd does, until the returned function is called.
func (k *kafkaBench) run(t *testing.T, s *Sink, maxPending int64) (stop func()) {
	t.Helper()
	e, err := NewEmitter(EmitterOptions{
		Brokers: k.cluster.Brokers, Sink: s, MaxPending: maxPending,
		Goka: k.cluster.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: slog.New(slog.DiscardHandler)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := e.Run(ctx); err != nil {
				t.Logf("emitter: %v", err)
			}
		}
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Error("the emitter does not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestEmitterWritesAndCommits(t *testing.T) {
	eachDB(t, func(t *testing.T, b *bench) {
		k := newKafka(t)
		s, _ := mustSink(t, b, nil)
		k.sendWindow(t, win("a.example", 60000, 3, "/x=1"))
		k.sendWindow(t, win("a.example", 60000, 5, "/x=3"))
		k.sendWindow(t, win("a.example", 60000, 4, "/x=2"))
		k.send(t, "a.example|1", []byte("this is no line"))
		k.send(t, "a.example|2", nil)
		k.send(t, "a.example|3", []byte("page,page=/x,site=a.example events=1i,version=1i 61\n"))
		k.send(t, event.Key(1), window.Progress{Partition: 1, Low: 120000, Offset: 9}.AppendLines(nil))
		stop := k.run(t, s, 0)
		k.waitCommitted(t, 7)
		stop()
		b.want(t, "a.example", "60 page/x=3 v5", "60 totals=3 v5")
		letters := k.letters(t, 3)
		for _, l := range letters {
			if l.Topic != string(Topic) || l.Offset < 3 || l.Reason == "" {
				t.Errorf("letter %+v", l)
			}
		}
	})
}

func (k *kafkaBench) letters(t *testing.T, want int) []deadletter.Letter {
	t.Helper()
	c, err := sarama.NewConsumer(k.cluster.Brokers, k.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out []deadletter.Letter
	for p := range int32(partitions) {
		pc, err := c.ConsumePartition(deadletter.Topic, p, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		for len(out) < want {
			select {
			case m := <-pc.Messages():
				l, err := deadletter.Parse(m.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, l)
				continue
			case <-time.After(500 * time.Millisecond):
			}
			break
		}
	}
	if len(out) != want {
		t.Errorf("%d dead letters, want %d", len(out), want)
	}
	return out
}

// InfluxDB is away when the windows come; nothing is lost, nothing committed before, and the newest version stays.
func TestEmitterOutlivesAnOutage(t *testing.T) {
	eachDB(t, func(t *testing.T, b *bench) {
		k := newKafka(t)
		var down atomic.Bool
		down.Store(true)
		tr := &faults{always: func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, syscall.ECONNREFUSED
			}
			return http.DefaultTransport.RoundTrip(r)
		}}
		s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr })
		k.run(t, s, 0)
		const sites, versions = 20, 10
		for v := range int64(versions) {
			for i := range sites {
				k.sendWindow(t, win(fmt.Sprintf("s%d.example", i), 60000, v, fmt.Sprintf("/x=%d", v+1)))
			}
		}
		waitFor(t, "attempts", func() bool { return s.Stats().Retries > 3 })
		if n := k.committed(t); n != 0 {
			t.Errorf("%d records were committed while InfluxDB was away", n)
		}
		down.Store(false)
		k.waitCommitted(t, sites*versions)
		for i := range sites {
			b.want(t, fmt.Sprintf("s%d.example", i), "60 page/x=10 v9", "60 totals=10 v9")
		}
	})
}

// Killed between the write and the commit, again and again, while an engine that was thought dead sends old versions:
// what comes again does no harm.
func TestEmitterKilledBetweenWriteAndCommit(t *testing.T) {
	eachDB(t, func(t *testing.T, b *bench) {
		k := newKafka(t)
		k.sendWindow(t, win("a.example", 60000, 5, "/x=5"))
		k.sendWindow(t, win("a.example", 60000, 7, "/x=7"))
		k.sendWindow(t, win("a.example", 60000, 6, "/x=6"))
		for range 3 {
			// The answer never comes: as far as this emitter knows, nothing was written.
			written := make(chan struct{}, 100)
			tr := &faults{always: func(r *http.Request) (*http.Response, error) {
				resp, err := http.DefaultTransport.RoundTrip(r)
				if err != nil || r.URL.Path != "/write" || resp.StatusCode != 204 {
					return resp, err
				}
				resp.Body.Close()
				written <- struct{}{}
				<-r.Context().Done()
				return nil, r.Context().Err()
			}}
			s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr; o.Timeout = time.Minute })
			stop := k.run(t, s, 0)
			select {
			case <-written:
			case <-time.After(20 * time.Second):
				t.Fatal("nothing was written")
			}
			stop()
			if n := k.committed(t); n != 0 {
				t.Fatalf("%d records committed", n)
			}
			b.want(t, "a.example", "60 page/x=7 v7", "60 totals=7 v7")
		}
		k.sendWindow(t, win("a.example", 60000, 6, "/x=6"))
		s, _ := mustSink(t, b, nil)
		stop := k.run(t, s, 0)
		k.waitCommitted(t, 4)
		stop()
		// And an old one that comes after everything was committed, to another process.
		k.sendWindow(t, win("a.example", 60000, 6, "/x=6"))
		s, _ = mustSink(t, b, nil)
		k.run(t, s, 0)
		k.waitCommitted(t, 5)
		b.want(t, "a.example", "60 page/x=7 v7", "60 totals=7 v7")
		if s.Stats().Older != 1 {
			t.Errorf("%+v", s.Stats())
		}
		if b.fake != nil {
			for _, p := range b.fake.log {
				if p.fields["version"] != int64(7) {
					t.Errorf("written: %+v", p)
				}
			}
		}
	})
}

// InfluxDB is away and 40 MB of windows wait: what is read is bounded, and the group stays.
func TestEmitterMemoryIsBounded(t *testing.T) {
	b := newFake(t)
	k := newKafka(t)
	var down atomic.Bool
	down.Store(true)
	tr := &faults{always: func(r *http.Request) (*http.Response, error) {
		if down.Load() {
			return nil, syscall.ECONNREFUSED
		}
		return http.DefaultTransport.RoundTrip(r)
	}}
	s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr; o.MaxBackoff = 50 * time.Millisecond })
	const windows = 5000
	sketch := make([]byte, 6000)
	noise := rand.NewChaCha8([32]byte{1}) // real sketches don't compress either
	var batch []*sarama.ProducerMessage
	for i := range windows {
		w := win(fmt.Sprintf("s%d.example", i%500), event.Time(i/500)*60000, 1, "/x=1")
		noise.Read(sketch)
		w.Points[0].Sketch = sketch
		lines, err := w.AppendLines(nil)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, &sarama.ProducerMessage{
			Topic: string(Topic), Key: sarama.StringEncoder(window.RecordKey(w.Kind, w.Site, w.Start, 0)), Value: sarama.ByteEncoder(lines),
		})
	}
	if err := k.producer.SendMessages(batch); err != nil {
		t.Fatal(err)
	}
	batch = nil
	before := heap()
	const maxPending = 2 << 20
	k.run(t, s, maxPending)
	waitFor(t, "attempts", func() bool { return s.Stats().Retries > 5 })
	time.Sleep(300 * time.Millisecond)
	// 2 MiB here, as much again decoded, and for each of two partitions a fetch of 4 MiB in Sarama's hands and one on
	// its way.
	grown := heap() - before
	t.Logf("the heap has grown by %d KiB", grown>>10)
	if grown > 30<<20 {
		t.Errorf("the heap has grown by %d MiB while 40 MB wait", grown>>20)
	}
	if n := k.committed(t); n != 0 {
		t.Errorf("%d committed", n)
	}
	down.Store(false)
	k.waitCommitted(t, windows)
	b.fake.mu.Lock()
	defer b.fake.mu.Unlock()
	if len(b.fake.points) != 2*windows {
		t.Errorf("%d points, want %d", len(b.fake.points), 2*windows)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestQueueBlocksAndGivesUp(t *testing.T) {
	q := newQueue(2000)
	ctx, cancel := context.WithCancel(t.Context())
	var errs []error
	mk := func(size int64) *item {
		return &item{ctx: ctx, size: size, done: func(err error) { errs = append(errs, err) }}
	}
	if !q.put(mk(1500)) {
		t.Fatal("no room in an empty queue")
	}
	blocked := make(chan bool)
	go func() { blocked <- q.put(mk(1500)) }()
	select {
	case <-blocked:
		t.Fatal("a second item found room")
	case <-time.After(20 * time.Millisecond):
	}
	batch := q.take(t.Context(), time.Millisecond, 1<<20)
	q.release(batch)
	if !<-blocked || len(batch) != 1 {
		t.Fatal("the second item was given up")
	}
	go func() { blocked <- q.put(mk(1 << 40)) }() // larger than the queue: waits for all of it
	cancel()
	if <-blocked {
		t.Fatal("an item of a partition that was taken away found room")
	}
	q.close()
	if len(errs) != 1 || !errors.Is(errs[0], errGivenUp) {
		t.Errorf("the item left behind: %v", errs)
	}
}

// A partition goes to another process and comes back: what that one wrote is not overwritten from memory.
func TestEmitterForgetsBetweenSessions(t *testing.T) {
	b := newFake(t)
	k := newKafka(t)
	s, _ := mustSink(t, b, nil)
	k.sendWindow(t, win("a.example", 60000, 5, "/x=5"))
	stop := k.run(t, s, 0)
	k.waitCommitted(t, 1)
	stop()
	other, _ := mustSink(t, b, nil)
	if err := other.Write(t.Context(), []*window.Window{win("a.example", 60000, 9, "/x=9")}); err != nil {
		t.Fatal(err)
	}
	k.sendWindow(t, win("a.example", 60000, 8, "/x=8"))
	k.run(t, s, 0)
	k.waitCommitted(t, 2)
	b.want(t, "a.example", "60 page/x=9 v9", "60 totals=9 v9")
}

// A refused point that can't be kept as a dead letter holds the commit.
func TestEmitterHoldsTheCommitForDeadLetters(t *testing.T) {
	b := newFake(t)
	b.fake.refuse = "/bad"
	k := newKafka(t)
	var broken atomic.Int64
	s, dead := mustSink(t, b, nil)
	good := s.opts.Dead
	s.opts.Dead = func(ctx context.Context, l letter) error {
		if broken.Add(1) < 3 {
			return errors.New("nobody takes letters")
		}
		return good(ctx, l)
	}
	k.sendWindow(t, win("a.example", 60000, 5, "/bad=5 /x=1"))
	k.run(t, s, 0)
	k.waitCommitted(t, 1)
	if dead.len() != 1 || broken.Load() != 3 {
		t.Errorf("%d letters after %d tries", dead.len(), broken.Load())
	}
}
