package replay

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/facts"
	"millrace/engine/window"
)

// noon is where the tests' events lie.
const noon event.Time = 1431864000000 // 2015-05-17T12:00Z

// logged is an event and its place in the log.
type logged struct {
	event.Event
	place
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

// memLake is an archive in memory that delivers the events of an hour in an order drawn from seed. If seed is odd it
// leaves it to the caller to pass over other sites.
type memLake struct {
	events   []logged
	seed     uint64
	complete event.Time // 0: imports only
	reads    int
	fail     error // of ReadHour, at its end
}

func (l *memLake) Hours(_ context.Context, from, to event.Time) ([]event.Time, error) {
	hours := make(map[event.Time]bool)
	for _, e := range l.events {
		if h := e.Time.Floor(event.Hour); h < to && h+event.Hour > from {
			hours[h] = true
		}
	}
	return slices.Collect(maps.Keys(hours)), nil
}

func (l *memLake) ReadHour(_ context.Context, hour event.Time, site string, fn func(*event.Event, string, int32, int64, int) error) error {
	l.reads++
	rng := rand.New(rand.NewPCG(l.seed, uint64(l.reads)))
	var views scratch
	for _, i := range rng.Perm(len(l.events)) {
		e := l.events[i]
		if e.Time.Floor(event.Hour) != hour || l.seed%2 == 0 && site != "" && e.Site != site {
			continue
		}
		views.reset()
		for _, s := range []*string{&e.Site, &e.Name, &e.URL, &e.UA, &e.Country, &e.topic} {
			*s = views.view(*s)
		}
		if err := fn(&e.Event, e.topic, e.partition, e.offset, e.index); err != nil {
			return err
		}
	}
	return l.fail
}

func (l *memLake) CompleteUntil(context.Context) (event.Time, bool, error) {
	return l.complete, l.complete != 0, nil
}

// memStore is a store of rollups in memory. With zeros it keeps deleted points as points of zeros, as InfluxDB does.
type memStore struct {
	windows map[windowID]*window.Window
	zeros   bool
	calls   []int // windows per Replace
	points  []int // points per Replace
}

func newStore(windows ...*window.Window) *memStore {
	s := &memStore{windows: make(map[windowID]*window.Window)}
	for _, w := range windows {
		s.windows[windowID{w.Site, w.Start, w.Shard}] = w
	}
	return s
}

func (s *memStore) Replace(_ context.Context, windows []*window.Window) error {
	s.calls, s.points = append(s.calls, len(windows)), append(s.points, 0)
	for _, w := range windows {
		s.points[len(s.points)-1] += len(w.Points)
		id := windowID{w.Site, w.Start, w.Shard}
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
	var ids []windowID
	for id := range s.windows {
		if id.site == sel.Site && id.start >= sel.From && id.start < sel.To {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, windowID.compare)
	var reused window.Point // valid during fn only, like all it points to
	var views scratch
	for _, id := range ids {
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

// want computes windows in the plainest way: rows in log order, one Agg per window.
func want(events []logged, limit int) *memStore {
	events = slices.Clone(events)
	key := func(e logged) string {
		return fmt.Sprintf("%-20s %5d %9d %5d", e.topic, e.partition, e.offset, e.index)
	}
	slices.SortFunc(events, func(a, b logged) int { return strings.Compare(key(a), key(b)) })
	aggs := make(map[windowID]*window.Agg)
	d := facts.New(facts.Options{})
	for _, e := range events {
		id := windowID{e.Site, e.Time.Floor(event.Minute), 0}
		if aggs[id] == nil {
			aggs[id] = window.NewAgg(limit)
		}
		var row window.Row
		d.Row(&e.Event, &row)
		aggs[id].AddRow(&row)
	}
	s := newStore()
	for id, a := range aggs {
		s.windows[id] = a.Window(id.site, 0, id.start, 0, true)
	}
	return s
}

// traffic makes n events of three sites over the minutes from start on, in two topics and several partitions.
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
		e := logged{
			Event: event.Event{
				ID: fmt.Sprint(i), Site: site, Name: event.Pageview, Time: start + event.Time(rng.Int64N(int64(length))), Visitor: event.Visitor(rng.Uint64N(50) + 1),
				URL: fmt.Sprintf("https://%s/p%d", site, rng.IntN(12)), UA: agents[rng.IntN(3)], Country: []string{"DE", "FR", ""}[rng.IntN(3)], Client: "v1",
			},
			place: place{topic: []string{"import", "millrace.events"}[rng.IntN(2)], partition: int32(rng.IntN(3)), offset: int64(i / 10), index: i % 10},
		}
		if rng.IntN(4) == 0 {
			e.Name = "signup"
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
