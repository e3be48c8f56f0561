package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/kafka"
	"millrace/state"
)

const (
	partitions  = 3
	streamLimit = 4
	lastTicks   = 8 // at the end of a log
)

// stream is a log and what the engine makes of it.
type stream struct {
	logs    [partitions][][]byte
	events  []logged
	windows map[storeID]*window.Window // the last version of each
	counts  engine.Counters
	ended   event.Time
}

// generator writes a log of a day and a night with all that makes order matter: visits that go on past midnight, under
// another hash; late events, duplicates, pages past the budget, a site in two shards, bots, events of the future.
type generator struct {
	*stream
	rng     *rand.Rand
	now     event.Time
	sent    []event.Event
	pending [partitions][]event.Event
	dropped bool // with events that come too late
	seq     int
}

func (g *generator) run(hours event.Time) {
	start := noon + 2*event.Hour
	for g.now = start; g.now < start+hours*event.Hour; g.now += 30 * event.Second {
		for range 1 + g.rng.IntN(4) {
			g.send(g.next())
		}
		if g.now%(5*event.Minute) == 0 {
			// A screen that shows a page all the time: its visits end after 12 hours.
			g.send(event.Event{Site: "b.example", Visitor: g.visitor(77), VisitorPrev: g.previous(77), Name: event.Pageview, URL: "https://b.example/screen", Time: g.now})
		}
		for p := range g.pending {
			if len(g.pending[p]) > 0 || g.rng.IntN(3) > 0 {
				g.record(p, g.now)
			}
		}
	}
	g.ended = g.now
	for i := range event.Time(lastTicks) {
		g.now = start + hours*event.Hour + 50*event.Hour + i*10*event.Minute
		for p := range g.pending {
			g.record(p, g.now)
		}
	}
}

// record writes what is pending, low a little behind, as two collectors by turns.
func (g *generator) record(p int, now event.Time) {
	events := g.pending[p]
	g.pending[p] = nil
	var list []byte
	for i := range events {
		if i > 0 {
			list = append(list, ',')
		}
		list = events[i].Append(list)
		g.events = append(g.events, logged{Event: events[i], topic: engine.EventsTopic, partition: int32(p), offset: int64(len(g.logs[p])), index: i})
	}
	name := fmt.Sprint("c", len(g.logs[p])%2)
	g.logs[p] = append(g.logs[p], event.AppendEnvelope(nil, name, now-event.Time(len(g.logs[p])%2)*15*event.Second, list))
}

func (g *generator) day(t event.Time) event.Visitor { return event.Visitor(t / day) }

func (g *generator) visitor(n event.Visitor) event.Visitor { return n + 1000*g.day(g.now) }

// previous is the visitor's hash of the day before, in the first hour.
func (g *generator) previous(n event.Visitor) event.Visitor {
	if g.now%day >= event.Hour {
		return 0
	}
	return n + 1000*(g.day(g.now)-1)
}

