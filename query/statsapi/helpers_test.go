package statsapi

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/testgc"
	"millrace/query"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	goleak.VerifyTestMain(m)
}

// memory is a Reader over windows in memory. Readers that are used for real are tested by package
// readertest.
type memory struct {
	windows  []*window.Window
	progress []window.Progress
	err      error
	block    chan struct{} // if not nil, Scan waits for it or for the end of the context
	sels     []window.Selection
}

func (m *memory) Scan(ctx context.Context, sel window.Selection, fn func(event.Time, bool, *window.Point) error) error {
	m.sels = append(m.sels, sel)
	if m.block != nil {
		select {
		case <-m.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	slices.SortStableFunc(m.windows, func(a, b *window.Window) int { return cmp.Compare(a.Start, b.Start) })
	for _, w := range m.windows {
		for i := range w.Points {
			if w.Kind != sel.Kind || w.Site != sel.Site || w.Points[i].Family != sel.Family || w.Start < sel.From || w.Start >= sel.To {
				continue
			}
			if err := lend(w, i, fn); err != nil {
				return err
			}
		}
	}
	return m.err
}

// lend gives fn a point whose memory is used otherwise as soon as fn returns.
func lend(w *window.Window, i int, fn func(event.Time, bool, *window.Point) error) error {
	p := w.Points[i]
	var bufs [][]byte
	for d, v := range p.Dims {
		b := []byte(v)
		bufs = append(bufs, b)
		p.Dims[d] = unsafe.String(unsafe.SliceData(b), len(b))
	}
	p.Sketch = slices.Clone(p.Sketch)
	err := fn(w.Start, w.Final, &p)
	for _, b := range append(bufs, p.Sketch) {
		for j := range b {
			b[j] = 0xff
		}
	}
	return err
}

func (m *memory) Sites(context.Context) (list []string, err error) {
	for _, w := range m.windows {
		list = append(list, w.Site)
	}
	return list, m.err
}
func (m *memory) Progress(context.Context) ([]window.Progress, error) { return m.progress, nil }

// views adds a window with n views by visitors from first on, of one page.
func (m *memory) views(site, at, page, country, browser string, first, n int) {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	a := window.NewAgg(0)
	for i := range n {
		a.AddRow(&window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(uint64(first+i) * 0x9e3779b97f4a7c15), Dims: [window.NumDims]string{
			window.Page: page, window.Country: country, window.Browser: browser, window.Name: "pageview",
		}})
	}
	m.windows = append(m.windows, a.Window(site, 0, event.TimeOf(t).Floor(event.Minute), 1, true))
}

// shop adds a window with events that reach goals, have properties and revenue, and one of their
// visits: ten visitors, five from each of two sources, of whom 3 (Google) and 1 (t.co) purchase for
// 10 + their number.
func (m *memory) shop(site, at string) {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	events, visits := window.NewAgg(0), window.NewAgg(0)
	for i := range 10 {
		r := window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(uint64(i+1) * 0x9e3779b97f4a7c15), Dims: [window.NumDims]string{
			window.Page: "/shop", window.EntryPage: "/shop", window.Source: []string{"Google", "t.co"}[i%2], window.Name: "pageview",
		}}
		events.AddRow(&r)
		v := window.VisitRow{Dims: r.Dims, Visits: 1, Views: 1, Bounces: 1}
		v.Dims[window.ExitPage] = "/shop"
		if i%2 == 0 && i < 5 || i == 1 {
			r.Flags, r.Dims[window.Name] = 0, "purchase"
			r.Goals, r.Revenue = []string{"Purchase"}, event.Money(10+i)*event.MoneyScale
			r.Props = []event.Prop{{Key: "plan", Value: []string{"free", "pro"}[i%2]}}
			events.AddRow(&r)
			v.Bounces, v.Seconds = 0, 100
		}
		visits.AddVisitRow(&v)
	}
	for k, a := range map[window.Kind]*window.Agg{window.Minute: events, window.Visits: visits} {
		w := &window.Window{Kind: k, Site: site, Start: event.TimeOf(t).Floor(k.Length()), Version: 1, Final: true}
		a.Fill(w)
		m.windows = append(m.windows, w)
	}
}

// now is the clock of the tests: a Wednesday.
var now = time.Date(2024, 9, 18, 12, 34, 56, 0, time.UTC)

// testOptions are those of a Server and of its Executor.
type testOptions struct {
	Reader        query.Reader
	TimeZone      func(site string) *time.Location
	Places        query.Places
	Sites         []string
	Goals         func(site string) []string
	Keys          Keys
	KeptFrom      func(site string, now time.Time) event.Time
	Now           func() time.Time
	Partitions    int
	DailyIDs      bool
	Late          func(site string, since, before event.Time) (event.Time, bool)
	Began         event.Time
	Lateness      event.Time
	Timeout       time.Duration
	MaxGroups     int
	MaxConcurrent int
	Origins       []string
	Logger        *slog.Logger
}

func mustServer(tb testing.TB, o testOptions) *Server {
	tb.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	x, err := query.New(query.Options{
		Reader: o.Reader, TimeZone: o.TimeZone, Places: o.Places, Sites: func() []string { return o.Sites }, Goals: o.Goals, KeptFrom: o.KeptFrom, Now: o.Now, Partitions: o.Partitions,
		DailyIDs: o.DailyIDs, Late: o.Late, Began: o.Began, Lateness: o.Lateness, Timeout: o.Timeout, MaxGroups: o.MaxGroups, MaxConcurrent: o.MaxConcurrent, Logger: o.Logger,
	})
	if err != nil {
		tb.Fatal(err)
	}
	s, err := New(Options{Executor: x, Keys: o.Keys, Origins: o.Origins, Logger: o.Logger})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// do sends a request through the handler.
func do(s *Server, method, uri, body string, header ...string) *fasthttp.Response {
	var ctx fasthttp.RequestCtx
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(uri)
	req.SetBodyString(body)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	ctx.Init(&req, nil, nil)
	s.Handler(&ctx)
	var resp fasthttp.Response
	ctx.Response.CopyTo(&resp)
	return &resp
}

// answerOf returns the answer to a body, which the handler must take.
func answerOf(tb testing.TB, s *Server, body string) *Answer {
	tb.Helper()
	resp := do(s, "POST", PathQuery, body)
	if resp.StatusCode() != 200 {
		tb.Fatalf("%s\n%d %s", body, resp.StatusCode(), resp.Body())
	}
	a := new(Answer)
	if err := json.Unmarshal(resp.Body(), a); err != nil {
		tb.Fatal(err)
	}
	for _, r := range a.Results {
		for i := range r.Metrics {
			r.Metrics[i] = Number(r.Metrics[i])
		}
	}
	return a
}
