package readertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// counted is a row together with the minute it belongs to, countedVisit a visit with its quarter of
// an hour.
type counted struct {
	at event.Time
	window.Row
}

type countedVisit struct {
	at event.Time
	window.VisitRow
}

// traffic is all that has been counted.
type traffic struct {
	rows   []counted
	visits []countedVisit
	// progress is what the partitions reported last.
	progress []window.Progress
}

// apiQuery is a query of the API, and what of a row counts for it: the recount needs no more.
type apiQuery struct {
	zone       string
	from, to   string // as in date_range
	dimensions []string
	filters    string // JSON
	filterDims []window.Dim
	pass       func(*[window.NumDims]string) bool
	prop       string // the custom property that it is about
	set        metricSet
}

// metricSet is which metrics a query has.
type metricSet uint8

const (
	ofEvents metricSet = iota
	ofVisits
	ofBoth
)

func (q *apiQuery) events() bool { return q.set != ofVisits }
func (q *apiQuery) visits() bool { return q.set != ofEvents }

var columnOf = map[string]window.Dim{
	"event:page": window.Page, "event:hostname": window.Hostname, "event:goal": window.Goal, "event:name": window.Name,
	"event:bot_reason": window.Reason, "event:props:plan": window.PropValue,
	"visit:entry_page": window.EntryPage, "visit:exit_page": window.ExitPage,
	"visit:source": window.Source, "visit:referrer": window.Referrer, "visit:channel": window.Channel,
	"visit:utm_medium": window.UTMMedium, "visit:utm_source": window.UTMSource, "visit:utm_campaign": window.UTMCampaign,
	"visit:utm_content": window.UTMContent, "visit:utm_term": window.UTMTerm,
	"visit:country": window.Country, "visit:country_name": window.Country, "visit:region": window.Region,
	"visit:region_name": window.Region, "visit:city": window.City, "visit:city_name": window.City,
	"visit:language": window.Language, "visit:browser": window.Browser, "visit:browser_version": window.BrowserVersion,
	"visit:os": window.OS, "visit:os_version": window.OSVersion, "visit:device": window.Device, "visit:screen": window.Screen,
}

// setsFor returns the metrics that a query by a dimension alone can have.
func setsFor(dim string) []metricSet {
	switch {
	case dim == "visit:exit_page":
		return []metricSet{ofVisits}
	case strings.HasPrefix(dim, "event:") && dim != "event:page" || dim == "time:minute":
		return []metricSet{ofEvents}
	}
	return []metricSet{ofEvents, ofVisits, ofBoth}
}

var countryNames = map[string]string{"DE": "Germany", "FR": "France", "US": "United States", "EE": "Estonia"}

// label returns what a dimension shows for values at a time; ok is unset if there is no such value.
func (q *apiQuery) label(dim string, at event.Time, dims *[window.NumDims]string, loc *time.Location) (v string, ok bool) {
	local := at.Std().In(loc)
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
	v = dims[columnOf[dim]]
	if dim == "visit:country_name" && countryNames[v] != "" {
		return countryNames[v], v != ""
	}
	return v, v != ""
}

// inRange compares calendar dates as text, or instants.
func (q *apiQuery) inRange(at event.Time, loc *time.Location) bool {
	if len(q.from) == len(time.DateOnly) {
		d := at.Std().In(loc).Format(time.DateOnly)
		return q.from <= d && d <= q.to
	}
	from, _ := time.Parse(time.RFC3339, q.from)
	to, _ := time.Parse(time.RFC3339, q.to)
	return !at.Std().Before(from) && !at.Std().After(to)
}

