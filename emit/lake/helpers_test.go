package lake

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/lovoo/goka"

	"millrace/engine/event"
	"millrace/internal/blob"
	"millrace/internal/testgc"
	"millrace/internal/testparallel"
	"millrace/internal/testtmp"
)

var thorough = flag.Bool("thorough", false, "try all places and seeds, of which a few are tried else")

func TestMain(m *testing.M) {
	testparallel.Raise()
	testgc.Relax()
	testtmp.Memory()
	// Sarama's metrics library keeps one goroutine for the life of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

const testTopic = "millrace.events"

// t0 is 10 minutes before the end of an hour.
var t0 = must(parseHour("2026-11-23", "10")) + 50*event.Minute

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// record is a record of a partition's log.
type record struct {
	value  []byte
	events []event.Event // what it decodes to
}

// generator makes a believable log of one partition, a pure function of its seed.
type generator struct {
	rng  *rand.Rand
	now  event.Time
	id   int
	site int // number of sites
	who  int // number of visitors
}

func newGenerator(seed uint64) *generator {
	return &generator{rng: rand.New(rand.NewPCG(seed, 7)), now: t0, site: 20, who: 50_000}
}

func (g *generator) zipf(n int) int {
	return int(float64(n) * g.rng.Float64() * g.rng.Float64() * g.rng.Float64())
}

func (g *generator) event() event.Event {
	g.id++
	page := g.zipf(2000)
	site := fmt.Sprintf("site%d.example.com", g.zipf(g.site))
	e := event.Event{
		ID: fmt.Sprintf("%016x%04x", g.rng.Uint64(), g.id&0xffff), Site: site, Name: event.Pageview,
		Time: g.now - event.Time(g.rng.IntN(500)), Received: g.now, Visitor: event.Visitor(1 + g.zipf(g.who)*1_000_003),
		URL:      fmt.Sprintf("https://www.%s/blog/article-%d?utm_source=x%d", site, page, g.zipf(5)),
		UA:       fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 100+g.zipf(40)),
		Language: "en-US", Screen: "1920x1080", Country: []string{"DE", "US", "FR", "JP"}[g.zipf(4)], Client: "v1",
	}
	switch g.rng.IntN(20) {
	case 0:
		e.Name, e.Props = "signup", []event.Prop{{Key: "plan", Value: fmt.Sprintf("p%d", g.rng.IntN(3))}, {Key: "q", Value: "a\"b\n"}}
	case 1:
		e.Name, e.Currency, e.Amount = "purchase", "EUR", event.Money(g.rng.IntN(1_000_000))
	case 2:
		e.VisitorPrev, e.Referrer, e.Region, e.City = 77, "https://news.example.org/", "DE-BE", "2950159"
	case 3:
		e.Bot, e.Visitor, e.ID = "ua", 0, ""
	case 4:
		e.Time -= event.Time(g.rng.IntN(3)) * 30 * event.Minute // late, or of the hour before
	case 6:
		e.Name, e.NonInteractive = "scroll", true
	case 7:
		e.Name, e.Ping, e.Engaged, e.Scroll = "engagement", true, event.Time(g.rng.IntN(3))*2345, event.PercentOf(int64(g.rng.IntN(102)-1))
	case 8:
		e.HashRoute = true
	case 5:
		e.Currency, e.Amount = "USD", 0 // no money is not the same as no revenue
	}
	return e
}

// record makes a batch of n events; n == 0 is a tick.
func (g *generator) record(n int) record {
	var r record
	var events []byte
	for i := range n {
		e := g.event()
		r.events = append(r.events, e)
		if i > 0 {
			events = append(events, ',')
		}
		events = e.Append(events)
	}
	r.value = event.AppendEnvelope(nil, fmt.Sprintf("c%d", 1+g.rng.IntN(2)), g.now-event.Second, events)
	return r
}

// log makes a log of n records over about the given time, a twentieth of them poison or nil.
func (g *generator) log(n int, over event.Time) []record {
	var log []record
	for i := range n {
		g.now = t0 + over*event.Time(i)/event.Time(n)
		switch g.rng.IntN(20) {
		case 0:
			log = append(log, record{value: []byte(`{"v":1,"collector":"c1","low":1,"events":[{"site":"BAD"}]}`)})
		case 1:
			log = append(log, record{})
		case 2, 3, 4, 5:
			log = append(log, g.record(0))
		default:
			log = append(log, g.record(1+g.rng.IntN(20)))
		}
	}
	return log
}

func testOptions(store blob.Store) Options {
	return Options{
		Brokers: []string{"unused:1"}, Goka: func(Limit) []goka.ProcessorOption { return nil },
		Topic: testTopic, Partitions: 1, Store: store, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		backoff: 1, keepProgress: -1, // deleted at once
	}
}

