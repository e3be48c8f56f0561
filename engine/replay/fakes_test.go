package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"millrace/engine"
	"millrace/engine/dedup"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}

// noon is where the tests' events lie.
const noon event.Time = 1431864000000 // 2015-05-17T12:00Z

// logged is an event and its place in the log.
type logged struct {
	event.Event
	topic     string
	partition int32
	offset    int64
	index     int
}

func (a logged) compare(b logged) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset), cmp.Compare(a.index, b.index))
}

// scratch gives out strings that another one takes the memory of after reset, as decoders and stores do.
type scratch struct{ buf []byte }

func (s *scratch) reset() {
	for i := range s.buf {
		s.buf[i] = '#'
	}
	s.buf = s.buf[:0]
}

func (s *scratch) view(v string) string {
	if s.buf == nil {
		s.buf = make([]byte, 0, 4096)
	}
	if len(v) == 0 || len(s.buf)+len(v) > cap(s.buf) {
		return v
	}
	s.buf = append(s.buf, v...)
	return unsafe.String(&s.buf[len(s.buf)-len(v)], len(v))
}

// memLake is an archive in memory. It lists files in an order drawn from seed. If seed is odd it gives all events whatever
// the site, else only the receive times of the other sites'.
type memLake struct {
	events   []logged
	records  int64 // in a segment; 0: 40
	seed     uint64
	complete event.Time // 0: imports only
	began    event.Time // 0: from the beginning
	reads    map[File]int
	order    []File // of the reads
	looks    int    // calls of LastReceived
	fail     error  // of ReadSegment, at its end
}

func (l *memLake) fileOf(e *logged) File {
	n := cmp.Or(l.records, 40)
	return File{Hour: e.Time.Floor(event.Hour), Topic: e.topic, Partition: e.partition, First: e.offset / n * n}
}

func (l *memLake) Files(_ context.Context, from, to event.Time) ([]File, error) {
	files := map[File]bool{}
	for i := range l.events {
		if f := l.fileOf(&l.events[i]); f.Hour < to && f.Hour+event.Hour > from {
			files[f] = true
		}
	}
	list := slices.SortedFunc(maps.Keys(files), File.compare)
	rng := rand.New(rand.NewPCG(l.seed, 0))
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list, nil
}

func (l *memLake) ReadSegment(_ context.Context, files []File, site string, fn func(*event.Event, int64, int) error) error {
	if l.reads == nil {
		l.reads = map[File]int{}
	}
	l.order = append(l.order, files...)
	for _, f := range files {
		if l.reads[f]++; f.First != files[0].First || f.Topic != files[0].Topic || f.Partition != files[0].Partition {
			return fmt.Errorf("%v is no file of the segment of %v", f, files[0])
		}
	}
	var list []logged
	for i := range l.events {
		if slices.Contains(files, l.fileOf(&l.events[i])) {
			list = append(list, l.events[i])
		}
	}
	slices.SortFunc(list, logged.compare)
	for _, e := range list {
		if site != "" && e.Site != site && l.seed%2 == 0 {
			e.Event = event.Event{Received: e.Received}
		}
		if err := fn(&e.Event, e.offset, e.index); err != nil {
			return err
		}
	}
	return l.fail
}

func (l *memLake) LastReceived(_ context.Context, f File) (last event.Time, _ error) {
	l.looks++
	for i := range l.events {
		if l.fileOf(&l.events[i]) == f {
			last = max(last, l.events[i].Received)
		}
	}
	return last, nil
}

func (l *memLake) Began(context.Context) (event.Time, error) { return l.began, nil }

func (l *memLake) CompleteUntil(context.Context) (event.Time, bool, error) {
	return l.complete, l.complete != 0, nil
}

// storeID names a window in a store.
type storeID struct {
	kind window.Kind
	windowID
}

func (a storeID) compare(b storeID) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), a.windowID.compare(b.windowID))
}

func idOf(w *window.Window) storeID { return storeID{w.Kind, windowID{w.Site, w.Start, w.Shard}} }

// memStore is a store of rollups in memory. With zeros it keeps deleted points as points of zeros, as InfluxDB does.
type memStore struct {
	windows map[storeID]*window.Window
	zeros   bool
	calls   []int // windows per Replace
	points  []int // points per Replace

	scanned window.Selection // the last one of Scan
	ids     []storeID        // its windows
}

