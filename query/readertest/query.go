package readertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
	"millrace/query"
)

// counted is a row together with the minute it belongs to.
type counted struct {
	at event.Time
	window.Row
}

// question is a query, and how a row is seen by someone who answers it by counting rows.
type question struct {
	zone       string
	from, to   string // as in date_range
	dimensions []string
	filters    string // JSON
	filterDims []window.Dim
	pass       func(*window.Row) bool
}

var columnOf = map[string]window.Dim{
	"event:page": window.Page, "event:name": window.Name, "event:bot_reason": window.Reason,
	"visit:source": window.Source, "visit:referrer": window.Referrer, "visit:country": window.Country,
	"visit:country_name": window.Country, "visit:language": window.Language, "visit:browser": window.Browser,
	"visit:os": window.OS, "visit:device": window.Device,
}

var countryNames = map[string]string{"DE": "Germany", "FR": "France", "US": "United States", "EE": "Estonia"}

// label returns what a dimension shows for a row; ok is unset if the row has no such value.
func (q *question) label(dim string, c *counted, loc *time.Location) (v string, ok bool) {
	local := c.at.Std().In(loc)
	switch dim {
	case "time:minute":
		return local.Format("2006-01-02 15:04:00"), true
	case "time:hour":
		return local.Format("2006-01-02 15:00:00"), true
	case "time:day":
		return local.Format("2006-01-02"), true
	case "time:month":
		return local.Format("2006-01") + "-01", true
	case "time:week":
		// On a calendar of UTC: a site's may lack the day before.
		cal := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		for cal.Weekday() != time.Monday {
			cal = cal.AddDate(0, 0, -1)
		}
		return cal.Format("2006-01-02"), true
	}
	v = c.Dims[columnOf[dim]]
	if dim == "visit:country_name" && countryNames[v] != "" {
		return countryNames[v], v != ""
	}
	return v, v != ""
}

// inRange compares calendar dates as text, or instants.
func (q *question) inRange(c *counted, loc *time.Location) bool {
	if len(q.from) == len(time.DateOnly) {
		d := c.at.Std().In(loc).Format(time.DateOnly)
		return q.from <= d && d <= q.to
	}
	from, _ := time.Parse(time.RFC3339, q.from)
	to, _ := time.Parse(time.RFC3339, q.to)
	return !c.at.Std().Before(from) && !c.at.Std().After(to)
}

// tally is a row of the recount.
type tally struct {
	dims              []string
	pageviews, events int64
	visitors          map[event.Visitor]bool
}

// unique is the number of visitors as the sketch of the set has it.
func (t *tally) unique() int64 {
	var s sketch.Sketch
	for v := range t.visitors {
		s.Add(uint64(v))
	}
	if !s.Dense() && s.Estimate() != uint64(len(t.visitors)) {
		panic("BUG: an exact sketch is not exact")
	}
	return int64(s.Estimate())
}

// recount answers q from the rows: the default order, all rows.
func (q *question) recount(rows []counted, loc *time.Location) string {
	groups := map[string]*tally{}
	all := &tally{visitors: map[event.Visitor]bool{}}
	for i := range rows {
		c := &rows[i]
		if bots := slices.Contains(q.dimensions, "event:bot_reason"); c.Flags&window.DroppedRow != 0 || (c.Flags&window.BotRow != 0) != bots {
			continue
		}
		if !q.inRange(c, loc) || q.pass != nil && !q.pass(&c.Row) || slices.ContainsFunc(q.filterDims, func(d window.Dim) bool { return c.Dims[d] == "" }) {
			continue
		}
		all.visitors[c.Visitor] = true
		var dims []string
		for _, d := range q.dimensions {
			if v, ok := q.label(d, c, loc); ok {
				dims = append(dims, v)
			}
		}
		if len(dims) != len(q.dimensions) {
			continue
		}
		k := strings.Join(dims, "\x00")
		g := groups[k]
		if g == nil {
			g = &tally{dims: dims, visitors: map[event.Visitor]bool{}}
			groups[k] = g
		}
		g.events++
		if c.Flags&window.PageviewRow != 0 {
			g.pageviews++
		}
		g.visitors[c.Visitor] = true
	}
	if len(q.dimensions) == 0 && len(groups) == 0 {
		groups[""] = &tally{}
	}
	return q.print(groups, float64(all.unique()))
}