func (g *generator) next() event.Event {
	rng := g.rng
	if len(g.sent) > 200 && rng.IntN(8) == 0 {
		// Once more, some seconds or a quarter of an hour later: within the horizon or past it.
		return g.sent[len(g.sent)-1-rng.IntN(100)]
	}
	n := event.Visitor(rng.IntN(60) + 1)
	site := []string{"a.example", "b.example", "c.example"}[n%3]
	e := event.Event{
		ID: fmt.Sprint(g.seq), Site: site, Name: event.Pageview, Time: g.now - event.Time(rng.IntN(3000)),
		Visitor: g.visitor(n), VisitorPrev: g.previous(n), Client: "v1",
		URL:     fmt.Sprintf("https://%s/p%d", site, rng.IntN(25)),
		UA:      "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0",
		Country: []string{"DE", "FR", "US", ""}[rng.IntN(4)], Screen: "390x844",
	}
	g.seq++
	switch rng.IntN(14) {
	case 0:
		e.ID = ""
	case 1:
		e.Name, e.Props, e.Amount, e.Currency = "order", []event.Prop{{Key: "plan", Value: fmt.Sprint(rng.IntN(15))}}, event.Money(rng.IntN(90_000)), "EUR"
	case 2:
		e.Name, e.NonInteractive = "scroll", true
	case 3:
		if rng.IntN(4) > 0 {
			break
		}
		e.Time -= event.Time(rng.Int64N(int64(30 * event.Minute)))
	case 4:
		e.UA = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	case 5:
		e.Referrer = []string{"https://www.google.com/", "https://" + site + "/p1", "https://news.example/x"}[rng.IntN(3)]
	case 6:
		e.Visitor, e.VisitorPrev = 0, 0
	case 7:
		if rng.IntN(20) == 0 {
			e.Time += 20 * event.Hour
		}
	case 8:
		if g.dropped && rng.IntN(4) == 0 {
			e.Time -= 61*event.Minute + event.Time(rng.Int64N(int64(4*event.Hour)))
		}
	case 9:
		e.Name, e.Ping, e.Engaged, e.Scroll = "engagement", true, event.Time(rng.IntN(9000)), event.PercentOf(rng.Int64N(101))
		if rng.IntN(4) == 0 {
			e.Time -= event.Time(rng.Int64N(int64(30 * event.Minute)))
		}
	case 10: // a ping as former collectors wrote it
		e.Name, e.Client, e.NonInteractive = "engagement", "plausible", true
	case 12: // what a browser may have sent again, by itself or because somebody did it again
		e.ID = string(event.AppendRepeatPrefix(nil, rng.Uint64N(4))) + e.ID
	case 11:
		e.URL, e.HashRoute = e.URL+"#/r"+fmt.Sprint(rng.IntN(3)), true
	}
	return e
}

// send puts an event where the collector would.
func (g *generator) send(e event.Event) {
	e.Received = g.now
	shard := uint16(0)
	if e.Site == "a.example" {
		shard = event.ShardOf("a.example", int32(uint64(e.Visitor)%2), partitions)
	}
	p := event.Partition(e.Site, shard, partitions)
	g.pending[p] = append(g.pending[p], e)
	g.sent = append(g.sent, e)
}

// mustStream writes a log and has the engine count it.
func mustStream(t *testing.T, seed uint64, hours event.Time, dropped bool) *stream {
	t.Helper()
	s := &stream{windows: map[storeID]*window.Window{}}
	g := &generator{stream: s, rng: rand.New(rand.NewPCG(seed, 1)), dropped: dropped}
	g.run(hours)
	s.count(t, engine.Rules{EarlyEvery: event.Minute})
	return s
}

