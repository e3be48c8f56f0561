package visit

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// traffic is a stream of pageviews as of real sites: visitors come, read four pages over six minutes, and go.
type traffic struct {
	tab     *Table
	row     window.Row // of all events
	next    window.Row
	ev      event.Event
	n       int
	perSec  int
	journal int // bytes
	chunks  int
}

var benchPages = func() (pages []string) {
	for i := range 1000 {
		pages = append(pages, fmt.Sprintf("/articles/2026/%03d-a-title-of-some-length", i))
	}
	return pages
}()

var benchSites = func() (sites []string) {
	for i := range 50 {
		sites = append(sites, fmt.Sprintf("site-%02d.example", i))
	}
	return sites
}()

func newTraffic(perSec int) *traffic {
	tr := &traffic{tab: NewTable(Rules{}), perSec: perSec}
	tr.row.Flags = window.PageviewRow
	for d, s := range map[window.Dim]string{
		window.Source: "Google", window.Referrer: "google.com", window.Country: "DE", window.Language: "de-DE", window.Browser: "Chrome",
		window.OS: "Windows", window.Device: "Desktop", window.Name: "pageview", window.Hostname: "example.com", window.Channel: "Organic Search",
		window.Region: "DE-BE", window.City: "2950159", window.BrowserVersion: "139", window.OSVersion: "10", window.Screen: "Laptop",
	} {
		tr.row.Dims[d] = s
	}
	return tr
}

// complete is for rows that have their origin.
type complete struct{}

func (complete) Origin(*event.Event, *window.Row) {}

func (tr *traffic) event() {
	const pages, pause = 4, 2 * 60 // seconds
	// Of each four events one is the first, second, third and fourth of a visit that began so long ago.
	nth := tr.n % pages
	began := tr.n/pages - nth*pause*tr.perSec/pages
	at := origin + event.Time(tr.n)*1000/event.Time(tr.perSec)
	r := &tr.next
	*r = tr.row
	r.Visitor = event.Visitor(uint64(began)*0x9e3779b97f4a7c15 | 1)
	r.Dims[window.Page] = benchPages[uint(began*7+nth*13)%1000]
	tr.ev.Site, tr.ev.Time = benchSites[uint(began)%50], at
	tr.tab.Observe(&tr.ev, r, complete{})
	if tr.n++; tr.n%100 == 0 {
		tr.journal += len(tr.tab.Flush(func(_ string, _ event.Time, chunk []byte) { tr.chunks += len(chunk) }))
		tr.tab.Expire(at)
	}
}

// BenchmarkEvent measures an event, from Observe to Flush and Expire, with as many live visits as a rate of events leads to.
func BenchmarkEvent(b *testing.B) {
	for _, perSec := range []int{20, 400} {
		b.Run(fmt.Sprintf("%d per second", perSec), func(b *testing.B) {
			tr := newTraffic(perSec)
			for tr.n < perSec*110*60 {
				tr.event()
			}
			from := *tr
			b.ReportAllocs()
			for b.Loop() {
				tr.event()
			}
			n := float64(tr.n - from.n)
			b.ReportMetric(float64(tr.journal-from.journal)/n, "journal-B/event")
			b.ReportMetric(float64(tr.chunks-from.chunks)/n, "chunk-B/event")
			b.ReportMetric(float64(tr.tab.Len()), "visits")
			b.ReportMetric(float64(tr.tab.Bytes())/float64(tr.tab.Len()), "B/visit")
		})
	}
}

// crowd is a stream as that of `millrace bench engine`: sites, visitors and pages by Zipf's law, a sixth of the events no
// pageviews, in records of 100 events, whose strings lie in memory of their own.
type crowd struct {
	tab                   *Table
	rng                   *rand.Rand
	sites, visitors, page []float64
	perSecond, now        float64 // now in ms
	rows                  [100]window.Row
	events                [100]event.Event
	buf                   bytes.Buffer

	spent           []time.Duration // in the table, by record
	journal, chunks int             // bytes
}

// sums returns the sums of the shares of n ranks.
func zipf(n int, s float64) []float64 {
	sums, total := make([]float64, n), 0.0
	for i := range sums {
		total += math.Pow(float64(i+1), -s)
		sums[i] = total
	}
	return sums
}

func newCrowd(perSecond float64) *crowd {
	return &crowd{perSecond: perSecond, tab: NewTable(Rules{}), rng: rand.New(rand.NewPCG(1, 2)), now: float64(origin),
		sites: zipf(50, 1.1), visitors: zipf(50_000, 0.6), page: zipf(400, 1.0)}
}

func (c *crowd) draw(sums []float64) int {
	return sort.SearchFloat64s(sums, c.rng.Float64()*sums[len(sums)-1])
}

var (
	crowdSections = strings.Fields("blog docs pricing news product about help shop guide events careers press team status api")
	crowdBrowsers = strings.Fields("Chrome Chrome Chrome Safari Edge Firefox")
	crowdSystems  = strings.Fields("Windows macOS Linux Android")
	crowdLands    = strings.Fields("US IN DE BR GB FR JP CN")
	crowdScreens  = strings.Fields("Desktop Laptop Mobile Tablet")
	crowdSources  = [][3]string{{"Google", "google.com/", "Organic Search"}, {"Bing", "bing.com/", "Organic Search"},
		{"Reddit", "reddit.com/r/programming/", "Organic Social"}, {window.None, window.None, "Direct"}}
)

