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
	"millrace/query/statsapi"
)

const benchDays = 30

// benchStore holds 30 days of a site with 500 pages (Zipf), of which perMinute views see some 20
// different ones a minute: minutes, the hours folded of them, and a visit for each fifth view.
// Points is the number of those of minutes.
func benchStore(b *testing.B) (s *Store, points int) {
	const perMinute, pages, visitors, budget = 40, 500, 20_000, 500
	s = mustOpen(b, Options{Dir: b.TempDir(), NoSync: true})
	r := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(r, 1.2, 3, pages-1)
	minute, hour, quarter := window.NewAgg(budget), window.NewAgg(budget), window.NewAgg(budget)
	var ws []*window.Window
	fire := func(k window.Kind, a *window.Agg, end event.Time) *window.Window {
		w := &window.Window{Kind: k, Site: "a.example", Start: end - k.Length(), Version: int64(end), Final: true}
		a.Fill(w)
		ws = append(ws, w)
		return w
	}
	for m := range event.Time(benchDays * 24 * 60) {
		minute.Reset(budget)
		for i := range perMinute {
			v := r.Uint64N(visitors) + 1
			row := window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(v * 0x9e3779b97f4a7c15), Dims: [window.NumDims]string{window.Page: fmt.Sprintf("/articles/%d", zipf.Uint64())}}
			minute.AddRow(&row)
			if i%5 == 0 {
				quarter.AddVisitRow(&window.VisitRow{Dims: [window.NumDims]string{window.EntryPage: row.Dims[window.Page]}, Visits: 1, Views: 5, Seconds: 100})
			}
		}
		hour.Merge(minute)
		end := (m + 1) * event.Minute
		points += len(fire(window.Minute, minute, end).Points) - 1
		if end%window.Visits.Length() == 0 {
			fire(window.Visits, quarter, end)
			quarter.Reset(budget)
		}
		if end%window.Hour.Length() == 0 {
			fire(window.Hour, hour, end)
			hour.Reset(budget)
		}
		if len(ws) >= 500 || end == benchDays*24*event.Hour {
			if err := s.Write(b.Context(), ws); err != nil {
				b.Fatal(err)
			}
			ws = ws[:0]
		}
	}
	if err := s.WriteProgress(b.Context(), []window.Progress{{Low: benchDays * 24 * event.Hour, Hours: benchDays * 24 * event.Hour}}); err != nil {
		b.Fatal(err)
	}
	if err := pebbleOf(s).Compact(b.Context(), []byte{0}, []byte{0xff}, true); err != nil {
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

// fromMinutes is a store whose hours are not known.
type fromMinutes struct{ *Store }

func (fromMinutes) Progress(context.Context) ([]window.Progress, error) { return nil, nil }

// withoutDays is a store that has no sums of days.
type withoutDays struct{ *Store }

func (r withoutDays) Scan(ctx context.Context, sel window.Selection, fn func(event.Time, bool, *window.Point) error) error {
	sel.Days = false
	return r.Store.Scan(ctx, sel, fn)
}

// BenchmarkQuery queries 30 days, from days, from hours and from minutes.
func BenchmarkQuery(b *testing.B) {
	s, points := benchStore(b)
	f := func(name string, reader query.Reader, zone, metrics, dims string) {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			b.Fatal(err)
		}
		x, err := query.New(query.Options{
			Reader: reader, Now: func() time.Time { return time.UnixMilli(0) }, TimeZone: func(string) *time.Location { return loc },
		})
		if err != nil {
			b.Fatal(err)
		}
		srv, err := statsapi.New(statsapi.Options{Executor: x})
		if err != nil {
			b.Fatal(err)
		}
		body := []byte(fmt.Sprintf(`{"site_id":"a.example","metrics":[%s],"date_range":["1970-01-01","1970-01-%d"],"dimensions":[%s]}`, metrics, benchDays, dims))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			if _, err := srv.Answer(b.Context(), body); err != nil {
				b.Fatal(err)
			}
			if err := s.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := srv.Answer(context.Background(), body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(points)*float64(b.N)/b.Elapsed().Seconds(), "points-held/s")
		})
	}
	for _, tier := range []struct {
		name   string
		reader query.Reader
	}{{"days", s}, {"hours", withoutDays{s}}, {"minutes", fromMinutes{s}}} {
		f("pages/views/"+tier.name, tier.reader, "UTC", `"pageviews"`, `"event:page"`)
		f("pages/visitors/"+tier.name, tier.reader, "UTC", `"visitors"`, `"event:page"`)
		f("pages by day/visitors/"+tier.name, tier.reader, "UTC", `"visitors"`, `"event:page","time:day"`)
		f("pages by day in Kathmandu/visitors/"+tier.name, tier.reader, "Asia/Kathmandu", `"visitors"`, `"event:page","time:day"`)
		f("totals/visitors/"+tier.name, tier.reader, "UTC", `"visitors"`, ``)
		f("totals by day/visitors/"+tier.name, tier.reader, "UTC", `"visitors"`, `"time:day"`)
	}
	f("entry pages/visits/quarters", withoutDays{s}, "UTC", `"visits","bounce_rate"`, `"visit:entry_page"`)
	f("totals by day/visits", s, "UTC", `"visits","bounce_rate"`, `"time:day"`)
	f("entry pages/visits", s, "UTC", `"visits","bounce_rate"`, `"visit:entry_page"`)
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
