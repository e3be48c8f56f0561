package window

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"millrace/engine/event"
)

// benchSite is the traffic of a site: visitors with believable dimensions that stay theirs, pages
// by Zipf's law, a sixth of the events custom ones.
type benchSite struct {
	rng   *rand.Rand
	host  string
	pages *rand.Zipf
	who   *rand.Zipf
	seen  map[uint64]*benchVisit
	rate  float64 // events of a visitor on average; 0 is as who has it
}

type benchVisit struct {
	row   Row
	exit  string
	views int64
}

func newBenchSite(i int, rng *rand.Rand) *benchSite {
	return &benchSite{
		rng: rng, host: fmt.Sprintf("site-%02d.example", i),
		pages: rand.NewZipf(rng, 1.1, 4, 399), who: rand.NewZipf(rng, 1.01, 3000, 20_000),
		seen: map[uint64]*benchVisit{},
	}
}

var (
	benchCountries = []string{"US", "IN", "DE", "BR", "GB", "FR", "JP", "CN", "ES", "CA", "MX", "NL", "PL", "SE", "UA", "CH", "AT", "DK", "EE", "LV"}
	benchLanguages = []string{"en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "pt-BR", "ja-JP", "zh-CN", "nl-NL", "pl-PL", "en", "tr-TR"}
	benchBrowsers  = []string{"Chrome", "Chrome", "Chrome", "Safari", "Safari", "Edge", "Firefox", "Samsung Browser", "Opera"}
	benchOSes      = [][2]string{{"Windows", "10"}, {"Windows", "11"}, {"macOS", "10.15"}, {"iOS", "17"}, {"iOS", "18"}, {"Android", "10"}, {"Android", "14"}, {"Linux", None}}
	benchDevices   = []string{"Desktop", "Mobile", "Mobile", "Tablet"}
	benchScreens   = []string{"Mobile", "Tablet", "Laptop", "Desktop"}
	benchSources   = [][3]string{
		{None, None, "Direct"}, {None, None, "Direct"}, {"Google", "google.com", "Organic Search"}, {"Google", "google.com", "Organic Search"},
		{"Bing", "bing.com", "Organic Search"}, {"Facebook", "l.facebook.com", "Organic Social"}, {"Hacker News", "news.ycombinator.com/item", "Organic Social"},
		{"ChatGPT", "chatgpt.com", "AI Assistants"}, {"blog.partner.example", "blog.partner.example/ten-best-tools", "Referral"},
	}
	benchEvents = []string{"signup", "download", "outbound", "scroll", "search"}
)

func oneOf[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

func (s *benchSite) page() string {
	n := s.pages.Uint64()
	if n == 0 {
		return "/"
	}
	return fmt.Sprintf("/%s/article-%d", []string{"blog", "docs", "help", "shop"}[n%4], n)
}

// visit returns the visit of the next event, and whether it begins with it.
func (s *benchSite) visit() (v *benchVisit, begins bool) {
	r := s.rng
	n := uint64(len(s.seen))
	switch {
	case s.rate == 0:
		n = s.who.Uint64()
	case n > 0 && r.Float64() > 1/s.rate:
		n = r.Uint64N(n)
	}
	if v = s.seen[n]; v != nil {
		return v, false
	}
	v = &benchVisit{row: Row{Visitor: event.Visitor(r.Uint64())}}
	d := &v.row.Dims
	country := oneOf(r, benchCountries)
	from, os := oneOf(r, benchSources), oneOf(r, benchOSes)
	d[Source], d[Referrer], d[Channel] = from[0], from[1], from[2]
	d[Country], d[Region], d[City] = country, fmt.Sprintf("%s-%02d", country, r.IntN(12)), fmt.Sprint(2_900_000+100*r.IntN(60)+len(country))
	d[Language], d[Device], d[Screen] = oneOf(r, benchLanguages), oneOf(r, benchDevices), oneOf(r, benchScreens)
	d[Browser], d[BrowserVersion] = oneOf(r, benchBrowsers), fmt.Sprint(118+r.IntN(12))
	d[OS], d[OSVersion] = os[0], os[1]
	d[Hostname], d[EntryPage] = s.host, s.page()
	if r.IntN(7) == 0 {
		d[UTMSource], d[UTMMedium], d[UTMCampaign] = "newsletter", "email", fmt.Sprintf("week-%d", r.IntN(20))
	}
	d[Page] = d[EntryPage]
	s.seen[n] = v
	return v, true
}

// event returns the row of the next event, valid until the one after.
func (s *benchSite) event() *Row {
	v, begins := s.visit()
	r := &v.row
	if !begins {
		r.Dims[Page] = s.page()
	}
	r.Flags, r.Dims[Name], r.Goals, r.Props = PageviewRow, "pageview", nil, nil
	if s.rng.IntN(6) == 0 {
		r.Flags, r.Dims[Name] = 0, oneOf(s.rng, benchEvents)
		r.Props = []event.Prop{{Key: "plan", Value: "pro"}, {Key: "variant", Value: "b"}}
		if r.Dims[Name] == "signup" {
			r.Goals = []string{"Signup"}
		}
	}
	return r
}

// change appends what the next event does to the rollups of visits.
func (s *benchSite) change(w *VisitWriter) {
	v, begins := s.visit()
	c := VisitRow{Dims: v.row.Dims, Seconds: int64(s.rng.IntN(300)), Views: 1}
	c.Dims[Page], c.Dims[ExitPage] = "", v.exit
	page := s.page()
	v.views++
	switch {
	case begins:
		v.exit = c.Dims[EntryPage]
		c.Dims[ExitPage] = v.exit
		c.Visits, c.Bounces, c.Seconds = 1, 1, 0
		w.Add(&c)
	case page == v.exit:
		w.Add(&c)
	default:
		if v.views == 2 {
			c.Bounces = -1
		}
		c.Scope = AllButExitPage
		w.Add(&c)
		c.Scope, c.Visits, c.Bounces, c.Seconds, c.Views = ExitPageOnly, -1, 0, -c.Seconds, -v.views+1
		w.Add(&c)
		v.exit = page
		c.Dims[ExitPage], c.Visits, c.Seconds, c.Views = page, 1, 2*-c.Seconds, v.views
		w.Add(&c)
	}
}

// benchLog is what a partition appends to the windows of many sites: one string of chunks each.
type benchLog struct {
	windows [][]byte
	events  int
	bytes   int
}

// makeBenchLog makes a log of events of sites, by Zipf's law the larger the lower their number,
// that come in chunks of up to most.
func makeBenchLog(sites, events, most int, visits bool) *benchLog {
	rng := rand.New(rand.NewPCG(1, 2))
	l := &benchLog{windows: make([][]byte, sites)}
	all := make([]*benchSite, sites)
	for i := range all {
		all[i] = newBenchSite(i, rng)
	}
	bySize := rand.NewZipf(rng, 1.1, 1, uint64(sites-1))
	var rows RowWriter
	var changes VisitWriter
	for l.events < events {
		site := 0
		if sites > 1 {
			site = int(bySize.Uint64())
		}
		n := most
		if most <= 4 {
			n = 1 + rng.IntN(most)
		}
		from := len(l.windows[site])
		if visits {
			changes.Reset()
			for range n {
				all[site].change(&changes)
			}
			l.windows[site] = changes.AppendChunk(l.windows[site])
		} else {
			rows.Reset()
			for range n {
				rows.Add(all[site].event())
			}
			l.windows[site] = rows.AppendChunk(l.windows[site])
		}
		l.events += n
		l.bytes += len(l.windows[site]) - from
	}
	return l
}

// BenchmarkAdd folds the windows of a minute from their chunks: a large site's, and those of many
// sites.
func BenchmarkAdd(b *testing.B) {
	f := func(name string, sites, events, most int, visits bool) {
		b.Run(name, func(b *testing.B) {
			l := makeBenchLog(sites, events, most, visits)
			aggs := make([]*Agg, sites)
			for i := range aggs {
				aggs[i] = NewAgg(500)
			}
			b.ReportAllocs()
			for b.Loop() {
				for i, w := range l.windows {
					aggs[i].Reset(500)
					if err := aggs[i].Add(w); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(l.events), "ns/event")
			b.ReportMetric(float64(l.bytes)/float64(l.events), "B/event")
		})
	}
	f("large/events", 1, 20_000, 50, false)
	f("many/events", 200, 20_000, 4, false)
	f("large/visits", 1, 20_000, 50, true)
	f("many/visits", 200, 20_000, 4, true)
}

// benchMinutes are the windows of a few minutes of many sites, as a partition gets them: the events
// of a record go to the windows of their sites, and a visitor sends rate events in a minute on
// average.
func benchMinutes(minutes, sites, events, record int, rate float64) [][][]byte {
	rng := rand.New(rand.NewPCG(5, 6))
	all := make([]*benchSite, sites)
	for i := range all {
		all[i] = newBenchSite(i, rng)
	}
	bySize := rand.NewZipf(rng, 1.1, 1, uint64(sites-1))
	list := make([][][]byte, minutes)
	writers := make([]RowWriter, sites)
	for m := range list {
		list[m] = make([][]byte, sites)
		for i, s := range all {
			all[i] = &benchSite{rng: rng, host: s.host, pages: s.pages, rate: rate, seen: map[uint64]*benchVisit{}}
			if m > 0 { // some stay for the next minute
				for n, v := range s.seen {
					if n > uint64(len(s.seen))*2/3 {
						all[i].seen[uint64(len(all[i].seen))] = v
					}
				}
			}
		}
		for range events / record {
			for range record {
				n := bySize.Uint64()
				writers[n].Add(all[n].event())
			}
			for i := range writers {
				if w := &writers[i]; w.Len() > 0 {
					list[m][i] = w.AppendChunk(list[m][i])
					w.Reset()
				}
			}
		}
	}
	return list
}

// BenchmarkMinute takes the windows of a partition's sites through a minute: folded from their
// chunks, fired, merged into their hours and folded into one chunk for the store. Early is how
// often a window fires before its end.
func BenchmarkMinute(b *testing.B) {
	f := func(name string, rate float64, early int) {
		b.Run(name, func(b *testing.B) {
			const minutes, sites, events = 2, 50, 150_000
			windows := benchMinutes(minutes, sites, events, 100, rate)
			aggs, hours := make([]*Agg, sites), make([]*Agg, sites)
			for i := range aggs {
				aggs[i], hours[i] = NewAgg(500), NewAgg(500)
			}
			var fold, fire, merge, store time.Duration
			var buf []byte
			b.ReportAllocs()
			began := time.Now()
			clock := func() time.Duration { return time.Since(began) }
			for b.Loop() {
				for i := range hours {
					hours[i].Reset(500)
				}
				for m, list := range windows {
					for i, w := range list {
						a, head := aggs[i], Window{Site: "site.example", Start: event.Time(m) * event.Minute, Version: 123456, Final: true}
						a.Reset(500)
						for part := range early + 1 {
							var chunks []byte
							chunks, w = cutChunks(w, len(w)/(early+1-part))
							start := clock()
							if err := a.Add(chunks); err != nil {
								b.Fatal(err)
							}
							folded := clock()
							if err := a.Records(&head, 4<<20, func([]byte) error { return nil }); err != nil {
								b.Fatal(err)
							}
							fold += folded - start
							fire += clock() - folded
						}
						start := clock()
						hours[i].Merge(a)
						merged := clock()
						buf = a.AppendFolded(buf[:0])
						merge += merged - start
						store += clock() - merged
					}
				}
			}
			n := float64(b.N) * minutes * events
			b.ReportMetric(float64(fold.Nanoseconds())/n, "fold-ns/event")
			b.ReportMetric(float64(fire.Nanoseconds())/n, "fire-ns/event")
			b.ReportMetric(float64(merge.Nanoseconds())/n, "merge-ns/event")
			b.ReportMetric(float64(store.Nanoseconds())/n, "store-ns/event")
			b.ReportMetric(float64((fold+fire+merge+store).Nanoseconds())/n, "all-ns/event")
		})
	}
	f("rate=1.5", 1.5, 0)
	f("rate=3", 3, 0)
	f("rate=2/early=11", 2, 11)
}

// cutChunks cuts whole chunks of at least n bytes off, all if there are no more.
func cutChunks(b []byte, n int) (head, rest []byte) {
	rest = b
	for len(rest) > 0 && len(b)-len(rest) < n {
		_, _, rest, _ = cutChunk(rest)
	}
	return b[:len(b)-len(rest)], rest
}

// BenchmarkWrite writes rows as chunks, with their origins encoded before, as package engine does.
func BenchmarkWrite(b *testing.B) {
	f := func(name string, most int) {
		b.Run(name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			s := newBenchSite(1, rng)
			list := make([]Row, 2000)
			for i := range list {
				list[i] = *s.event()
				list[i].Origin = AppendOrigin(nil, &list[i].Dims)
			}
			var w RowWriter
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				for i := range list {
					w.Add(&list[i])
					if w.Len() == most {
						buf = w.AppendChunk(buf[:0])
						w.Reset()
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/event")
		})
	}
	f("of=3", 3)
	f("of=50", 50)
}
