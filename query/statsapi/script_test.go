package statsapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"millrace/engine/event"
	"millrace/engine/window"
)

// TestScripts runs testdata/query, with -rewrite accepts what they print now. The commands are
//
//	server [zone=UTC] [now=…] [partitions=n] [sites=(…)] [max-rows=n] [daily] [places] [late=…] [kept=…]
//	    the options of the server from here on; now is 2024-09-18T12:34:56Z, a Wednesday, if it is not given
//	windows [limit=n] [fold]
//	    adds windows; each line of the input is events, or visits, that the window of their time counts:
//	        10T10:05 [site=a.example] [shard=0] [visitors=1-3] [views=1] [page=/] [country=DE] … [prop.plan=pro]
//	        10T10:05 event=signup [goal=Signup] [revenue=9.5] [visitors=1] …
//	        visits 10T10:00 visits=5 [bounces=2] [seconds=340] [views=9] [entry_page=/] [source=Google] …
//	        hour 10T10:00 …
//	    10T10:05 is in September 2024, UTC; a date and time in full is taken too. With fold there are hours as well,
//	    folded from the minutes. The limit is the cardinality budget.
//	progress
//	    each line is a partition: low=10T12:00 hours=10T11:00
//	query [reads] [csv]
//	    sends the input, and prints the answer: its status unless that is 200, and one line for each row, for meta and
//	    for query; with reads also what was scanned
//	realtime [site=a.example]
//	clear
//	    removes all windows and the progress
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/query", func(t *testing.T, path string) {
		s := &script{memory: &memory{}}
		s.server(t, &datadriven.TestData{})
		datadriven.RunTest(t, path, s.run)
	})
}

// script is one file of testdata/query.
type script struct {
	memory *memory
	opts   testOptions
	api    *Server
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "server":
		s.server(t, d)
	case "windows":
		s.windows(t, d)
	case "progress":
		s.progress(t, d)
	case "clear":
		s.memory.windows, s.memory.progress = nil, nil
	case "query":
		return s.query(t, d)
	case "realtime":
		site := "a.example"
		d.MaybeScanArgs(t, "site", &site)
		resp := do(s.api, "GET", PathRealtime+"?site_id="+site, "")
		return statusText(resp.StatusCode()) + string(resp.Body())
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	return ""
}

func (s *script) server(t *testing.T, d *datadriven.TestData) {
	zone, clock, late := "UTC", "18T12:34:56", ""
	s.opts = testOptions{Reader: s.memory, DailyIDs: d.HasArg("daily")}
	d.MaybeScanArgs(t, "zone", &zone)
	d.MaybeScanArgs(t, "now", &clock)
	d.MaybeScanArgs(t, "partitions", &s.opts.Partitions)
	d.MaybeScanArgs(t, "max-rows", &s.opts.MaxGroups)
	for _, arg := range d.CmdArgs {
		if arg.Key == "sites" {
			s.opts.Sites = arg.Vals
		}
	}
	if d.HasArg("places") {
		s.opts.Places = atlas{"US-OR": "Oregon", "US-ME": "Maine", "5746545": "Portland", "4975802": "Portland"}
	}
	if d.MaybeScanArgs(t, "late", &late) {
		earliest := mustAt(t, late)
		s.opts.Late = func(_ string, _, before event.Time) (event.Time, bool) { return earliest, earliest < before }
	}
	if kept := ""; d.MaybeScanArgs(t, "kept", &kept) {
		from := mustAt(t, kept)
		s.opts.KeptFrom = func(string, time.Time) event.Time { return from }
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	now := mustAt(t, clock)
	s.opts.TimeZone = func(string) *time.Location { return loc }
	s.opts.Now = func() time.Time { return now.Std() }
	s.api = mustServer(t, s.opts)
}

// mustAt reads an instant: in full, or with the day of September 2024.
func mustAt(t *testing.T, text string) event.Time {
	t.Helper()
	if strings.IndexByte(text, 'T') == 2 {
		text = "2024-09-" + text
	}
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.Parse(form, text); err == nil {
			return event.TimeOf(at)
		}
	}
	t.Fatalf("%q is no instant", text)
	return 0
}

// windowKey is what lines have in common that one window counts.
type windowKey struct {
	kind  window.Kind
	site  string
	shard uint16
	start event.Time
}

func (s *script) windows(t *testing.T, d *datadriven.TestData) {
	limit := 0
	d.MaybeScanArgs(t, "limit", &limit)
	aggs := map[windowKey]*window.Agg{}
	var order []windowKey
	agg := func(k windowKey) *window.Agg {
		if aggs[k] == nil {
			aggs[k] = window.NewAgg(limit)
			order = append(order, k)
		}
		return aggs[k]
	}
	for line := range strings.Lines(d.Input) {
		l := parseLine(t, line)
		a := agg(l.key)
		for _, r := range l.rows {
			a.AddRow(&r)
		}
		for _, v := range l.visits {
			a.AddVisitRow(&v)
		}
	}
	if d.HasArg("fold") {
		for _, k := range slices.Clone(order) {
			if k.kind == window.Minute {
				hour := windowKey{window.Hour, k.site, k.shard, k.start.Floor(event.Hour)}
				agg(hour).Merge(aggs[k])
			}
		}
	}
	for _, k := range order {
		w := &window.Window{Kind: k.kind, Site: k.site, Shard: k.shard, Start: k.start, Version: 1, Final: true}
		aggs[k].Fill(w)
		s.memory.windows = append(s.memory.windows, w)
	}
}