// next makes the events of a record: the rows as package enrich does.
func (c *crowd) next() {
	c.buf.Reset()
	var ends [100][3]int
	for i := range c.rows {
		c.now += c.rng.ExpFloat64() * 1000 / c.perSecond
		r, e := &c.rows[i], &c.events[i]
		*r = window.Row{}
		site, page := c.draw(c.sites), c.draw(c.page)
		n := (uint64(site)<<32 | uint64(c.draw(c.visitors))) * 0x9e3779b97f4a7c15
		n = (n ^ n>>29) * 0xbf58476d1ce4e5b9
		n ^= n >> 32
		r.Visitor = event.Visitor(n)
		*e = event.Event{Visitor: r.Visitor, Time: event.Time(c.now)}
		ends[i][0] = c.buf.Len()
		fmt.Fprintf(&c.buf, "site-%02d.example", site)
		ends[i][1] = c.buf.Len()
		if page == 0 {
			c.buf.WriteString("/")
		} else {
			fmt.Fprintf(&c.buf, "/%s/%s-%d", crowdSections[page%len(crowdSections)], crowdSections[(page/7)%len(crowdSections)], page)
		}
		ends[i][2] = c.buf.Len()
		if c.rng.IntN(6) != 0 {
			r.Flags = window.PageviewRow
		}
		d := &r.Dims
		if k := c.rng.IntN(100); k >= 55 {
			src := crowdSources[k%4]
			d[window.Source], d[window.Referrer], d[window.Channel] = src[0], src[1], src[2]
		}
		d[window.Country], d[window.Language], d[window.Browser] = crowdLands[n%8], "en-US", crowdBrowsers[n>>4%6]
		d[window.BrowserVersion], d[window.OS], d[window.OSVersion] = "139", crowdSystems[n>>8%4], "10"
		d[window.Device], d[window.Screen], d[window.Name] = "Desktop", crowdScreens[n>>12%4], "pageview"
	}
	text := c.buf.String()
	for i, at := range ends {
		site := text[at[0]:at[1]]
		c.events[i].Site = site
		c.rows[i].Dims[window.Hostname] = site
		c.rows[i].Dims[window.Page] = text[at[1]:at[2]]
	}
}

func (c *crowd) record() {
	c.next()
	began := time.Now()
	c.tab.Ahead(c.events[:])
	for i := range c.rows {
		e := &c.events[i]
		c.tab.Observe(e, &c.rows[i], complete{})
	}
	c.journal += len(c.tab.Flush(func(_ string, _ event.Time, chunk []byte) { c.chunks += len(chunk) }))
	c.tab.Expire(event.Time(c.now))
	c.spent = append(c.spent, time.Since(began))
}

// BenchmarkRecord measures all that a table does for a record of 100 events, without what making these takes: with events as
// old as visits get, so that as many end as begin, and with those of the first minutes.
func BenchmarkRecord(b *testing.B) {
	b.Run("steady", func(b *testing.B) { benchmarkRecord(b, 60, 4000) })
	b.Run("young", func(b *testing.B) { benchmarkRecord(b, 2500, 1000) })
}

func benchmarkRecord(b *testing.B, perSecond float64, before int) {
	c := newCrowd(perSecond)
	for range before {
		c.record()
	}
	c.spent, c.journal, c.chunks = nil, 0, 0
	for b.Loop() {
		c.record()
	}
	n := float64(b.N * len(c.rows))
	slices.Sort(c.spent) // the median leaves out what the machine did in between
	b.ReportMetric(float64(c.spent[len(c.spent)/2].Nanoseconds())/float64(len(c.rows)), "ns/event")
	b.ReportMetric(float64(c.spent[len(c.spent)/10].Nanoseconds())/float64(len(c.rows)), "p10-ns/event")
	b.ReportMetric(float64(c.journal)/n, "journal-B/event")
	b.ReportMetric(float64(c.chunks)/n, "chunk-B/event")
	b.ReportMetric(float64(c.tab.Len()), "visits")
	b.ReportMetric(float64(c.tab.Bytes())/float64(c.tab.Len()), "B/visit")
}

// BenchmarkCheckpoint measures a checkpoint of all visits, and reading it.
func BenchmarkCheckpoint(b *testing.B) {
	tr := newTraffic(100)
	for tr.n < 100*110*60 {
		tr.event()
	}
	for tr.n%100 != 0 {
		tr.event()
	}
	blob, _ := tr.tab.Checkpoint(nil)
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			tr.tab.tracking = false
			for i := int32(1); i <= tr.tab.visits.made; i++ {
				tr.tab.visits.at(i).flags &^= dirty
			}
			blob, _ = tr.tab.Checkpoint(blob[:0])
		}
		b.ReportMetric(float64(len(blob))/float64(tr.tab.Len()), "B/visit")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tr.tab.Len()), "ns/visit")
	})
	b.Run("apply", func(b *testing.B) {
		for b.Loop() {
			if err := NewTable(Rules{}).Apply(blob); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tr.tab.Len()), "ns/visit")
	})
}
