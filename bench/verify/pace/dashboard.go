package pace

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/bench"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/query"
	"millrace/query/statsapi"
)

// The questions of a dashboard: those that rollups hold, of the giant and of a site in the middle. DuckDB answers them from one Parquet file,
// sorted by site and time, with approximate visitors, as a dashboard on it would.

// asked is a question of the last days; 0 is all of them.
type asked struct {
	days    int
	dims    []string
	metrics []string
	filter  []any
}

var both, alone, three = []string{"visitors", "pageviews"}, []string{"visitors"}, []string{"visitors", "pageviews", "events"}

// ofEach are asked of both sites, ofGiant of the giant alone.
var (
	ofEach = []asked{
		{1, nil, three, nil}, {30, nil, three, nil}, {0, nil, three, nil},
		{1, []string{"time:hour"}, both, nil}, {7, []string{"time:hour"}, both, nil}, {30, []string{"time:hour"}, both, nil},
		{30, []string{"time:day"}, both, nil}, {0, []string{"time:day"}, both, nil}, {0, []string{"time:month"}, both, nil},
		{30, []string{"event:page"}, both, nil}, {0, []string{"event:page"}, both, nil},
		{30, []string{"visit:source"}, alone, nil}, {30, []string{"visit:country"}, alone, nil}, {30, []string{"visit:browser"}, alone, nil},
		{30, []string{"time:day"}, both, []any{"is", "event:page", []string{"/"}}},
	}
	ofGiant = []asked{
		{7, []string{"event:page"}, both, nil}, {0, []string{"visit:source"}, alone, nil}, {0, []string{"visit:country"}, alone, nil},
		{0, []string{"time:day"}, both, []any{"is", "visit:country", []string{"US"}}},
		{30, []string{"visit:browser"}, alone, []any{"is", "visit:country", []string{"US"}}},
		{30, []string{"event:page"}, both, []any{"contains", "event:page", []string{"blog"}}},
		{30, []string{"event:name"}, []string{"visitors", "events"}, nil}, {30, []string{"visit:os"}, alone, nil}, {30, []string{"visit:device"}, alone, nil},
		{30, []string{"time:day", "visit:source"}, alone, nil},
	}
)

// dashboard returns its questions.
func (r *run) dashboard() (list []*question) {
	giant, middle := r.sites()
	add := func(site string, all []asked) {
		for _, a := range all {
			length := event.Time(r.Days)
			if a.days > 0 {
				length = min(length, event.Time(a.days))
			}
			q := &question{Site: site, Metrics: a.metrics, Dims: a.dims, kind: "dashboard", giant: site == giant, plain: true}
			q.to = bench.DefaultStart + event.Time(r.Days)*day
			q.from = q.to - length*day
			q.Range = [2]string{q.from.Std().Format(time.DateOnly), (q.to - day).Std().Format(time.DateOnly)}
			if a.filter != nil {
				q.Filters = []any{a.filter}
			}
			q.order()
			q.Page.Limit = 10_000
			list = append(list, q)
		}
	}
	add(giant, ofEach)
	add(middle, ofEach)
	add(giant, ofGiant)
	return list
}

// sites returns the giant, and the site with the eleventh most rows, or the last.
func (r *run) sites() (giant, middle string) {
	var list []string
	for id := range r.m.Rows {
		list = append(list, id)
	}
	slices.SortFunc(list, func(x, y string) int { return r.m.Rows[y] - r.m.Rows[x] })
	return list[0], list[min(10, len(list)-1)]
}

// flat is the Parquet file that DuckDB answers from, which it makes of the files of hits if it is not there.
func (r *run) flat(ctx context.Context) error {
	file := filepath.Join(r.Dir, "flat.parquet")
	got, err := r.duck.ask("SELECT count(*) FROM glob(" + quote(file) + ")")
	if err != nil {
		return err
	}
	if got.Rows[0][0] == 0. {
		_, err = r.duck.ask(fmt.Sprintf(`COPY (SELECT site, ts, name, visitor, pageview, page, country, browser, os, device, source FROM read_parquet(%s)
WHERE class = 'human' ORDER BY site, ts) TO %s (FORMAT parquet, COMPRESSION zstd)`, quote(filepath.Join(r.Dir, "hits", "*", "*", "*.parquet")), quote(file)))
	}
	r.file = file
	return err
}

