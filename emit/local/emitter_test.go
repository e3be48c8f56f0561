package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

const partitions = 4

// cluster is a Kafka in the process with the topics of an Emitter.
type cluster struct {
	tb      testing.TB
	brokers []string
	client  *kgo.Client
	sent    int64 // records
}

func newCluster(tb testing.TB) *cluster {
	tb.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, Topic, deadletter.Topic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(k.Close)
	c, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return &cluster{tb: tb, brokers: k.ListenAddrs(), client: c}
}

func (c *cluster) options() []goka.ProcessorOption {
	k := &kafka.Cluster{Brokers: c.brokers}
	return k.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: testLogger(c.tb)})
}

func (c *cluster) produce(partition int32, key string, value []byte) {
	c.tb.Helper()
	r := &kgo.Record{Topic: Topic, Partition: partition, Key: []byte(key), Value: value}
	if err := c.client.ProduceSync(c.tb.Context(), r).FirstErr(); err != nil {
		c.tb.Fatal(err)
	}
	c.sent++
}

func (c *cluster) window(w *window.Window) {
	c.tb.Helper()
	b, err := w.AppendLines(nil)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.produce(event.Partition(w.Site, w.Shard, partitions), window.RecordKey(w.Kind, w.Site, w.Start, w.Shard), b)
}

// lag is the number of records of the topic that are not committed.
func (c *cluster) lag() int64 {
	c.tb.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = Group
	req.Group, req.Groups = Group, []kmsg.OffsetFetchRequestGroup{g}
	resp, err := req.RequestWith(c.tb.Context(), c.client)
	if err != nil {
		c.tb.Fatal(err)
	}
	n := c.sent
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			n -= max(p.Offset, 0)
		}
	}
	return n
}

func (c *cluster) letters(n int) []deadletter.Letter {
	c.tb.Helper()
	k, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.ConsumeTopics(deadletter.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		c.tb.Fatal(err)
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(c.tb.Context(), 10*time.Second)
	defer cancel()
	var list []deadletter.Letter
	for len(list) < n {
		fetches := k.PollFetches(ctx)
		if ctx.Err() != nil {
			c.tb.Fatalf("%d letters, want %d", len(list), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			l, err := deadletter.Parse(r.Value)
			if err != nil || l.Partition != r.Partition {
				c.tb.Errorf("letter in partition %d: %+v, %v", r.Partition, l, err)
			}
			list = append(list, l)
		})
	}
	return list
}

// start runs an Emitter; stop ends it and returns what Run returned.
func start(tb testing.TB, c *cluster, s *Store) (e *Emitter, stop func() error) {
	e = NewEmitter(EmitterOptions{Store: s, Brokers: c.brokers, Goka: c.options(), Logger: testLogger(tb)})
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stopped := false
	var result error
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			result = <-done
		}
		return result
	}
	tb.Cleanup(func() { stop() })
	return e, stop
}

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within 15 s: %s", what)
		}
	}
}

// TestEmitter stops and starts an Emitter while windows of several versions come, in between what is no window.
func TestEmitter(t *testing.T) {
	c, s := newCluster(t), mustOpen(t, Options{})
	r := rand.New(rand.NewPCG(1, 1))
	newest := map[string]int64{} // by site
	var version int64
	send := func(n int) {
		for range n {
			version++
			site := fmt.Sprintf("site-%d.example", r.IntN(9))
			v := version - r.Int64N(3)
			newest[site] = max(newest[site], v)
			c.window(pageWindow(site, 60_000, v, v))
		}
	}
	send(50)
	poison := [][]byte{[]byte("no line protocol"), nil, []byte("totals,site=a events=1i 60\ntotals,site=b events=1i 60\n"), []byte("totals,site=a sketch=\"AAAA\" 60\n")}
	for i, b := range poison {
		c.produce(int32(i), "key|1", b)
	}
	send(50)
	for p := range int32(partitions) {
		c.produce(p, event.Key(p), window.Progress{Partition: p, Low: event.Time(p) * 1000, Hours: event.Time(p) * event.Hour, Offset: 7}.AppendLines(nil))
	}
	for k, rollup := range map[window.Kind]window.Rollup{window.Hour: {Events: 9, Pageviews: 8, Revenue: -7}, window.Visits: {Visits: 6, Bounces: 5, Seconds: 40, Views: 30}} {
		c.window(&window.Window{Kind: k, Site: "kinds.example", Version: 1, Final: true, Points: []window.Point{{Rollup: rollup}}})
	}
	e, stop := start(t, c, s)
	eventually(t, "everything is committed", func() bool { return c.lag() == 0 })
	st := e.Stats()
	if st.Dead != uint64(len(poison)) || st.Windows+st.Stale != 102 || st.Progress != partitions {
		t.Errorf("stats %+v", st)
	}
	if err := stop(); err != nil {
		t.Errorf("Run after a stop: %v", err)
	}
	send(20)
	_, stop = start(t, c, s)
	eventually(t, "the rest is committed", func() bool { return c.lag() == 0 })
	if err := stop(); err != nil {
		t.Errorf("Run after a stop: %v", err)
	}
	for site, want := range newest {
		if got := total(t, s, site); got != want {
			t.Errorf("%s: version %d is stored, want %d", site, got, want)
		}
	}
	if ps, err := s.Progress(t.Context()); err != nil || len(ps) != partitions || ps[1].Hours != event.Hour {
		t.Errorf("Progress %v %v", ps, err)
	}
	for k, want := range map[window.Kind]string{window.Minute: "", window.Hour: "9 8 -7 0 0 0 0", window.Visits: "0 0 0 6 5 40 30"} {
		var got string
		err := s.Scan(t.Context(), window.Selection{Kind: k, Site: "kinds.example", To: event.Hour}, func(_ event.Time, _ bool, p *window.Point) error {
			got += fmt.Sprint(p.Events, p.Pageviews, int64(p.Revenue), p.Visits, p.Bounces, p.Seconds, p.Views)
			return nil
		})
		if err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", k, got, err, want)
		}
	}
	for _, l := range c.letters(len(poison)) {
		if want := poison[l.Partition]; string(l.Value) != string(want) || (l.Value == nil) != (want == nil) || l.Key != "key|1" || l.Topic != Topic || l.Reason == "" {
			t.Errorf("letter %+v, want value %q", l, want)
		}
	}
}

// TestEmitterStoreFails: what can't be written is not committed, Run says why, and the next run catches up.
func TestEmitterStoreFails(t *testing.T) {
	c, s := newCluster(t), mustOpen(t, Options{})
	broken := mustOpen(t, Options{})
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range int64(30) {
		c.window(pageWindow("a.example", event.Time(i)*event.Minute, 1, 1))
	}
	e := NewEmitter(EmitterOptions{Store: broken, Brokers: c.brokers, Goka: c.options()})
	if err := e.Run(t.Context()); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), Group) {
		t.Errorf("Run: %v, want ErrClosed", err)
	}
	if n := c.lag(); n != 30 {
		t.Errorf("lag %d after a run that wrote nothing, want 30", n)
	}
	_, stop := start(t, c, s)
	eventually(t, "everything is committed", func() bool { return c.lag() == 0 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := total(t, s, "a.example"); got != 30 {
		t.Errorf("%d events, want 30", got)
	}
}