func newStore(windows ...*window.Window) *memStore {
	s := &memStore{windows: make(map[storeID]*window.Window)}
	for _, w := range windows {
		s.windows[idOf(w)] = w
	}
	return s
}

func (s *memStore) count(k window.Kind) (n int64) {
	for id := range s.windows {
		if id.kind == k {
			n++
		}
	}
	return n
}

func (s *memStore) Replace(_ context.Context, windows []*window.Window) error {
	s.scanned = window.Selection{}
	s.calls, s.points = append(s.calls, len(windows)), append(s.points, 0)
	for _, w := range windows {
		s.points[len(s.points)-1] += len(w.Points)
		id := idOf(w)
		kept := *w
		kept.Points = slices.Clone(w.Points)
		if old := s.windows[id]; old != nil && s.zeros {
			for _, p := range old.Points {
				if !slices.ContainsFunc(w.Points, func(q window.Point) bool { return q.Family == p.Family && q.Dims == p.Dims }) {
					kept.Points = append(kept.Points, window.Point{Family: p.Family, Dims: p.Dims})
				}
			}
		}
		if s.windows[id] = &kept; len(kept.Points) == 0 {
			delete(s.windows, id)
		}
	}
	return nil
}

func (s *memStore) Scan(_ context.Context, sel window.Selection, fn func(event.Time, bool, *window.Point) error) error {
	// Families are scanned one after the other, ascending, and nothing is changed in between.
	if l := s.scanned; l.Kind != sel.Kind || l.Site != sel.Site || l.From != sel.From || l.To != sel.To || l.Family >= sel.Family {
		s.ids = s.ids[:0]
		for id := range s.windows {
			if id.kind == sel.Kind && id.site == sel.Site && id.start >= sel.From && id.start < sel.To {
				s.ids = append(s.ids, id)
			}
		}
		slices.SortFunc(s.ids, storeID.compare)
	}
	s.scanned = sel
	var reused window.Point // valid during fn only, like all it points to
	var views scratch
	for _, id := range s.ids {
		w := s.windows[id]
		for _, p := range w.Points {
			if p.Family != sel.Family {
				continue
			}
			sk := append(reused.Sketch[:0], p.Sketch...)
			if reused = p; len(sk) > 0 {
				reused.Sketch = sk
			}
			views.reset()
			reused.Dims = [2]string{views.view(p.Dims[0]), views.view(p.Dims[1])}
			if err := fn(id.start, w.Final, &reused); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *memStore) Sites(context.Context) ([]string, error) {
	sites := make(map[string]bool)
	for id := range s.windows {
		sites[id.site] = true
	}
	return slices.Collect(maps.Keys(sites)), nil
}

// want computes windows in the plainest way: each log in its order from its beginning to its end, one Agg for each
// window, hours from minutes. Imported events come as if hour by hour in one log.
func want(events []logged, limit int) *memStore { return wantSharded(events, limit, 0) }

// wantSharded is want for a log of some partitions, 0 for windows that are all of shard 0.
func wantSharded(events []logged, limit, partitions int) *memStore {
	var streams, imports []logged
	for _, e := range events {
		if strings.HasPrefix(e.topic, importPrefix) {
			imports = append(imports, e)
		} else {
			streams = append(streams, e)
		}
	}
	slices.SortStableFunc(streams, logged.compare)
	slices.SortStableFunc(imports, func(a, b logged) int {
		return cmp.Or(cmp.Compare(a.Time.Floor(event.Hour), b.Time.Floor(event.Hour)), a.compare(b))
	})
	m := &model{limit: limit, partitions: partitions, aggs: map[storeID]*window.Agg{}}
	for len(streams) > 0 {
		n := 1
		for n < len(streams) && streams[n].topic == streams[0].topic && streams[n].partition == streams[0].partition {
			n++
		}
		m.count(streams[:n], 1)
		streams = streams[n:]
	}
	seen := map[string]bool{}
	imports = slices.DeleteFunc(imports, func(e logged) bool {
		id := fmt.Sprint(e.Site, " ", e.ID, " ", e.Time.Floor(event.Hour))
		twice := e.ID != "" && seen[id]
		seen[id] = true
		return twice
	})
	for i := range imports {
		imports[i].ID = ""
	}
	m.count(imports, importRecord)
	return m.store()
}

type model struct {
	limit, partitions int
	aggs              map[storeID]*window.Agg
}

func (m *model) agg(k window.Kind, site string, start event.Time, partition int32) *window.Agg {
	id := storeID{k, windowID{site, start, 0}}
	if m.partitions > 0 {
		id.shard = event.ShardOf(site, partition, m.partitions)
	}
	return m.of(id)
}

func (m *model) of(id storeID) *window.Agg {
	if m.aggs[id] == nil {
		m.aggs[id] = window.NewAgg(m.limit)
	}
	return m.aggs[id]
}

func (m *model) count(log []logged, record int64) {
	visits, seen := visit.NewTable(visit.Rules{Lateness: 1000 * event.Hour}), dedup.NewSet(dedup.Options{})
	c := engine.NewCounter(enrich.New(enrich.Options{}), seen, visits)
	for i := range log {
		e := &log[i]
		if row, v := c.Count(&e.Event, false); v != engine.Duplicate && v != engine.Ping {
			m.agg(window.Minute, e.Site, e.Time.Floor(event.Minute), e.partition).AddRow(row)
		}
		if i+1 < len(log) && log[i+1].topic == e.topic && log[i+1].offset/record == e.offset/record &&
			(record == 1 || log[i+1].Time.Floor(event.Hour) == e.Time.Floor(event.Hour)) {
			continue
		}
		if record == 1 {
			seen.Flush(e.offset)
		}
		visits.Flush(func(site string, start event.Time, chunk []byte) {
			if err := m.agg(window.Visits, site, start, e.partition).Add(chunk); err != nil {
				panic(err)
			}
		})
	}
}

func (m *model) store() *memStore {
	for _, id := range slices.SortedFunc(maps.Keys(m.aggs), storeID.compare) {
		if id.kind == window.Minute {
			m.of(storeID{window.Hour, windowID{id.site, id.start.Floor(event.Hour), id.shard}}).Merge(m.aggs[id])
		}
	}
	s := newStore()
	for id, a := range m.aggs {
		w := &window.Window{Kind: id.kind, Site: id.site, Shard: id.shard, Start: id.start, Final: true}
		a.Fill(w)
		if slices.ContainsFunc(w.Points, func(p window.Point) bool { return !isZero(p.Rollup) }) {
			s.windows[id] = w
		}
	}
	return s
}

// traffic makes n events of three sites over the time from start on, in a stream and a topic of imports and several
// partitions: in order of time, now and then late, now and then twice.
func traffic(seed uint64, n int, start, length event.Time) []logged {
	rng := rand.New(rand.NewPCG(seed, 0))
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.6.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	}
	var out []logged
	for i := range n {
		site := []string{"a.example", "b.example", "c.example"}[rng.IntN(3)]
		visitor := rng.IntN(50)
		now := start + event.Time(i)*length/event.Time(n)
		e := logged{
			Event: event.Event{
				ID: fmt.Sprint(i), Site: site, Name: event.Pageview, Time: now, Received: now, Visitor: event.Visitor(visitor + 1),
				URL: fmt.Sprintf("https://%s/p%d", site, rng.IntN(12)), UA: agents[min(visitor/20, 2)], Country: []string{"DE", "FR", ""}[visitor%3], Client: "v1",
			},
			topic: []string{"import-0", "millrace.events"}[rng.IntN(2)], partition: int32(rng.IntN(3)), offset: int64(i / 10), index: i % 10,
		}
		if e.topic == "import-0" {
			e.partition = 0
		}
		switch rng.IntN(6) {
		case 0:
			e.Name = "signup"
		case 1:
			e.Time = max(e.Time-event.Time(rng.Int64N(int64(10*event.Minute))), start)
		case 2:
			if len(out) > 3 && e.topic != "import-0" {
				before := out[len(out)-1-rng.IntN(3)]
				e.Event, e.partition = before.Event, before.partition
				e.Received = now
			}
		}
		out = append(out, e)
	}
	return out
}

func mustRun(tb testing.TB, o Options) Report {
	tb.Helper()
	rep, err := Run(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return rep
}