// flatSQL returns a question of the dashboard as SQL.
func (q *question) flatSQL(file string, exact bool) string {
	visitors := "approx_count_distinct(visitor)"
	if exact {
		visitors = "count(DISTINCT visitor)"
	}
	sums := map[string]string{"visitors": visitors, "pageviews": "count(*) FILTER (pageview)", "events": "count(*)"}
	var columns, keys, order []string
	for i, dim := range q.Dims {
		column := q.column(dim, "ts")
		switch {
		case dim == "time:month":
			column = "date_trunc('month', ts)::DATE::VARCHAR"
		case !strings.HasPrefix(dim, "time:"):
			column = "CASE WHEN " + column + " = '' THEN '(none)' ELSE " + column + " END"
		}
		columns, keys = append(columns, fmt.Sprintf("%s AS k%d", column, i)), append(keys, fmt.Sprint("k", i))
	}
	for _, name := range q.Metrics {
		columns = append(columns, sums[name]+" AS "+name)
	}
	where := fmt.Sprintf("site = %s AND ts >= %s AND ts < %s", quote(q.Site), instant(q.from), instant(q.to))
	for _, f := range q.Filters {
		where += " AND " + q.condition(f.([]any), "", nil)
	}
	for _, o := range q.Order {
		at := o[0]
		if i := slices.Index(q.Dims, at); i >= 0 {
			at = keys[i]
		}
		order = append(order, at+" "+o[1])
	}
	group := ""
	if len(keys) > 0 {
		group = " GROUP BY " + strings.Join(keys, ", ")
	}
	return fmt.Sprintf("SELECT %s FROM read_parquet(%s) WHERE %s%s ORDER BY %s LIMIT %d", strings.Join(columns, ", "), quote(file), where, group, strings.Join(order, ", "), q.Page.Limit)
}

// finished is a store of rollups that nothing comes to any more.
type finished struct {
	query.Reader
	nothing
}

func (f finished) Progress(ctx context.Context) ([]window.Progress, error) {
	return f.nothing.Progress(ctx)
}

func (f finished) Scan(ctx context.Context, sel window.Selection, fn func(event.Time, bool, *window.Point) error) error {
	return f.Reader.Scan(ctx, sel, fn)
}

// settler is a store that sums up in the background what was asked for.
type settler interface {
	Settle(ctx context.Context) error
}

// settle asks all questions once, and waits until the store has summed up what it may.
func (r *run) settle(ctx context.Context, list []*question, rollups query.Reader) error {
	s, ok := rollups.(settler)
	if !ok {
		return nil
	}
	var first []float64
	for _, q := range list {
		at := time.Now()
		if _, err := r.api.Answer(ctx, q.body()); err != nil {
			return fmt.Errorf("%s: %w", q.body(), err)
		}
		first = append(first, time.Since(at).Seconds()*1e3)
	}
	at, cpu := time.Now(), processorTime()
	if err := s.Settle(ctx); err != nil {
		return err
	}
	fmt.Fprintf(r.Out, "asked first: median %.2f ms, worst %.2f ms; then days were summed up for %.2f s, %.2f s of processors\n",
		median(first), slices.Max(first), time.Since(at).Seconds(), (processorTime() - cpu).Seconds())
	return nil
}

func (f finished) Sites(ctx context.Context) ([]string, error) { return f.Reader.Sites(ctx) }

// rollups returns the rollups of an archive of raw rows, in the folder of the run, and what closes them.
func (o *Options) rollups(ctx context.Context) (query.Reader, func() error, error) {
	raw, err := blob.OpenFolder(filepath.Join(o.Dir, "raw"))
	if err != nil {
		return nil, nil, err
	}
	r, closeIt, err := o.Count(ctx, raw, filepath.Join(o.Dir, "rollups"))
	if err != nil {
		return nil, nil, fmt.Errorf("count into rollups: %w", err)
	}
	return r, closeIt, nil
}

// apart returns what is not the same of two answers, of which ours may have estimated visitors.
func apart(q *question, answer *statsapi.Answer, theirs *reply) string {
	if len(answer.Results) != len(theirs.Rows) {
		return fmt.Sprintf("%d rows, DuckDB has %d", len(answer.Results), len(theirs.Rows))
	}
	want := map[string][]any{}
	for _, row := range theirs.Rows {
		var key []string
		for k, dim := range q.Dims {
			key = append(key, label(dim, row[k]))
		}
		want[strings.Join(key, "\x00")] = row[len(q.Dims):]
	}
	off := 0.
	if e := answer.Meta.VisitorsError; e != nil {
		off = 4 * *e
	}
	for _, row := range answer.Results {
		numbers := want[strings.Join(row.Dimensions, "\x00")]
		if numbers == nil {
			return fmt.Sprintf("row %q, which DuckDB does not have", row.Dimensions)
		}
		for k, name := range q.Metrics {
			n, is := numbers[k].(float64), float64(row.Metrics[k].(int64))
			if d := math.Abs(n - is); d > 0 && (name != "visitors" || d > off*n) {
				return fmt.Sprintf("row %q has %s %.0f, DuckDB %.0f", row.Dimensions, name, is, n)
			}
		}
	}
	return ""
}