func mustArchiver(tb testing.TB, o Options) *Archiver {
	tb.Helper()
	a, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func mustFolder(tb testing.TB) *blob.Folder {
	tb.Helper()
	store, err := blob.OpenFolder(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// memory is a store for tests with thousands of puts, for which a folder's syncing is too slow.
type memory struct {
	mu      sync.Mutex // guards objects
	objects map[string][]byte
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

func (m *memory) Put(ctx context.Context, key string, body []byte) error {
	if err := errors.Join(blob.ValidKey(key), ctx.Err()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = slices.Clone(body)
	return nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.objects[key]
	if !ok {
		return nil, fmt.Errorf("get %q: %w", key, blob.ErrNotFound)
	}
	return body, nil
}

func (m *memory) List(_ context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		m.mu.Lock()
		keys := slices.Sorted(maps.Keys(m.objects))
		m.mu.Unlock()
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) && key > after && !yield(blob.Info{Key: key, Size: 1}, nil) {
				return
			}
		}
	}
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

func (m *memory) Open(ctx context.Context, key string) (blob.Object, error) {
	body, err := m.Get(ctx, key)
	return memoryObject{bytes.NewReader(body)}, err
}

type memoryObject struct{ *bytes.Reader }

func (memoryObject) Close() error { return nil }

func (m *memory) Check(context.Context) error { return nil }
func (m *memory) String() string              { return "memory" }

// contents returns all objects of a store.
func contents(tb testing.TB, store blob.Store) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for info, err := range store.List(context.Background(), "", "") {
		if err != nil {
			tb.Fatal(err)
		}
		body, err := store.Get(context.Background(), info.Key)
		if err != nil {
			tb.Fatal(err)
		}
		all[info.Key] = string(body)
	}
	return all
}

// sameContents compares all objects below dt=, and says which differ.
func sameContents(tb testing.TB, got, want map[string]string) {
	tb.Helper()
	for key, body := range want {
		if other, ok := got[key]; !ok {
			tb.Errorf("%s is missing", key)
		} else if other != body {
			tb.Errorf("%s differs: %d and %d bytes", key, len(other), len(body))
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			tb.Errorf("%s is there, and should not be", key)
		}
	}
}

type placed struct {
	event.Event
	Source
}

// readAll reads the whole lake, hour by hour, and checks the order of each hour.
func readAll(tb testing.TB, store blob.Store, site string) []placed {
	tb.Helper()
	l := NewReader(store)
	hours, err := l.Hours(context.Background(), firstHour, lastHour+event.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	var all []placed
	for _, h := range hours {
		var last Source
		err := l.ReadHour(context.Background(), h.Start, site, func(e *event.Event, src Source) error {
			if last.Topic == src.Topic && last.Partition == src.Partition && comparePlace(last, src) >= 0 {
				tb.Errorf("%s after %s", src, last)
			}
			if hourOf(e.Time) != h.Start {
				tb.Errorf("%s: %s is not in the hour %s", src, e.Time, h.Start)
			}
			last = src
			all = append(all, placed{*e, src})
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	slices.SortFunc(all, func(x, y placed) int { return comparePlace(x.Source, y.Source) })
	return all
}

func comparePlace(x, y Source) int {
	switch {
	case x.Topic != y.Topic:
		return slices.Compare([]byte(x.Topic), []byte(y.Topic))
	case x.Partition != y.Partition:
		return int(x.Partition - y.Partition)
	case x.Offset != y.Offset:
		return int(x.Offset - y.Offset)
	}
	return int(x.Index - y.Index)
}

// wantRows is what a partition's log amounts to up to an offset.
func wantRows(log []record, partition int32, site string, end int64) []placed {
	var all []placed
	for offset, r := range log[:end] {
		for i, e := range r.events {
			if site == "" || e.Site == site {
				all = append(all, placed{e, Source{testTopic, partition, int64(offset), int32(i)}})
			}
		}
	}
	return all
}

func sameRows(tb testing.TB, got, want []placed) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Errorf("%d rows, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		// The encoding holds every field; %+v of a placed would print its Source and nothing else.
		g, w := got[i].Append(nil), want[i].Append(nil)
		if got[i].Source != want[i].Source || string(g) != string(w) {
			tb.Errorf("row %d:\n got %s %s\nwant %s %s", i, got[i].Source, g, want[i].Source, w)
			return
		}
	}
}

func mustCheck(tb testing.TB, store blob.Store) Report {
	tb.Helper()
	r, err := NewReader(store).Check(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.Err(); err != nil {
		tb.Error(err)
	}
	return r
}