// tally is a row of the recount.
type tally struct {
	dims                            []string
	pageviews, events               int64
	revenue                         event.Money
	visits, bounces, seconds, views int64
	visitors                        map[event.Visitor]bool
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

// metrics are the values of q's metrics, total the visitors that a percentage is of.
func (q *apiQuery) metrics(t *tally, total float64) (list []any) {
	if q.events() {
		n := float64(t.unique())
		list = append(list, n, float64(t.pageviews), float64(t.events), float64(t.revenue)/event.MoneyScale)
		if len(q.dimensions) > 0 {
			var part any
			if total > 0 {
				part = math.RoundToEven(n*1000/total) / 10
			}
			list = append(list, part)
		}
	}
	if q.visits() {
		list = append(list, float64(t.visits))
		if t.visits == 0 {
			return append(list, nil, nil, nil)
		}
		n := float64(t.visits)
		list = append(list, math.RoundToEven(float64(t.bounces)*100/n), math.RoundToEven(float64(t.seconds)/n), math.RoundToEven(float64(t.views)*100/n)/100)
	}
	return list
}

func (q *apiQuery) metricNames() (list []string) {
	if q.events() {
		list = append(list, "visitors", "pageviews", "events", "total_revenue")
		if len(q.dimensions) > 0 {
			list = append(list, "percentage")
		}
	}
	if q.visits() {
		list = append(list, "visits", "bounce_rate", "visit_duration", "views_per_visit")
	}
	return list
}

func (q *apiQuery) names(dim string) bool {
	return slices.Contains(q.dimensions, dim) || strings.Contains(q.filters, `"`+dim+`"`)
}

// variants are the values under which a row counts for q: one for each of its goals and properties
// if q is about them.
func (q *apiQuery) variants(c *counted) [][window.NumDims]string {
	list := [][window.NumDims]string{c.Dims}
	if q.names("event:goal") {
		list = nil
		for _, g := range c.Goals {
			v := c.Dims
			v[window.Goal] = g
			list = append(list, v)
		}
	}
	if q.prop != "" {
		with := list
		list = nil
		if !slices.ContainsFunc(c.Props, func(p event.Prop) bool { return p.Key == q.prop }) {
			for _, v := range with {
				v[window.PropValue] = window.None
				list = append(list, v)
			}
		}
		for _, p := range c.Props {
			for _, v := range with {
				if p.Key == q.prop {
					v[window.PropValue] = p.Value
					list = append(list, v)
				}
			}
		}
	}
	return list
}

// withNone gives what can be without a value the value None. Each event has a page, but for some of
// readertest, and those without one count in none.
func withNone(own *[window.NumDims]string) *[window.NumDims]string {
	dims := *own
	for _, d := range []window.Dim{
		window.Source, window.Referrer, window.Channel, window.EntryPage, window.ExitPage, window.UTMSource, window.UTMMedium,
		window.UTMCampaign, window.UTMContent, window.UTMTerm, window.Region, window.City,
	} {
		if dims[d] == "" {
			dims[d] = window.None
		}
	}
	return &dims
}

// recount answers q from the rows: the default order, all rows.
func (q *apiQuery) recount(all *traffic, loc *time.Location) string {
	groups := map[string]*tally{}
	total := &tally{visitors: map[event.Visitor]bool{}}
	group := func(at event.Time, own *[window.NumDims]string) *tally {
		dims := withNone(own)
		if !q.inRange(at, loc) || q.pass != nil && !q.pass(dims) || slices.ContainsFunc(q.filterDims, func(d window.Dim) bool { return dims[d] == "" }) {
			return nil
		}
		var labels []string
		for _, d := range q.dimensions {
			v, ok := q.label(d, at, dims, loc)
			if !ok {
				return &tally{visitors: map[event.Visitor]bool{}}
			}
			labels = append(labels, v)
		}
		k := strings.Join(labels, "\x00")
		g := groups[k]
		if g == nil {
			g = &tally{dims: labels, visitors: map[event.Visitor]bool{}}
			groups[k] = g
		}
		return g
	}
	for i := range all.rows {
		c := &all.rows[i]
		if bots := slices.Contains(q.dimensions, "event:bot_reason"); !q.events() || c.Flags&window.DroppedRow != 0 || (c.Flags&window.BotRow != 0) != bots {
			continue
		}
		for _, dims := range q.variants(c) {
			if g := group(c.at, &dims); g != nil {
				g.addRow(c)
				total.visitors[c.Visitor] = true
			}
		}
		if q.filters == "" && q.inRange(c.at, loc) { // what percentages are of
			total.visitors[c.Visitor] = true
		}
	}
	for i := range all.visits {
		v := &all.visits[i]
		if !q.visits() {
			continue
		}
		dims := v.Dims
		dims[window.Page] = dims[window.EntryPage] // the page of a visit is the one it began with
		if g := group(v.at, &dims); g != nil {
			g.addVisit(v)
		}
	}
	if len(q.dimensions) == 0 && len(groups) == 0 {
		groups[""] = &tally{}
	}
	return q.print(groups, float64(total.unique()))
}

func (t *tally) addRow(c *counted) {
	t.events++
	if c.Flags&window.PageviewRow != 0 {
		t.pageviews++
	}
	t.revenue += c.Revenue
	t.visitors[c.Visitor] = true
}

func (t *tally) addVisit(v *countedVisit) {
	t.visits += v.Visits
	t.bounces += v.Bounces
	t.seconds += v.Seconds
	t.views += v.Views
}

func (q *apiQuery) print(groups map[string]*tally, total float64) string {
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
		} else if c := cmp.Compare(q.metrics(y, 0)[0].(float64), q.metrics(x, 0)[0].(float64)); c != 0 {
			return c
		}
		return slices.Compare(x.dims, y.dims)
	})
	var b strings.Builder
	for _, g := range list {
		fmt.Fprintf(&b, "%q %v\n", g.dims, q.metrics(g, total))
	}
	return b.String()
}

// body is the query as JSON.
func (q *apiQuery) body(more string) string {
	f := q.filters
	if f == "" {
		f = "[]"
	}
	return fmt.Sprintf(`{"site_id":%q,"metrics":%s,"date_range":[%q,%q],"dimensions":%s,"filters":%s%s}`,
		siteA, jsonList(q.metricNames()), q.from, q.to, jsonList(q.dimensions), f, more)
}

func jsonList(s []string) string {
	b, _ := json.Marshal(append([]string{}, s...))
	return string(b)
}
