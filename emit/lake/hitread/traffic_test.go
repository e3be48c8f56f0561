package hitread_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/site"
)

// base is 21:00 UTC on the day before the clocks change in Europe: 2026-03-28.
const base = event.Time(1_774_731_600_000)

// partitions is the number of logs: a site's visitors are in all of them.
const partitions = 2

// rules have short visits, so that most have ended.
var rules = engine.Rules{VisitLength: 2 * event.Hour}

var (
	sites  = []string{"a.example", "m.example", "z.example"}
	agents = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	}
	referrers = []string{"", "", "https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://a.example/p1"}
	queries   = []string{"", "", "", "?utm_source=letter&utm_medium=email&utm_campaign=may", "?ref=friend", "?gclid=1"}
	places    = [][3]string{{"DE", "DE-BE", "2950159"}, {"US", "US-CA", ""}, {"FR", "", ""}, {}}
)

// world is a log of each partition, and what was made of it.
type world struct {
	logs    [partitions][][]byte
	hits    [partitions][]*hits.Hit
	joins   [partitions]hits.Joins
	joined  [partitions][]hits.Join
	ended   [partitions][]endedVisit
	windows []*window.Window
	// lows are the watermarks at the end, low the least.
	lows [partitions]event.Time
	low  event.Time
	at   int64 // the record under way
}

// Hit, Join and Visit make a world's partition a hits.Sink.
type sink struct {
	w *world
	p int
}

func (s sink) Hit(h *hits.Hit) { s.w.hits[s.p] = append(s.w.hits[s.p], h.Clone()) }
func (s sink) Join(j hits.Join) {
	if s.w.joins[s.p] == nil {
		s.w.joins[s.p] = hits.Joins{}
	}
	s.w.joins[s.p].Add(j)
	j.Site = strings.Clone(j.Site)
	s.w.joined[s.p] = append(s.w.joined[s.p], j)
}

func (s sink) Visit(v *visit.Visit) {
	c := *v
	c.Site = strings.Clone(c.Site)
	for d := range c.Dims {
		c.Dims[d] = strings.Clone(c.Dims[d])
	}
	s.w.ended[s.p] = append(s.w.ended[s.p], endedVisit{c, s.w.at})
}

// endedVisit is a visit and the record that it ended with.
type endedVisit struct {
	visit.Visit
	offset int64
}

// newWorld makes logs of a number of records each, over two days or so.
func newWorld(tb testing.TB, seed uint64, records int, visitors uint64) *world {
	tb.Helper()
	w := &world{}
	for p := range partitions {
		rng := rand.New(rand.NewPCG(seed, uint64(p)))
		w.logs[p], w.lows[p] = makeLog(rng, records, visitors*uint64(p+1))
		l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: int32(p), Rules: rules, Deriver: newDeriver()})
		for i, value := range w.logs[p] {
			w.at = int64(i)
			if err := l.Step(int64(i), value, sink{w, p}); err != nil {
				tb.Fatal(err)
			}
		}
		w.count(tb, p)
	}
	w.low = slices.Min(w.lows[:])
	return w
}

func makeLog(rng *rand.Rand, records int, visitors uint64) (log [][]byte, low event.Time) {
	now, id := base, 0
	for len(log) < records {
		now += event.Time(rng.Int64N(int64(20 * event.Second)))
		if rng.IntN(4) == 0 {
			now += event.Time(rng.Int64N(int64(14 * event.Minute)))
		}
		low = max(low, now-event.Time(rng.IntN(3000)))
		var list []byte
		for n := range rng.IntN(8) {
			if n > 0 {
				list = append(list, ',')
			}
			id++
			e := makeEvent(rng, now, visitors)
			e.ID = fmt.Sprint(id)
			list = e.Append(list)
		}
		log = append(log, event.AppendEnvelope(nil, "c1", low, list))
	}
	return log, low
}

