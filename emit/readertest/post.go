package readertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/query"
	"millrace/query/statsapi"
)

// answer is what an answer of the API holds that matters here.
type answer struct {
	Results []struct {
		Metrics    []any
		Dimensions []string
	}
	Meta struct {
		Complete   bool
		Other      *float64
		Watermark  *string
		TotalRows  int      `json:"total_rows"`
		TimeLabels []string `json:"time_labels"`
	}
}

func (a *answer) print() string {
	var b strings.Builder
	for _, r := range a.Results {
		if len(r.Dimensions) == 0 {
			r.Dimensions = nil
		}
		fmt.Fprintf(&b, "%q %v\n", r.Dimensions, r.Metrics)
	}
	return b.String()
}

// post sends a query through the HTTP handler.
func post(t *testing.T, srv *statsapi.Server, body string) *answer {
	t.Helper()
	var ctx fasthttp.RequestCtx
	var req fasthttp.Request
	req.Header.SetMethod("POST")
	req.SetRequestURI(statsapi.PathQuery)
	req.SetBodyString(body)
	ctx.Init(&req, nil, nil)
	srv.Handler(&ctx)
	if code := ctx.Response.StatusCode(); code != 200 {
		t.Fatalf("%s\n%d %s", body, code, ctx.Response.Body())
	}
	a := new(answer)
	if err := json.Unmarshal(ctx.Response.Body(), a); err != nil {
		t.Fatalf("%v: %s", err, ctx.Response.Body())
	}
	for _, r := range a.Results {
		for i := range r.Metrics {
			r.Metrics[i] = statsapi.Number(r.Metrics[i])
		}
	}
	return a
}

// withoutHours is a Reader that knows of no hours.
type withoutHours struct{ query.Reader }

func (r withoutHours) Progress(ctx context.Context) ([]window.Progress, error) {
	ps, err := r.Reader.Progress(ctx)
	for i := range ps {
		ps[i].Hours = 0
	}
	return ps, err
}

// withProgress is a Reader whose progress is given.
type withProgress struct {
	query.Reader
	ps []window.Progress
}

func (r withProgress) Progress(context.Context) ([]window.Progress, error) {
	return slices.Clone(r.ps), nil
}

// watched is a Reader that counts the scans of each kind.
type watched struct {
	query.Reader
	scans [window.NumKinds]int
}

func (r *watched) Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	r.scans[sel.Kind]++
	return r.Reader.Scan(ctx, sel, fn)
}