// count has the engine count the log.
func (s *stream) count(t *testing.T, rules engine.Rules) {
	t.Helper()
	for p, log := range s.logs {
		st, err := state.Open(state.Options{Dir: "state", FS: vfs.NewMem(), MemTableBytes: 64 << 20, Limit: streamLimit, Visits: rules.Visits()})
		if err != nil {
			t.Fatal(err)
		}
		part, err := engine.OpenPartition(int32(p), partitions, st, rules, enrich.New(enrich.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for offset, value := range log {
			if err := part.Process(int64(offset), value, &streamOutput{s, st}); err != nil {
				t.Fatal(err)
			}
		}
		c := part.Core().Counters()
		s.counts.Events += c.Events
		s.counts.OnTime += c.OnTime
		s.counts.Late += c.Late
		s.counts.Dropped += c.Dropped
		s.counts.Duplicates += c.Duplicates
		s.counts.Pings += c.Pings
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for id, w := range s.windows {
		if !w.Final {
			t.Fatalf("%v has not become final", id)
		}
	}
}

type streamOutput struct {
	*stream
	store *state.Store
}

func (o *streamOutput) Delta(b []byte) error { return o.store.Apply(b) }

func (o *streamOutput) Dead(reason error) error { return reason }

func (o *streamOutput) Window(_ string, value []byte) error {
	rec, err := window.Decode(value)
	if w := rec.Window; err == nil && w != nil {
		if old := o.windows[idOf(w)]; old != nil && old.Version > w.Version {
			return fmt.Errorf("version %d after %d", w.Version, old.Version)
		}
		o.windows[idOf(w)] = w
	}
	return err
}

// mustArchive archives the log as serve does: through Kafka.
func (s *stream) mustArchive(t *testing.T) archive {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, engine.EventsTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	cluster := &kafka.Cluster{Brokers: broker.ListenAddrs(), Replication: 1}
	cfg := cluster.Config()
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(cluster.Brokers, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for p, log := range s.logs {
		var messages []*sarama.ProducerMessage
		for _, value := range log {
			messages = append(messages, &sarama.ProducerMessage{
				Topic: engine.EventsTopic, Partition: int32(p), Key: sarama.StringEncoder(event.Key(int32(p))), Value: sarama.ByteEncoder(value),
			})
		}
		if err := producer.SendMessages(messages); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := lake.New(lake.Options{
		Brokers: cluster.Brokers, Topic: engine.EventsTopic, Partitions: partitions, Store: folder, Log: slog.New(slog.DiscardHandler),
		FlushInterval: 7 * time.Minute,
		Goka: func(l lake.Limit) []goka.ProcessorOption {
			return cluster.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: slog.New(slog.DiscardHandler), Limit: l})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	stopped := make(chan error, 1)
	go func() { stopped <- a.Run(ctx) }()
	lake := archive{lake.NewReader(folder)}
	for {
		// The last ticks are so far apart that they end a segment.
		all, err := lake.ProgressOf(ctx, engine.EventsTopic)
		if err != nil {
			t.Fatal(err)
		}
		done := 0
		for p, progress := range all {
			if progress.NextOffset > int64(len(s.logs[p])-lastTicks) {
				done++
			}
		}
		if done == partitions {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	return lake
}

// archive is a lake as Run wants it.
type archive struct{ *lake.Reader }

func (a archive) Files(ctx context.Context, from, to event.Time) ([]File, error) {
	hours, err := a.Hours(ctx, from, to)
	var files []File
	for _, h := range hours {
		for _, k := range h.Keys {
			files = append(files, File(k))
		}
	}
	return files, err
}

func (a archive) ReadSegment(ctx context.Context, files []File, site string, fn func(*event.Event, int64, int) error) error {
	var keys []lake.Key
	for _, f := range files {
		keys = append(keys, lake.Key(f))
	}
	return a.Reader.ReadSegment(ctx, keys, site, func(e *event.Event, s lake.Source) error { return fn(e, s.Offset, int(s.Index)) })
}

func (a archive) LastReceived(ctx context.Context, f File) (event.Time, error) {
	return a.Reader.LastReceived(ctx, lake.Key(f))
}

func (a archive) Began(ctx context.Context) (event.Time, error) {
	return a.Reader.Began(ctx, engine.EventsTopic)
}

func (a archive) CompleteUntil(ctx context.Context) (event.Time, bool, error) {
	until, err := a.Reader.CompleteUntil(ctx, engine.EventsTopic)
	if errors.Is(err, lake.ErrIncomplete) {
		return 0, false, nil
	}
	return until, err == nil, err
}

// sameBytes fails unless two stores hold the same windows, byte for byte but for the version: a stream's is the offset
// that fired the window, a replay's the last offset of the archive. Windows of zeros are none.
func sameBytes(t *testing.T, got, want map[storeID]*window.Window) {
	t.Helper()
	text := func(w *window.Window) []byte {
		c := *w
		c.Version = 0
		zero := true
		for i := range c.Points {
			zero = zero && isZero(c.Points[i].Rollup)
		}
		if zero {
			return nil
		}
		b, err := c.AppendLines(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	differ := 0
	for id, w := range want {
		var b []byte
		if got[id] != nil {
			b = text(got[id])
		}
		if a := text(w); !bytes.Equal(a, b) {
			if differ++; differ < 4 {
				t.Errorf("%s %v:\n got %.1500s\nwant %.1500s", id.kind, id.windowID, b, a)
			}
		}
	}
	for id, w := range got {
		if want[id] == nil && text(w) != nil {
			t.Errorf("%s %v is one too many", id.kind, id.windowID)
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d windows differ", differ, len(want))
	}
}

// A replay of the archive gives the windows that the stream gave: of every kind, byte for byte.
func TestStream(t *testing.T) {
	t.Parallel()
	s := mustStream(t, 1, 14, false)
	if n := s.counts; n.Dropped != 0 || n.Late < 100 || n.Duplicates < 200 || n.Pings < 200 {
		t.Fatalf("%+v", n)
	}
	shards := map[uint16]bool{}
	kinds := map[window.Kind]int{}
	others := 0
	for id, w := range s.windows {
		kinds[id.kind]++
		if id.site == "a.example" {
			shards[id.shard] = true
		}
		for _, p := range w.Points {
			if p.Dims[0] == window.Other {
				others++
			}
		}
	}
	if len(shards) != 2 || kinds[window.Hour] < 60 || kinds[window.Visits] < 200 || others < 250 {
		t.Fatalf("shards %v, windows %v, %d values past the budget", shards, kinds, others)
	}
	lake := s.mustArchive(t)
	store := newStore()
	o := Options{Lake: lake, Reader: store, Sink: store, Limit: streamLimit, Partitions: partitions}
	rep := mustRun(t, o)
	sameBytes(t, store.windows, s.windows)
	if rep.Events+rep.Duplicates+rep.Pings != int64(len(s.events)) || rep.Duplicates != int64(s.counts.Duplicates) || rep.Pings != int64(s.counts.Pings) {
		t.Errorf("%d events, %d duplicates and %d pings of %d, the stream had %+v", rep.Events, rep.Duplicates, rep.Pings, len(s.events), s.counts)
	}

	// A second replay changes nothing, and neither does one over what the stream has left in a store.
	if again := mustRun(t, o); again.Total().Changed != 0 || again.Total().Written != 0 {
		t.Errorf("the second time: %+v", again)
	}
	o.Reader, o.Mode = &memStore{windows: s.windows}, Verify
	if rep := mustRun(t, o); rep.Differing != 0 {
		t.Errorf("%d differences to the stream: %v", rep.Differing, rep.Differences[:min(len(rep.Differences), 3)])
	}

	// So does one of a part of the time, or of one site, in what it compares.
	o.From, o.To = noon+8*event.Hour, noon+9*event.Hour
	if rep := mustRun(t, o); rep.Differing != 0 || rep.Total().Windows < 100 {
		t.Errorf("an hour: %+v", rep)
	}
	o.From, o.To, o.Site = 0, 0, "a.example"
	if rep := mustRun(t, o); rep.Differing != 0 || rep.Total().Windows < 500 {
		t.Errorf("a site: %+v", rep)
	}
}

// Windows that the stream has dropped events of are repaired: they come out as if nothing had been too late.
func TestDroppedAreRepaired(t *testing.T) {
	t.Parallel()
	s := mustStream(t, 2, 7, true)
	if s.counts.Dropped < 15 {
		t.Fatalf("%+v", s.counts)
	}
	store := &memStore{windows: s.windows}
	o := Options{Lake: s.mustArchive(t), Reader: store, Sink: store, Limit: streamLimit, Partitions: partitions}
	o.Mode = Verify
	if rep := mustRun(t, o); rep.Differing == 0 {
		t.Fatal("nothing is to be repaired")
	}
	o.Mode = Write
	if rep := mustRun(t, o); rep.Total().Changed == 0 || rep.Events+rep.Duplicates+rep.Pings != int64(len(s.events)) {
		t.Fatalf("%+v", rep)
	}
	sameBytes(t, store.windows, wantSharded(s.events, streamLimit, partitions).windows)
	if rep := mustRun(t, o); rep.Total().Changed != 0 {
		t.Errorf("the second time: %+v", rep)
	}
}
