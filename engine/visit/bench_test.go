package visit

import (
	"fmt"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// traffic is a stream of pageviews as of real sites: visitors come, read four pages over six minutes, and go.
type traffic struct {
	tab     *Table
	row     window.Row
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

func (tr *traffic) event() {
	const pages, pause = 4, 2 * 60 // seconds
	// Of each four events one is the first, second, third and fourth of a visit that began so long ago.
	nth := tr.n % pages
	began := tr.n/pages - nth*pause*tr.perSec/pages
	at := origin + event.Time(tr.n)*1000/event.Time(tr.perSec)
	r := tr.row
	r.Visitor = event.Visitor(uint64(began)*0x9e3779b97f4a7c15 | 1)
	r.Dims[window.Page] = benchPages[uint(began*7+nth*13)%1000]
	tr.tab.Observe(benchSites[uint(began)%50], &r, at, 0, false)
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