// line is a line of windows.
type line struct {
	key    windowKey
	rows   []window.Row
	visits []window.VisitRow
}

func parseLine(t *testing.T, text string) (l line) {
	fields := strings.Fields(text)
	switch fields[0] {
	case "hour":
		l.key.kind, fields = window.Hour, fields[1:]
	case "visits":
		l.key.kind, fields = window.Visits, fields[1:]
	}
	l.key.site, l.key.start = "a.example", mustAt(t, fields[0]).Floor(l.key.kind.Length())
	row := window.Row{Flags: window.PageviewRow, Dims: [window.NumDims]string{window.Page: "/", window.Name: "pageview"}}
	var visit window.VisitRow
	first, last, views := 1, 1, 1
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		prop, isProp := strings.CutPrefix(key, "prop.")
		switch {
		case key == "site":
			l.key.site = value
		case key == "shard":
			l.key.shard = uint16(mustInt(t, value))
		case key == "visitors":
			from, to, isRange := strings.Cut(value, "-")
			if first = mustInt(t, from); isRange {
				last = mustInt(t, to)
			} else {
				last = first
			}
		case key == "views" && l.key.kind != window.Visits:
			views = mustInt(t, value)
		case key == "event":
			row.Flags, row.Dims[window.Name] = 0, value
		case key == "goal":
			row.Goals = append(row.Goals, value)
		case key == "revenue":
			amount, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			row.Revenue = event.Money(amount * event.MoneyScale)
		case isProp:
			row.Props = append(row.Props, event.Prop{Key: prop, Value: value})
		case setCounter(t, &visit, key, value):
		default:
			dim := mustDim(t, key)
			row.Dims[dim], visit.Dims[dim] = value, value
		}
	}
	if l.key.kind == window.Visits {
		l.visits = []window.VisitRow{visit}
		return l
	}
	for v := first; v <= last; v++ {
		row.Visitor = event.Visitor(uint64(v) * 0x9e3779b97f4a7c15)
		for range views {
			l.rows = append(l.rows, row)
		}
	}
	return l
}

// setCounter sets a counter of visits, if the key names one.
func setCounter(t *testing.T, v *window.VisitRow, key, value string) bool {
	to := map[string]*int64{"visits": &v.Visits, "bounces": &v.Bounces, "seconds": &v.Seconds, "views": &v.Views}[key]
	if to != nil {
		*to = int64(mustInt(t, value))
	}
	return to != nil
}

func mustInt(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustDim(t *testing.T, name string) window.Dim {
	t.Helper()
	for d := range window.NumDims {
		if d.String() == name {
			return d
		}
	}
	t.Fatalf("there is no dimension %q", name)
	return 0
}

func (s *script) progress(t *testing.T, d *datadriven.TestData) {
	s.memory.progress = nil
	for line := range strings.Lines(d.Input) {
		p := window.Progress{Partition: int32(len(s.memory.progress))}
		for _, f := range strings.Fields(line) {
			switch key, value, _ := strings.Cut(f, "="); key {
			case "low":
				p.Low = mustAt(t, value)
			case "hours":
				p.Hours = mustAt(t, value)
			default:
				t.Fatalf("%s: unknown %q", d.Pos, f)
			}
		}
		s.memory.progress = append(s.memory.progress, p)
	}
}

func (s *script) query(t *testing.T, d *datadriven.TestData) string {
	s.memory.sels = nil
	uri := PathQuery
	if d.HasArg("csv") {
		uri += "?format=csv"
	}
	resp := do(s.api, "POST", uri, d.Input)
	var b strings.Builder
	if d.HasArg("reads") {
		for _, sel := range s.memory.sels {
			fmt.Fprintf(&b, "%s %s [%s, %s)", sel.Kind, sel.Family, stamp(sel.From), stamp(sel.To))
			for i, values := range sel.Values {
				if values != nil {
					fmt.Fprintf(&b, " %s in %q", sel.Family.Dims()[i], values)
				}
			}
			b.WriteByte('\n')
		}
	}
	if resp.StatusCode() != 200 || d.HasArg("csv") {
		return b.String() + statusText(resp.StatusCode()) + string(resp.Body())
	}
	return b.String() + lines(t, resp.Body())
}

func stamp(at event.Time) string { return at.Std().Format("2006-01-02T15:04") }

func statusText(status int) string {
	if status == 200 {
		return ""
	}
	return strconv.Itoa(status) + " "
}

// lines breaks the JSON of an answer into lines, and leaves nothing out.
func lines(t *testing.T, body []byte) string {
	var a struct {
		Results     []json.RawMessage
		Meta, Query json.RawMessage
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("{\"results\":[")
	for i, row := range a.Results {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(row)
	}
	fmt.Fprintf(&b, "],\n\"meta\":%s,\n\"query\":%s}\n", a.Meta, a.Query)
	if got := strings.ReplaceAll(b.String(), "\n", ""); got != strings.TrimSpace(string(body)) {
		t.Errorf("the lines %s are not the body %s", got, body)
	}
	return b.String()
}
