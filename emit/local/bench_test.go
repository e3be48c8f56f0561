package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/query"
)

const benchDays = 30

// benchStore holds 30 days of a site with 500 pages (Zipf), of which perMinute views see some 20 different ones a
// minute. Points is their number.
func benchStore(b *testing.B) (s *Store, points int) {
	const perMinute, pages, visitors = 40, 500, 20_000
	s = mustOpen(b, Options{Dir: b.TempDir(), NoSync: true})
	r := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(r, 1.2, 3, pages-1)
	a := window.NewAgg(500)
	var ws []*window.Window
	for m := range event.Time(benchDays * 24 * 60) {
		a.Reset(500)
		for range perMinute {
			v := r.Uint64N(visitors) + 1
			a.AddRow(&window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(v * 0x9e3779b97f4a7c15), Dims: [window.NumDims]string{window.Page: fmt.Sprintf("/articles/%d", zipf.Uint64())}})
		}
		w := a.Window("a.example", 0, m*event.Minute, int64(m), true)
		points += len(w.Points) - 1
		if ws = append(ws, w); len(ws) == 500 {
			if err := s.Write(b.Context(), ws); err != nil {
				b.Fatal(err)
			}
			ws = ws[:0]
		}
	}
	if err := s.db.Compact(b.Context(), []byte{0}, []byte{0xff}, true); err != nil {
		b.Fatal(err)
	}
	return s, points
}

func BenchmarkScan(b *testing.B) {
	s, points := benchStore(b)
	f := func(name string, values []string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			sel := window.Selection{Site: "a.example", Family: window.Pages, To: benchDays * 24 * event.Hour, Values: [2][]string{values}}
			n := 0
			for b.Loop() {
				if err := s.Scan(b.Context(), sel, func(event.Time, bool, *window.Point) error { n++; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(points)*float64(b.N)/b.Elapsed().Seconds(), "points-held/s")
			b.ReportMetric(float64(n)/float64(b.N), "points")
		})
	}
	f("all", nil)
	f("value", []string{"/articles/400"})
}

func BenchmarkQuery(b *testing.B) {
	s, points := benchStore(b)
	srv, err := query.New(query.Options{Reader: s, Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		b.Fatal(err)
	}
	f := func(name, metrics, dims string) {
		body := []byte(fmt.Sprintf(`{"site_id":"a.example","metrics":[%s],"date_range":["1970-01-01","1970-01-%d"],"dimensions":[%s]}`, metrics, benchDays, dims))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := srv.Answer(context.Background(), body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(points)*float64(b.N)/b.Elapsed().Seconds(), "points-held/s")
		})
	}
	f("pages/views", `"pageviews"`, `"event:page"`)
	f("pages/visitors", `"visitors"`, `"event:page"`)
	f("pages by day/visitors", `"visitors"`, `"event:page","time:day"`)
	f("totals by day/visitors", `"visitors"`, `"time:day"`)
}

// BenchmarkWrite is the live path: the open windows of 100 sites fire again, most values unchanged.
func BenchmarkWrite(b *testing.B) {
	s := mustOpen(b, Options{Dir: b.TempDir()})
	r := rand.New(rand.NewPCG(1, 1))
	aggs := make([]*window.Agg, 100)
	for i := range aggs {
		aggs[i] = window.NewAgg(500)
	}
	version := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		var ws []*window.Window
		for i, a := range aggs {
			for range 5 {
				a.AddRow(&window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(r.Uint64()), Dims: [window.NumDims]string{
					window.Page: fmt.Sprint("/", r.IntN(100)), window.Country: "DE", window.Browser: "Firefox",
				}})
			}
			version++
			ws = append(ws, a.Window(fmt.Sprint("site-", i), 0, 0, version, false))
		}
		if err := s.Write(b.Context(), ws); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(aggs))/b.Elapsed().Seconds(), "windows/s")
}