func makeEvent(rng *rand.Rand, now event.Time, visitors uint64) event.Event {
	at := now - event.Time(rng.IntN(2000))
	switch rng.IntN(12) {
	case 0, 1:
		at -= event.Time(rng.Int64N(int64(event.Hour)))
	case 2:
		at -= event.Hour + event.Time(rng.Int64N(int64(3*event.Minute)))
	}
	n := rng.Uint64()%visitors + 1
	host, place := sites[rng.IntN(len(sites))], places[n%4]
	e := event.Event{
		Site: host, Name: event.Pageview, Time: at, Received: now, Visitor: event.Visitor(n * 0x9e3779b97f4a7c15),
		URL:      fmt.Sprintf("https://%s%s/p%d%s", [...]string{"", "blog."}[n%2], host, rng.IntN(5), queries[rng.IntN(len(queries))]),
		Referrer: referrers[rng.IntN(len(referrers))],
		UA:       agents[n%3], Language: "de-DE", Screen: "1920x1080", Country: place[0], Region: place[1], City: place[2], Client: "v1",
	}
	switch rng.IntN(10) {
	case 0:
		e.Name, e.NonInteractive = "signup", rng.IntN(2) == 0
		e.Props = []event.Prop{{Key: "plan", Value: "pro"}, {Key: "variant", Value: fmt.Sprint(rng.IntN(2))}}
	case 1:
		e.Name, e.Amount, e.Currency = "purchase", event.Money(rng.IntN(3))*19_900, [...]string{"EUR", "USD"}[rng.IntN(2)]
		if rng.IntN(2) == 0 {
			e.Props = []event.Prop{{Key: "plan", Value: "free"}}
		}
	case 2:
		e.Name, e.Ping, e.Engaged, e.Scroll = "ping", true, event.Time(rng.IntN(9000)), event.PercentOf(rng.Int64N(102)-1)
	}
	switch rng.IntN(24) {
	case 0:
		e.UA = "curl/8.5.0"
	case 1:
		e.Bot = "datacenter"
	case 2:
		e.Visitor = 0
	case 3:
		e.URL = ""
	}
	return e
}

// The goals of the tests: an event that is one for two, and a page.
var goals = []site.Goal{{Name: "Signed up", Event: "signup"}, {Name: "Engaged", Event: "signup"}, {Name: "Bought", Event: "purchase"}, {Name: "Read p3", Page: "/p3"}}

func reached(name, page string, view bool) (list []string) {
	for _, g := range goals {
		if g.Event != "" && g.Event == name || view && g.Page != "" && g.Page == page {
			list = append(list, g.Name)
		}
	}
	slices.Sort(list)
	return list
}

func newDeriver() engine.Deriver {
	var list []site.Site
	for i, id := range sites {
		list = append(list, site.Site{ID: id, Goals: goals, Currency: [...]string{"EUR", "", "USD"}[i]})
	}
	return enrich.New(enrich.Options{CacheSize: 64, Goals: enrich.NewGoals(list, site.Site{})})
}

