package local

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/query"
	"millrace/query/statsapi"
)

var seeds = flag.Int("seeds", 2, "how many histories TestDays plays")

const daysSite = "a.example"

// history is a store whose windows change again and again, and the rows that they are of.
type history struct {
	t      *testing.T
	r      *rand.Rand
	fs     *vfs.MemFS
	s      *Store
	from   event.Time
	to     event.Time
	kept   event.Time
	most   int  // chunks at once
	cut    bool // some windows were deleted, so that hours and their minutes need not agree
	budget int
	rows   map[event.Time][]window.Row      // by minute
	visits map[event.Time][]window.VisitRow // by quarter
	offset int64
	clock  event.Time
}

func (h *history) open() {
	h.s = mustOpen(h.t, Options{Dir: "rollups", FS: h.fs})
}

func (h *history) minute() event.Time {
	return (h.from + event.Time(h.r.Int64N(int64(h.to-h.from)))).Floor(event.Minute)
}

func (h *history) row() window.Row {
	pick := func(list ...string) string { return list[h.r.IntN(len(list))] }
	x := window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(uint64(h.r.IntN(3000)+1) * 0x9e3779b97f4a7c15)}
	x.Dims = [window.NumDims]string{
		window.Page: fmt.Sprintf("/%d", h.r.IntN(12)), window.Name: pick(event.Pageview, "signup"), window.Source: pick("Google", "t.co", ""),
		window.Country: pick("DE", "FR", window.None), window.Browser: pick("Chrome", "Safari"), window.EntryPage: pick("/1", "/2", ""), window.ExitPage: pick("/1", "/2"),
		window.UTMSource: pick("letter", "\x00odd\xff", ""),
	}
	if h.r.IntN(9) == 0 {
		x.Dims[window.Page] = "/long/" + strings.Repeat("x", h.r.IntN(300))
	}
	if h.r.IntN(5) == 0 {
		x.Revenue, x.Paid = event.Money(h.r.IntN(3)*100), true
	}
	if h.r.IntN(4) == 0 {
		x.Goals = []string{pick("Buy", "Join")}
	}
	return x
}

// change adds rows to a minute, or takes all away.
func (h *history) change(m event.Time) {
	q := m.Floor(15 * event.Minute)
	if h.r.IntN(6) == 0 {
		delete(h.rows, m)
		return
	}
	for range 1 + h.r.IntN(6) {
		h.rows[m] = append(h.rows[m], h.row())
	}
	v := window.VisitRow{Dims: h.row().Dims, Visits: 1, Views: 2, Seconds: 30}
	v.Dims[window.Page], v.Dims[window.Name] = "", ""
	h.visits[q] = append(h.visits[q], v)
}

// windows are those that hold a minute, in one or two shards.
func (h *history) windows(m event.Time) (ws []*window.Window) {
	h.offset++
	hour, quarter := m.Floor(event.Hour), m.Floor(15*event.Minute)
	for shard := range uint16(2) {
		one, all, visits := window.NewAgg(h.budget), window.NewAgg(h.budget), window.NewAgg(h.budget)
		for at := hour; at < hour+event.Hour; at += event.Minute {
			for i := range h.rows[at] {
				if uint16(i%2) != shard {
					continue
				}
				if all.AddRow(&h.rows[at][i]); at == m {
					one.AddRow(&h.rows[at][i])
				}
			}
		}
		for i := range h.visits[quarter] {
			if uint16(i%2) == shard {
				visits.AddVisitRow(&h.visits[quarter][i])
			}
		}
		add := func(k window.Kind, a *window.Agg, start event.Time) {
			w := &window.Window{Kind: k, Site: daysSite, Shard: shard, Start: start, Version: h.offset, Final: true}
			a.Fill(w)
			ws = append(ws, w)
		}
		add(window.Minute, one, m)
		add(window.Hour, all, hour)
		add(window.Visits, visits, quarter)
	}
	return ws
}

// step does one of what may happen to a store.
func (h *history) step() {
	var ws []*window.Window
	for range 1 + h.r.IntN(3) {
		m := h.minute()
		h.change(m)
		ws = append(ws, h.windows(m)...)
	}
	switch h.r.IntN(8) {
	case 0:
		if err := h.s.Replace(h.t.Context(), ws); err != nil { // a replay
			h.t.Fatal(err)
		}
	case 1:
		if _, err := h.s.ReplaceSettled(h.t.Context(), ws); err != nil {
			h.t.Fatal(err)
		}
	default:
		mustWrite(h.t, h.s, ws...)
	}
	switch h.r.IntN(12) {
	case 0: // killed
		h.fs = h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: h.r.IntN(101), RNG: h.r})
		h.open()
	case 1: // stopped, and started again
		if err := h.s.Close(); err != nil {
			h.t.Fatal(err)
		}
		h.open()
	case 2:
		h.cut, h.kept = true, max(h.kept, (h.from+event.Time(h.r.Int64N(int64(30*event.Hour)))).Floor(15*event.Minute))
		if _, err := h.s.DeleteBefore(h.t.Context(), daysSite, h.kept); err != nil {
			h.t.Fatal(err)
		}
		if h.r.IntN(2) == 0 {
			h.kept = 0 // what is kept still is shown again
		}
	}
}