// checkQuery compares the whole answer with the recount, once read from hours where they fit and
// once from minutes alone, then the answer in pages with the whole.
func checkQuery(t *testing.T, reader query.Reader, all *traffic, q *apiQuery) {
	t.Helper()
	loc := mustZone(t, q.zone)
	server := func(r query.Reader) *statsapi.Server {
		x, err := query.New(query.Options{Reader: r, TimeZone: func(string) *time.Location { return loc }})
		if err != nil {
			t.Fatal(err)
		}
		srv, err := statsapi.New(statsapi.Options{Executor: x})
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	want := q.recount(all, loc)
	if got := post(t, server(withoutHours{reader}), q.body("")).print(); got != want {
		t.Fatalf("%s in %s, from minutes\n%s", q.body(""), q.zone, diff(strings.Split(got, "\n"), strings.Split(want, "\n")))
	}
	srv := server(reader)
	whole := post(t, srv, q.body(`,"include":{"total_rows":true}`))
	got := whole.print()
	if got != want {
		t.Fatalf("%s in %s\n%s", q.body(""), q.zone, diff(strings.Split(got, "\n"), strings.Split(want, "\n")))
	}
	if whole.Meta.Other != nil && *whole.Meta.Other != 0 {
		t.Errorf("%s: other is %g, nothing is past a budget", q.body(""), *whole.Meta.Other)
	}
	if whole.Meta.TotalRows != len(whole.Results) {
		t.Errorf("%s: total_rows %d, %d rows", q.body(""), whole.Meta.TotalRows, len(whole.Results))
	}
	if n := len(whole.Results); n > 1 && n < 40 {
		var paged answer
		for offset := 0; offset < n; offset += 9 {
			page := post(t, srv, q.body(fmt.Sprintf(`,"pagination":{"limit":9,"offset":%d}`, offset)))
			paged.Results = append(paged.Results, page.Results...)
		}
		if paged.print() != got {
			t.Errorf("%s: in pages\n%s\nwhole\n%s", q.body(""), paged.print(), got)
		}
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// fill writes windows of minutes between from and to, the hours of those before a time, and visits,
// and returns what they hold. Some fire twice, some in shards. The hours that have not fired hold
// nonsense.
func (s *store) fill(r *rand.Rand, from, to, hours string, minutes, perMinute int) *traffic {
	s.t.Helper()
	a, b := mustTime(s.t, from).Floor(event.Minute), mustTime(s.t, to)
	fired := mustTime(s.t, hours).Floor(event.Hour)
	all := &traffic{}
	var ws []*window.Window
	byHour, seen := map[event.Time][]window.Row{}, map[event.Time]bool{}
	for range minutes {
		at := (a + event.Time(r.Int64N(int64(b-a)))).Floor(event.Minute)
		if seen[at] {
			continue
		}
		seen[at] = true
		rs := rows(r, 1+r.IntN(perMinute), 400)
		for i := range rs {
			all.rows = append(all.rows, counted{at, rs[i]})
		}
		byHour[at.Floor(event.Hour)] = append(byHour[at.Floor(event.Hour)], rs...)
		ws = append(ws, split(r, window.Minute, at, rs)...)
	}
	for _, at := range slices.Sorted(maps.Keys(byHour)) {
		rs := byHour[at]
		if at >= fired {
			rs = rows(r, 5, 400)
		}
		ws = append(ws, split(r, window.Hour, at, rs)...)
	}
	for range minutes / 2 {
		at := (a + event.Time(r.Int64N(int64(b-a)))).Floor(15 * event.Minute)
		if seen[-at] {
			continue
		}
		seen[-at] = true
		agg := window.NewAgg(0)
		for _, v := range visits(r, 1+r.IntN(perMinute)) {
			all.visits = append(all.visits, countedVisit{at, v})
			agg.AddVisitRow(&v)
		}
		w := &window.Window{Kind: window.Visits, Site: siteA, Shard: uint16(r.IntN(2)), Start: at, Version: 1, Final: true}
		agg.Fill(w)
		ws = append(ws, w)
	}
	for part := range slices.Chunk(ws, 100) {
		s.write(part...)
	}
	s.write(wide(window.Minute, siteB, 0, a, 1, true, rows(r, 20, 5)), wide(window.Hour, siteB, 0, a.Floor(event.Hour), 1, true, rows(r, 20, 5))) // of another site
	// The partition that is behind decides.
	all.progress = []window.Progress{{Partition: 0, Low: b + event.Hour, Hours: b + event.Hour, Offset: 1}, {Partition: 1, Low: fired + event.Hour, Hours: fired, Offset: 1}}
	if err := s.sink.WriteProgress(s.t.Context(), all.progress); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// split makes windows that hold rows in the end: in two firings, in two shards, or one.
func split(r *rand.Rand, k window.Kind, at event.Time, rs []window.Row) []*window.Window {
	half := len(rs) / 2
	switch r.IntN(4) {
	case 0:
		return []*window.Window{wide(k, siteA, 0, at, 1, false, rs[:half]), wide(k, siteA, 0, at, 2, true, rs)}
	case 1:
		return []*window.Window{wide(k, siteA, 0, at, 1, true, rs[:half]), wide(k, siteA, 1, at, 1, true, rs[half:])}
	}
	return []*window.Window{wide(k, siteA, 0, at, 1, true, rs)}
}

// wide is foldKind without a budget.
func wide(k window.Kind, site string, shard uint16, at event.Time, version int64, final bool, rs []window.Row) *window.Window {
	a := window.NewAgg(0)
	for i := range rs {
		a.AddRow(&rs[i])
	}
	w := &window.Window{Kind: k, Site: site, Shard: shard, Start: at, Version: version, Final: final}
	a.Fill(w)
	return w
}

func mustTime(t *testing.T, s string) event.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return event.TimeOf(v)
}
