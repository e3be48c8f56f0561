package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine"
	"millrace/engine/derivetest"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/broker"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
	"millrace/state"
)

const (
	partitions = 2
	start      = event.Time(1_700_000_040_000)
)

// world is a broker, what was written to it, and what must come of that.
type world struct {
	t       *testing.T
	cluster *kafka.Cluster
	client  *kgo.Client
	dir     string // of the state
	ends    [partitions]int64
	poison  map[string]string  // coordinates to what was wrong
	want    map[string]float64 // window and page to events
}

func newWorld(t *testing.T) *world {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	b, err := broker.Open(broker.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	w := &world{t: t, cluster: &kafka.Cluster{Brokers: b.Addrs(), Dialer: b.Dialer()}, dir: t.TempDir(), poison: map[string]string{}, want: map[string]float64{}}
	w.ensure()
	w.client, err = kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) ensure() {
	w.t.Helper()
	var topics []kafka.Topic
	for _, name := range []string{engine.EventsTopic, engine.WindowsTopic, deadletter.Topic, kafka.TableTopic(engine.Group)} {
		topics = append(topics, kafka.Topic{Name: name, Partitions: partitions})
	}
	if err := w.cluster.EnsureTopics(w.t.Context(), topics...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) produce(p int32, key string, value []byte) {
	w.client.Produce(w.t.Context(), &kgo.Record{Topic: engine.EventsTopic, Partition: p, Key: []byte(key), Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			w.t.Error(err)
		}
	})
	w.ends[p]++
}

// write adds a stretch of log: seconds of event time from a second on, with poison among it if a share is given.
func (w *world) write(rng *rand.Rand, from, seconds int, poison float64) {
	w.t.Helper()
	for s := from; s < from+seconds; s++ {
		now := start + event.Time(s)*event.Second
		for p := range int32(partitions) {
			for range 3 {
				if rng.Float64() < poison {
					w.produceBad(rng, p)
				}
				var list []byte
				for range 1 + rng.IntN(4) {
					e := event.Event{Site: siteOf(rng, p), Time: now - event.Time(rng.IntN(2000)), Name: event.Pageview, Visitor: 1, URL: fmt.Sprintf("/%d", rng.IntN(5))}
					if len(list) > 0 {
						list = append(list, ',')
					}
					list = e.Append(list)
					w.want[fmt.Sprintf("%s %d %s", e.Site, e.Time.Floor(event.Minute), e.URL)]++
				}
				w.produce(p, event.Key(p), event.AppendEnvelope(nil, "c", now, list))
			}
		}
	}
}

// finish lets every window fire.
func (w *world) finish(seconds int) {
	for p := range int32(partitions) {
		for _, s := range []int{seconds, seconds + 120} {
			w.produce(p, event.Key(p), event.AppendEnvelope(nil, "c", start+event.Time(s)*event.Second, nil))
		}
	}
	w.flush()
}

func (w *world) flush() {
	w.t.Helper()
	if err := w.client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// produceBad writes a record that can't be read, or one whose key says nothing.
func (w *world) produceBad(rng *rand.Rand, p int32) {
	what := []string{"bad JSON", "nil", "unknown version", "2 MB", "no key", "wrong key"}[rng.IntN(6)]
	at := fmt.Sprintf("%d/%d", p, w.ends[p])
	tick := event.AppendEnvelope(nil, "c", start, nil)
	switch what {
	case "bad JSON":
		w.produce(p, event.Key(p), []byte(`{"v":1,`))
	case "nil":
		w.produce(p, event.Key(p), nil)
	case "unknown version":
		w.produce(p, event.Key(p), []byte(`{"v":9}`))
	case "2 MB":
		w.produce(p, event.Key(p), bytes.Repeat([]byte("x"), 2<<20))
	case "no key":
		w.produce(p, "", tick)
		return
	case "wrong key":
		w.produce(p, event.Key(1-p), tick)
		return
	}
	w.poison[at] = what
}

// siteOf returns a site whose events belong to a partition.
func siteOf(rng *rand.Rand, p int32) string {
	for {
		if s := fmt.Sprintf("s%d.example", rng.IntN(12)); event.Partition(s, 0, partitions) == p {
			return s
		}
	}
}

// running is a processor that runs.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	table  *state.Table
	proc   *engine.Processor

	mu   sync.Mutex // guards what follows
	at   map[int32]int64
	read int64 // records of the changelog
}

// watched notes what is committed.
type watched struct {
	*state.Table
	r *running
}

func (w watched) Committed(p int32, next int64) {
	w.Table.Committed(p, next)
	w.r.mu.Lock()
	w.r.at[p] = next
	w.r.mu.Unlock()
}

// Update counts what is read of the changelog.
func (w watched) Update(ctx goka.UpdateContext, s storage.Storage, key string, value []byte) error {
	w.r.mu.Lock()
	w.r.read++
	w.r.mu.Unlock()
	return w.Table.Update(ctx, s, key, value)
}

func (w *world) run() *running { return w.runIn(w.cluster, w.dir, false) }

// runIn runs a processor that reaches the cluster in its own way and has its state in a folder of its own.
func (w *world) runIn(cluster *kafka.Cluster, dir string, standby bool) *running {
	w.t.Helper()
	r := &running{done: make(chan struct{}), at: map[int32]int64{}, table: state.NewTable(func(p int32) state.Options {
		return state.Options{Dir: filepath.Join(dir, fmt.Sprint(p)), MemTableBytes: 1 << 20, Limit: engine.Rules{}.WithDefaults().Values}
	})}
	proc, err := engine.New(engine.Options{
		Cluster:    cluster,
		Table:      watched{r.table, r},
		Store:      func(p int32) (engine.Store, bool) { return r.table.Store(p) },
		NewDeriver: func() engine.Deriver { return derivetest.Deriver{} },
		Partitions: partitions,
		Standby:    standby,
		Log:        slog.New(slog.DiscardHandler),
	})
	r.proc = proc
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.err = proc.Run(ctx)
	}()
	w.t.Cleanup(func() { r.stop() })
	return r
}