// count makes the windows of a log.
func (w *world) count(tb testing.TB, p int) {
	tb.Helper()
	type key struct {
		kind  window.Kind
		site  string
		start event.Time
	}
	core, aggs := engine.NewCore(rules, newDeriver()), map[key]*window.Agg{}
	at := func(k key) *window.Agg {
		if aggs[k] == nil {
			aggs[k] = window.NewAgg(0)
		}
		return aggs[k]
	}
	for i, value := range w.logs[p] {
		d, _ := core.Step(int32(p), int64(i), value)
		for _, a := range d.Adds {
			if err := at(key{a.Kind, strings.Clone(a.Site), a.Start}).Add(bytes.Clone(a.Chunk)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for k, a := range aggs {
		win := &window.Window{Kind: k.kind, Site: k.site, Shard: uint16(p), Start: k.start, Final: true}
		a.Fill(win)
		w.windows = append(w.windows, win)
	}
	slices.SortFunc(w.windows, func(x, y *window.Window) int { return int(x.Start - y.Start) })
}

// Scan, Sites and Progress make a world a query.Reader.
func (w *world) Scan(_ context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	for _, win := range w.windows {
		if win.Kind != sel.Kind || win.Site != sel.Site || win.Start < sel.From || win.Start >= sel.To {
			continue
		}
		for i := range win.Points {
			p := &win.Points[i]
			if p.Family != sel.Family || !among(sel.Values[0], p.Dims[0]) || !among(sel.Values[1], p.Dims[1]) {
				continue
			}
			if err := fn(win.Start, true, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func among(list []string, v string) bool { return list == nil || slices.Contains(list, v) }

func (w *world) Sites(context.Context) ([]string, error) { return sites, nil }

// Progress has no hours, so that minutes are read.
func (w *world) Progress(context.Context) ([]window.Progress, error) {
	return []window.Progress{{Low: w.low}, {Low: w.low}}, nil
}

// files is a hitread.Lister of files that do not change.
type files hitread.List

func (f *files) List(context.Context) (*hitread.List, error) { return (*hitread.List)(f), nil }

// archive writes the hits, joins and visits to files of some records each, by day.
func (w *world) archive(tb testing.TB, store blob.Store, records int64) *files {
	tb.Helper()
	list := &files{}
	for p := range partitions {
		list.Partitions = append(list.Partitions, hitread.Partition{ID: int32(p), Watermark: w.lows[p]})
		a := &archiving{about: map[string]*hitread.File{}, hits: map[string]*hitfile.Buffer{}, visits: map[string]*hitfile.VisitBuffer{}, p: p, records: records}
		for _, h := range w.hits[p] {
			key := a.file("hits", h.Time, h.Offset, h.Site, true)
			if a.hits[key] == nil {
				a.hits[key] = hitfile.NewBuffer()
			}
			a.hits[key].Hit(h)
		}
		visits := func(at event.Time, offset int64, site string, timed bool) *hitfile.VisitBuffer {
			key := a.file("visits", at, offset, site, timed)
			if a.visits[key] == nil {
				a.visits[key] = hitfile.NewVisitBuffer(event.Topic, int32(p))
			}
			return a.visits[key]
		}
		for i := range w.ended[p] {
			v := &w.ended[p][i]
			visits(v.Begin, v.offset, v.Site, true).Visit(&v.Visit)
		}
		for _, j := range w.joined[p] {
			visits(j.Begin, j.Offset, j.Site, false).Join(j)
		}
		for key, f := range a.about {
			var out bytes.Buffer
			var rows interface{ Encode(*bytes.Buffer) error }
			into := &list.Hits
			if b := a.hits[key]; b != nil {
				rows = b
			} else {
				rows, into = a.visits[key], &list.Visits
			}
			if err := rows.Encode(&out); err != nil {
				tb.Fatal(err)
			}
			f.Size = int64(out.Len())
			if err := store.Put(tb.Context(), key, out.Bytes()); err != nil {
				tb.Fatal(err)
			}
			*into = append(*into, *f)
		}
	}
	return list
}

// archiving are the files of a partition in the making.
type archiving struct {
	about   map[string]*hitread.File
	hits    map[string]*hitfile.Buffer
	visits  map[string]*hitfile.VisitBuffer
	p       int
	records int64
}

// file returns the key of the file of a row.
func (a *archiving) file(table string, at event.Time, offset int64, site string, timed bool) string {
	key := fmt.Sprintf("%s/events-%d/dt=%s/%d.parquet", table, a.p, at.Std().Format("2006-01-02"), offset/a.records)
	f := a.about[key]
	if f == nil {
		f = &hitread.File{Key: key, Partition: int32(a.p), MinSite: site, MaxSite: site, Day: at.Floor(24 * event.Hour)}
		a.about[key] = f
	}
	f.MinSite, f.MaxSite = min(f.MinSite, site), max(f.MaxSite, site)
	if timed {
		if f.MinTime == 0 {
			f.MinTime = at
		}
		f.MinTime, f.MaxTime = min(f.MinTime, at), max(f.MaxTime, at)
	}
	return key
}
