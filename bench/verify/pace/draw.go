package pace

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"millrace/engine/event"
)

// question is a query, to be asked in both languages.
type question struct {
	Site    string     `json:"site_id"`
	Metrics []string   `json:"metrics"`
	Range   [2]string  `json:"date_range"`
	Dims    []string   `json:"dimensions,omitempty"`
	Filters []any      `json:"filters,omitempty"`
	Order   [][]string `json:"order_by"`
	Page    struct {
		Limit int `json:"limit"`
	} `json:"pagination"`

	kind     string
	giant    bool
	plain    bool // of the dashboard, see flatSQL
	from, to event.Time
}

// columns are those of the files, by dimension.
var columns = map[string]string{}

// ofVisits are the dimensions that are drawn, besides those of events.
var ofVisits = []string{"source", "country", "browser", "os", "device", "entry_page", "referrer", "channel", "language", "screen", "utm_campaign", "utm_source", "browser_version"}

func init() {
	for _, name := range ofVisits {
		columns["visit:"+name] = name
	}
	columns["event:page"], columns["event:name"] = "page", "name"
}

// drawer draws queries.
type drawer struct {
	rng    *rand.Rand
	giant  string
	small  []string
	days   int
	first  event.Time
	values map[string][]string // common ones, by column
}

func pick[T any](d *drawer, list ...T) T { return list[d.rng.IntN(len(list))] }

// draw returns a query of the giant, or of a small site.
func (d *drawer) draw(giant bool) *question {
	q := &question{Site: d.giant, giant: giant}
	if !giant {
		q.Site = pick(d, d.small...)
	}
	length := pick(d, 1, 2, 7, 7, 14, 28, 30, 30, 30)
	length = min(length, d.days)
	begin := d.days - length
	if d.rng.IntN(3) == 0 {
		begin = d.rng.IntN(begin + 1)
	}
	q.from = d.first + event.Time(begin)*day
	q.to = q.from + event.Time(length)*day
	q.Range = [2]string{q.from.Std().Format("2006-01-02"), (q.to - day).Std().Format("2006-01-02")}
	q.Metrics = pick(d, []string{"visitors"}, []string{"visitors", "pageviews"}, []string{"visitors", "events"}, []string{"pageviews"})
	switch n := d.rng.IntN(20); {
	case n < 6:
		q.kind = "groups"
		q.Dims = d.dims(2+d.rng.IntN(2), true)
		q.Filters = d.filters(d.rng.IntN(2), true)
	case n < 11:
		q.kind = "filters"
		q.Dims = d.dims(1, true)
		q.Filters = d.filters(1+d.rng.IntN(3), true)
	case n < 14:
		q.kind = "series"
		q.Dims = []string{pick(d, "time:day", "time:day", "time:hour")}
		if d.rng.IntN(2) == 0 {
			q.Dims = append(q.Dims, d.dims(1, false)...)
		}
		q.Filters = d.filters(2, true)
	case n < 17:
		q.kind = "visits"
		q.Metrics = pick(d, []string{"visits", "bounce_rate"}, []string{"visits"}, []string{"visitors", "visits", "pageviews", "bounce_rate"})
		q.Dims = d.dims(1+d.rng.IntN(2), false)
		q.Filters = d.filters(1+d.rng.IntN(2), false)
	case n < 18:
		q.kind = "done"
		q.Dims = d.dims(1, false)
		q.Filters = []any{[]any{"has_done", d.filter(pick(d, "event:page", "event:name"))}}
	case n < 19:
		q.kind = "goals"
		q.Dims = append([]string{"event:goal"}, d.dims(1, false)...)
		q.Filters = d.filters(d.rng.IntN(2), false)
	default:
		q.kind = "props"
		q.Dims = append([]string{pick(d, "event:props:plan", "event:props:variant")}, d.dims(1, false)...)
		q.Filters = append(d.filters(d.rng.IntN(2), false), []any{"is", "event:name", []string{"signup", "download", "search"}})
	}
	q.order()
	q.Page.Limit = 100
	return q
}

// order sorts by time, then by the first metric.
func (q *question) order() {
	for _, dim := range q.Dims {
		if strings.HasPrefix(dim, "time:") {
			q.Order = append(q.Order, []string{dim, "asc"})
		}
	}
	q.Order = append(q.Order, []string{q.Metrics[0], "desc"})
	for _, dim := range q.Dims {
		if !strings.HasPrefix(dim, "time:") {
			q.Order = append(q.Order, []string{dim, "asc"})
		}
	}
}

// dims draws different dimensions.
func (d *drawer) dims(n int, ofEvents bool) (list []string) {
	for len(list) < n {
		name := "visit:" + pick(d, ofVisits[:6+d.rng.IntN(len(ofVisits)-6)]...)
		if ofEvents && d.rng.IntN(4) == 0 {
			name = "event:page"
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (d *drawer) filters(n int, ofEvents bool) (list []any) {
	for _, dim := range d.dims(n, ofEvents) {
		list = append(list, d.filter(dim))
	}
	return list
}

// filter draws a condition on a dimension.
func (d *drawer) filter(dim string) any {
	values := d.values[columns[dim]]
	if len(values) == 0 {
		values = []string{"(none)"}
	}
	if strings.HasSuffix(dim, "page") && d.rng.IntN(2) == 0 {
		return []any{"contains", dim, []string{pick(d, "/blog", "/docs", "/pricing")}}
	}
	if d.rng.IntN(4) == 0 {
		return []any{"is_not", dim, []string{pick(d, values...)}}
	}
	list := []string{pick(d, values...)}
	if v := pick(d, values...); d.rng.IntN(3) == 0 && v != list[0] {
		list = append(list, v)
	}
	return []any{"is", dim, list}
}

func (q *question) String() string {
	return fmt.Sprintf("%s %s %dd %s by %s where %v", q.kind, map[bool]string{true: "giant", false: "small"}[q.giant], (q.to-q.from)/day, strings.Join(q.Metrics, "+"), strings.Join(q.Dims, "+"), q.Filters)
}