func (r *running) stop() error {
	r.cancel()
	<-r.done
	return r.err
}

// reached waits until all partitions are committed up to a share of their ends.
func (w *world) reached(r *running, share float64) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		r.mu.Lock()
		ok := true
		for p := range int32(partitions) {
			ok = ok && float64(r.at[p]) >= share*float64(w.ends[p])
		}
		at := fmt.Sprint(r.at)
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-r.done:
			w.t.Fatalf("the processor has ended at %s of %v: %v", at, w.ends, r.err)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("30 s, and committed is %s of %v", at, w.ends)
		}
	}
}

// read returns all records of a topic.
func (w *world) read(topic string) []*kgo.Record {
	w.t.Helper()
	ends, err := w.cluster.Ends(w.t.Context(), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	offsets := map[int32]kgo.Offset{}
	left := int64(0)
	for p, end := range ends {
		left += end
		if end > 0 {
			offsets[p] = kgo.NewOffset().AtStart()
		}
	}
	w.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets})
	defer w.client.PurgeTopicsFromConsuming(topic)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	var out []*kgo.Record
	for int64(len(out)) < left {
		fetches := w.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatalf("read %s: %v", topic, err)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

// alive waits until all partitions have been committed to their ends, by whoever.
func (w *world) alive(atMost time.Duration) {
	w.t.Helper()
	o, err := w.cluster.OpenOffsets()
	if err != nil {
		w.t.Fatal(err)
	}
	defer o.Close()
	for deadline := time.Now().Add(atMost); ; time.Sleep(20 * time.Millisecond) {
		at, err := o.Committed(engine.Group, engine.EventsTopic)
		if err != nil {
			w.t.Fatal(err)
		}
		ok := true
		for p := range int32(partitions) {
			ok = ok && at[p] == w.ends[p]
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%v, and committed is %v of %v", atMost, at, w.ends)
		}
	}
}

// check compares the newest firing of every window with the recount.
func (w *world) check() {
	w.t.Helper()
	newest := map[string]*window.Window{}
	for _, r := range w.read(engine.WindowsTopic) {
		rec, err := window.Decode(r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		if win := rec.Window; win != nil {
			key := string(r.Key)
			if old := newest[key]; old == nil || old.Version <= win.Version {
				newest[key] = win
			}
		}
	}
	got := map[string]float64{}
	for key, win := range newest {
		if !win.Final {
			w.t.Errorf("window %s ended with an early firing", key)
		}
		for _, p := range win.Points {
			if p.Family == window.Pages {
				got[fmt.Sprintf("%s %d %s", win.Site, win.Start, p.Dims[0])] += float64(p.Events)
			}
		}
	}
	for k, n := range w.want {
		if got[k] != n {
			w.t.Errorf("%s: %v events, the recount has %v", k, got[k], n)
		}
	}
	if len(got) != len(w.want) {
		w.t.Errorf("%d values, the recount has %d", len(got), len(w.want))
	}
}

// One record in a hundred and more can't be read: none stops the processor, each is in the dead letters with where it was, and
// every good event is counted.
func TestPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(1, 1))
	w.write(rng, 0, 200, 0.03)
	w.finish(200)
	r := w.run()
	w.reached(r, 1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	w.check()
	got := map[string]bool{}
	for _, rec := range w.read(deadletter.Topic) {
		l, err := deadletter.Parse(rec.Value)
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("%d/%d", l.Partition, l.Offset)
		what, ok := w.poison[at]
		if !ok || l.Topic != engine.EventsTopic || l.Reason == "" {
			t.Errorf("a letter about %s %s: %s", l.Topic, at, l.Reason)
		}
		if (what == "nil") != (l.Value == nil) || what == "2 MB" && len(l.Value) != 2<<20 {
			t.Errorf("the letter about %s has %d bytes", what, len(l.Value))
		}
		got[at] = true
	}
	kinds := map[string]int{}
	for at, what := range w.poison {
		kinds[what]++
		if !got[at] {
			t.Errorf("no letter about %s at %s", what, at)
		}
	}
	t.Logf("%d records, poison %v", w.ends[0]+w.ends[1], kinds)
	if len(kinds) != 4 {
		t.Errorf("only these kinds of poison: %v", kinds)
	}
}

// The processor is stopped in the middle and started again, on its state and on none: the windows are the same.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, wipe := range []bool{false, true} {
		t.Run(fmt.Sprintf("wipe %v", wipe), func(t *testing.T) {
			w := newWorld(t)
			rng := rand.New(rand.NewPCG(2, 2))
			w.write(rng, 0, 100, 0)
			w.flush()
			r := w.run()
			w.reached(r, 0.3)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			w.write(rng, 100, 100, 0)
			w.finish(200)
			if wipe {
				if err := os.RemoveAll(w.dir); err != nil {
					t.Fatal(err)
				}
			}
			r = w.run()
			w.reached(r, 1)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			w.check()
		})
	}
}

// The changelog was made anew and the state is gone: what was committed can't be counted again, and Run says so instead of
// going on from nothing.
func TestBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(rand.New(rand.NewPCG(3, 3)), 0, 20, 0)
	w.flush()
	r := w.run()
	w.reached(r, 1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	admin, err := sarama.NewClusterAdmin(w.cluster.Brokers, w.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.DeleteTopic(kafka.TableTopic(engine.Group)); err != nil {
		t.Fatal(err)
	}
	w.ensure()
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	w.finish(20)
	r = w.run()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the processor goes on")
	}
	if !errors.Is(r.err, engine.ErrBehind) || strings.Contains(r.err.Error(), "goroutine") || strings.Contains(r.err.Error(), ".go:") {
		t.Errorf("Run says %v", r.err)
	}
	for _, rec := range w.read(kafka.TableTopic(engine.Group)) {
		t.Errorf("a delta was written to the new changelog at %d/%d", rec.Partition, rec.Offset)
	}
}