func (q *question) print(groups map[string]*tally, total float64) string {
	var list []*tally
	for _, g := range groups {
		list = append(list, g)
	}
	timeAt := slices.IndexFunc(q.dimensions, func(d string) bool { return strings.HasPrefix(d, "time") })
	slices.SortFunc(list, func(x, y *tally) int {
		if timeAt >= 0 {
			if c := cmp.Compare(x.dims[timeAt], y.dims[timeAt]); c != 0 {
				return c
			}
		} else if c := cmp.Compare(y.unique(), x.unique()); c != 0 {
			return c
		}
		return slices.Compare(x.dims, y.dims)
	})
	var b strings.Builder
	for _, g := range list {
		m := []any{g.unique(), g.pageviews, g.events}
		if len(q.dimensions) > 0 {
			m = append(m, math.Round(float64(g.unique())/total*1000)/10)
		}
		fmt.Fprintf(&b, "%q %v\n", g.dims, m)
	}
	return b.String()
}

// body is the question as JSON.
func (q *question) body(more string) string {
	m := []string{"visitors", "pageviews", "events"}
	if len(q.dimensions) > 0 {
		m = append(m, "percentage")
	}
	f := q.filters
	if f == "" {
		f = "[]"
	}
	return fmt.Sprintf(`{"site_id":%q,"metrics":%s,"date_range":[%q,%q],"dimensions":%s,"filters":%s%s}`,
		siteA, jsonList(m), q.from, q.to, jsonList(q.dimensions), f, more)
}

func jsonList(s []string) string {
	b, _ := json.Marshal(append([]string{}, s...))
	return string(b)
}