// tiersOf is a reader that has no minutes to read, or no days.
type tiersOf struct {
	query.Reader
	hours event.Time
	days  bool
}

func (r tiersOf) Progress(context.Context) ([]window.Progress, error) {
	return []window.Progress{{Low: 1_800_000_000_000, Hours: r.hours}}, nil
}

func (r tiersOf) Scan(ctx context.Context, sel window.Selection, fn func(event.Time, bool, *window.Point) error) error {
	sel.Days = sel.Days && r.days
	return r.Reader.Scan(ctx, sel, fn)
}

func (h *history) ask(reader query.Reader, loc *time.Location, body string) string {
	h.t.Helper()
	x, err := query.New(query.Options{
		Reader: reader, TimeZone: func(string) *time.Location { return loc }, Now: func() time.Time { return h.clock.Std() },
		KeptFrom: func(string, time.Time) event.Time { return h.kept },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	srv, err := statsapi.New(statsapi.Options{Executor: x})
	if err != nil {
		h.t.Fatal(err)
	}
	a, err := srv.Answer(h.t.Context(), []byte(body))
	if err != nil {
		return err.Error()
	}
	text, err := json.Marshal(a)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// differ returns where two texts begin to differ.
func differ(got, want string) string {
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	from := max(0, n-80)
	return fmt.Sprintf("%q, want %q", got[from:min(len(got), n+80)], want[from:min(len(want), n+80)])
}

// query asks a random one: of minutes, of hours, and of days before and after they have their sums.
func (h *history) query() {
	h.t.Helper()
	r := h.r
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	loc, err := time.LoadLocation(pick("UTC", "UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"))
	if err != nil {
		h.t.Fatal(err)
	}
	var dims []string
	if d := pick("", "", "time:hour", "time:day", "time:week", "time:month"); d != "" {
		dims = append(dims, d)
	}
	metrics := pick(`"visitors","pageviews","events","total_revenue","average_revenue"`, `"visits","bounce_rate","visit_duration","views_per_visit"`, `"visitors","visits","percentage"`)
	if d := pick("", "event:page", "event:page", "visit:source", "visit:country", "visit:utm_source", "visit:entry_page"); d != "" {
		dims = append(dims, d)
	}
	filters := pick("", "", `["is","event:page",["/1","/7","/long/"]]`, `["contains","event:page",["1"]]`, `["is","visit:country",["DE"]],["is","visit:browser",["Safari"]]`, `["is_not","visit:source",["t.co"]]`)
	a, b := h.minute().Floor(15*event.Minute), h.minute().Floor(15*event.Minute)
	from, to := min(a, b).Std(), (max(a, b) + 15*event.Minute - event.Second).Std()
	form := pick(time.DateOnly, time.RFC3339, time.RFC3339)
	names, err := json.Marshal(append([]string{}, dims...))
	if err != nil {
		h.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"site_id":%q,"metrics":[%s],"date_range":[%q,%q],"dimensions":%s,"filters":[%s]}`, daysSite, metrics, from.Format(form), to.Format(form), names, filters)
	hours := h.to
	if r.IntN(4) == 0 {
		hours = h.minute().Floor(event.Hour)
	}
	want := h.ask(tiersOf{h.s, hours, false}, loc, body)
	if h.budget > 5 {
		if got := h.ask(tiersOf{h.s, 0, false}, loc, body); !h.cut && got != want {
			h.t.Fatalf("%s in %s, minutes and hours: %s", body, loc, differ(got, want))
		}
	}
	for i := range 3 {
		if got := h.ask(tiersOf{h.s, hours, true}, loc, body); got != want {
			h.t.Fatalf("%s in %s, with sums of days, asked %d times before: %s", body, loc, i, differ(got, want))
		}
		if i == 0 && r.IntN(3) == 0 {
			m := h.minute() // while sums are made
			h.change(m)
			mustWrite(h.t, h.s, h.windows(m)...)
			return
		}
		if err := h.s.Settle(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
	h.most = max(h.most, countKeys(h.t, h.s, tableDay))
}

// TestDays compares answers from sums of days with those from hours and from minutes, while windows are written, written again, replaced
// and deleted, and the process is killed.
func TestDays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(*seeds) {
		from := event.TimeOf(time.Date(2025, 10, 3, 0, 0, 0, 0, time.UTC)) // Lord Howe changes its clocks on the 5th
		if seed%2 == 1 {
			from = event.TimeOf(time.Date(2025, 10, 24, 0, 0, 0, 0, time.UTC)) // Berlin on the 26th
		}
		h := &history{
			t: t, r: rand.New(rand.NewPCG(seed, 5)), fs: vfs.NewCrashableMem(), from: from, to: from + 5*day, budget: 500,
			rows: map[event.Time][]window.Row{}, visits: map[event.Time][]window.VisitRow{}, clock: from + 400*day,
		}
		if seed%3 == 1 {
			h.budget = 5 // so that much is under (other)
		}
		h.open()
		for range 300 {
			m := h.minute()
			h.change(m)
			mustWrite(t, h.s, h.windows(m)...)
		}
		for range 40 {
			for range 4 {
				h.query()
			}
			h.step()
		}
		if h.most < 5 {
			t.Errorf("seed %d: at most %d days of families had sums", seed, h.most)
		}
	}
}