// answer is what an answer of the API holds that matters here.
type answer struct {
	Results []struct {
		Metrics    []float64
		Dimensions []string
	}
	Meta struct {
		Complete   bool
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

// ask sends a question through the HTTP handler.
func ask(t *testing.T, srv *query.Server, body string) *answer {
	t.Helper()
	var ctx fasthttp.RequestCtx
	var req fasthttp.Request
	req.Header.SetMethod("POST")
	req.SetRequestURI(query.PathQuery)
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
	return a
}

// checkQuestion compares the whole answer with the recount, then the answer in pages with the whole.
func checkQuestion(t *testing.T, reader query.Reader, all []counted, q *question) {
	t.Helper()
	loc := mustZone(t, q.zone)
	srv, err := query.New(query.Options{Reader: reader, TimeZone: func(string) *time.Location { return loc }})
	if err != nil {
		t.Fatal(err)
	}
	whole := ask(t, srv, q.body(`,"include":{"total_rows":true}`))
	got, want := whole.print(), q.recount(all, loc)
	if got != want {
		t.Fatalf("%s in %s\n%s", q.body(""), q.zone, diff(strings.Split(got, "\n"), strings.Split(want, "\n")))
	}
	if whole.Meta.TotalRows != len(whole.Results) {
		t.Errorf("%s: total_rows %d, %d rows", q.body(""), whole.Meta.TotalRows, len(whole.Results))
	}
	if n := len(whole.Results); n > 1 && n < 40 {
		var paged answer
		for offset := 0; offset < n; offset += 3 {
			page := ask(t, srv, q.body(fmt.Sprintf(`,"pagination":{"limit":3,"offset":%d}`, offset)))
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

// fill writes windows of minutes between from and to and returns their rows. Some fire twice, some in shards.
func (s *store) fill(r *rand.Rand, from, to string, minutes, perMinute int) []counted {
	s.t.Helper()
	a := event.TimeOf(mustTime(s.t, from)).Floor(event.Minute)
	b := event.TimeOf(mustTime(s.t, to))
	var all []counted
	var ws []*window.Window
	seen := map[event.Time]bool{}
	for range minutes {
		at := (a + event.Time(r.Int64N(int64(b-a)))).Floor(event.Minute)
		if seen[at] {
			continue
		}
		seen[at] = true
		rs := rows(r, 1+r.IntN(perMinute), 400)
		for i := range rs {
			all = append(all, counted{at, rs[i]})
		}
		switch r.IntN(4) {
		case 0:
			ws = append(ws, wide(siteA, 0, at, 1, false, rs[:len(rs)/2]), wide(siteA, 0, at, 2, true, rs))
		case 1:
			half := len(rs) / 2
			ws = append(ws, wide(siteA, 0, at, 1, true, rs[:half]), wide(siteA, 1, at, 1, true, rs[half:]))
		default:
			ws = append(ws, wide(siteA, 0, at, 1, true, rs))
		}
	}
	for part := range slices.Chunk(ws, 100) {
		s.write(part...)
	}
	s.write(wide(siteB, 0, a, 1, true, rows(r, 20, 5))) // someone else's
	return all
}

// wide is fold without a budget.
func wide(site string, shard uint16, at event.Time, version int64, final bool, rs []window.Row) *window.Window {
	a := window.NewAgg(0)
	for i := range rs {
		a.AddRow(&rs[i])
	}
	return a.Window(site, shard, at, version, final)
}

func mustTime(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// testQuery asks everything that can be asked about a few days.
func testQuery(t *testing.T, s *store) {
	all := s.fill(seeded(20), "2024-01-29T00:00:00Z", "2024-02-04T00:00:00Z", 150, 20)
	in := func(d window.Dim, values ...string) func(*window.Row) bool {
		return func(r *window.Row) bool { return slices.Contains(values, r.Dims[d]) }
	}
	f := func(q question) {
		t.Helper()
		if q.zone == "" {
			q.zone = "UTC"
		}
		if q.from == "" {
			q.from, q.to = "2024-01-30", "2024-02-02"
		}
		checkQuestion(t, s.reader, all, &q)
	}
	f(question{})
	f(question{from: "2024-03-01", to: "2024-03-02"}) // nothing there
	f(question{from: "2024-01-30T10:00:00Z", to: "2024-01-31T09:59:59Z"})
	f(question{dimensions: []string{"event:page"}, from: "2024-03-01", to: "2024-03-02"})
	for d := range columnOf {
		f(question{dimensions: []string{d}})
		f(question{dimensions: []string{"time:day", d}})
	}
	for _, u := range []string{"time:minute", "time:hour", "time:day", "time:week", "time:month"} {
		f(question{dimensions: []string{u}})
		f(question{dimensions: []string{u, "visit:country"}, zone: "Asia/Kolkata"})
		f(question{dimensions: []string{"visit:os", u}, zone: "America/New_York", from: "2024-01-28", to: "2024-02-05"})
	}
	f(question{dimensions: []string{"visit:country", "visit:browser"}})
	f(question{dimensions: []string{"visit:browser", "visit:country_name", "time:day"}})
	f(question{filters: `[["is","event:page",["/page/1","/it's","/a,b=c"]]]`, filterDims: []window.Dim{window.Page}, pass: in(window.Page, "/page/1", "/it's", "/a,b=c")})
	f(question{filters: `[["is","visit:country",["DE"]]]`, dimensions: []string{"visit:browser"}, filterDims: []window.Dim{window.Country}, pass: in(window.Country, "DE")})
	f(question{filters: `[["is","visit:browser",["Chrome","Safari"]]]`, dimensions: []string{"time:hour", "visit:country_name"}, filterDims: []window.Dim{window.Browser}, pass: in(window.Browser, "Chrome", "Safari")})
	f(question{filters: `[["is","visit:country_name",["Germany"]]]`, dimensions: []string{"time:day"}, filterDims: []window.Dim{window.Country}, pass: in(window.Country, "DE")})
	f(question{filters: `[["is_not","visit:country",["DE"]]]`, filterDims: []window.Dim{window.Country}, pass: in(window.Country, "FR", "US", "EE", window.None)})
	f(question{
		filters:    `[["or",[["and",[["is","visit:country",["DE","FR"]],["not",["is","visit:browser",["Chrome"]]]]],["is","visit:country",["ee"],{"case_sensitive":false}]]]]`,
		filterDims: []window.Dim{window.Country, window.Browser},
		dimensions: []string{"visit:country"},
		pass: func(r *window.Row) bool {
			c, b := r.Dims[window.Country], r.Dims[window.Browser]
			return (c == "DE" || c == "FR") && b != "Chrome" || c == "EE"
		},
	})
}

// testQueryDaylight asks for days and hours in which the clocks change, at midnight too, and for zones off the hour.
func testQueryDaylight(t *testing.T, s *store) {
	r := seeded(21)
	f := func(zone, day string) {
		t.Helper()
		at := mustTime(t, day+"T00:00:00Z")
		from, to := at.Add(-30*time.Hour), at.Add(54*time.Hour)
		s.model = map[key]stored{}
		rows := s.fill(r, from.Format(time.RFC3339), to.Format(time.RFC3339), 60, 6)
		next := at.AddDate(0, 0, 1).Format(time.DateOnly)
		for _, dims := range [][]string{nil, {"time:day"}, {"time:hour"}, {"time:minute"}, {"time:week", "visit:device"}, {"time:hour", "visit:country"}} {
			for _, r := range [][2]string{{day, day}, {at.AddDate(0, 0, -1).Format(time.DateOnly), next}} {
				checkQuestion(t, s.reader, rows, &question{zone: zone, from: r[0], to: r[1], dimensions: dims})
			}
		}
	}
	f("Europe/Berlin", "2024-03-31")
	f("Europe/Berlin", "2024-10-27")
	f("America/New_York", "2025-11-02")
	f("Australia/Lord_Howe", "2025-04-06") // half an hour
	f("Asia/Kathmandu", "2025-06-01")      // 5:45
	f("Africa/Cairo", "2025-04-25")        // forward at midnight
	f("America/Havana", "2024-11-03")      // back over midnight
	f("Pacific/Apia", "2011-12-30")        // a day that is not there
}
