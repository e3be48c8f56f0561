package pace

import (
	"fmt"
	"slices"
	"strings"

	"millrace/emit/lake/hitread"
	"millrace/engine/event"
)

// goals are those of all sites. No event reaches two of them.
var goals = []struct{ name, event, page string }{{"Signed up", "signup", ""}, {"Downloaded", "download", ""}, {"Front page", "", "/"}}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoted(list []string) string {
	var all []string
	for _, s := range list {
		all = append(all, quote(s))
	}
	return strings.Join(all, ", ")
}

// files returns the table of those files that may have rows of a site and a time.
func (q *question) files(dir string, list []hitread.File, from, to event.Time) string {
	var names []string
	for i := range list {
		if f := &list[i]; f.MinSite <= q.Site && q.Site <= f.MaxSite && f.MinTime < to && from <= f.MaxTime {
			names = append(names, dir+"/"+f.Key)
		}
	}
	return "read_parquet([" + quoted(names) + "])"
}

// sql returns the query as SQL over the files of an archive in a folder. Columns of the result are dimensions, then metrics.
func (q *question) sql(dir string, m *made) string {
	ofVisits := func(name string) bool { return name == "visits" || name == "bounce_rate" }
	var parts []string
	if slices.ContainsFunc(q.Metrics, func(name string) bool { return !ofVisits(name) }) {
		parts = append(parts, q.part(dir, m, false))
	}
	if slices.ContainsFunc(q.Metrics, ofVisits) {
		parts = append(parts, q.part(dir, m, true))
	}
	var columns, using []string
	for i, dim := range q.Dims {
		k := fmt.Sprint("k", i)
		using = append(using, k)
		if !strings.HasPrefix(dim, "time:") {
			k = fmt.Sprintf("CASE WHEN %s = '' THEN '(none)' ELSE %s END AS %s", k, k, k)
		}
		columns = append(columns, k)
	}
	for _, name := range q.Metrics {
		switch {
		case name == "bounce_rate":
			columns = append(columns, "round_even(100 * bounces / visits, 0) AS bounce_rate")
		case len(parts) > 1:
			columns = append(columns, fmt.Sprintf("coalesce(%s, 0) AS %s", name, name))
		default:
			columns = append(columns, name)
		}
	}
	from := "(" + parts[0] + ")"
	if len(parts) > 1 {
		from += " FULL JOIN (" + parts[1] + ") USING (" + strings.Join(using, ", ") + ")"
	}
	var order []string
	for _, o := range q.Order {
		at := o[0]
		if i := slices.Index(q.Dims, at); i >= 0 {
			at = fmt.Sprint("k", i)
		}
		order = append(order, at+" "+o[1])
	}
	return "SELECT * FROM (SELECT " + strings.Join(columns, ", ") + " FROM " + from + ") ORDER BY " + strings.Join(order, ", ") + fmt.Sprint(" LIMIT ", q.Page.Limit)
}

// part counts events or visits.
func (q *question) part(dir string, m *made, ofVisits bool) string {
	at, table := "ts", q.files(dir, m.Hits, q.from, q.to)
	where := "class = 'human'"
	sums := "count(DISTINCT visitor) AS visitors, count(*) FILTER (pageview) AS pageviews, count(*) AS events"
	if ofVisits {
		at, table = "begin", q.files(dir, m.Visits, q.from, q.to)
		where = `"into" IS NULL`
		sums = "count(*) AS visits, count(*) FILTER (bounce) AS bounces"
	} else {
		var some []string
		for _, s := range strings.SplitAfter(sums, ", ") {
			s = strings.TrimSuffix(s, ", ")
			if slices.ContainsFunc(q.Metrics, func(name string) bool { return strings.HasSuffix(s, "AS "+name) }) {
				some = append(some, s)
			}
		}
		sums = strings.Join(some, ", ")
	}
	if at == "begin" {
		at = `"begin"`
	}
	var keys, names []string
	for i, dim := range q.Dims {
		column := q.column(dim, at)
		if dim == "event:goal" {
			where += " AND " + column + " IS NOT NULL"
		}
		keys, names = append(keys, fmt.Sprintf("%s AS k%d", column, i)), append(names, fmt.Sprint("k", i))
	}
	where += fmt.Sprintf(" AND site = %s AND %s >= %s AND %s < %s", quote(q.Site), at, instant(q.from), at, instant(q.to))
	for _, f := range q.Filters {
		where += " AND " + q.condition(f.([]any), dir, m)
	}
	return fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s GROUP BY %s", strings.Join(keys, ", "), sums, table, where, strings.Join(names, ", "))
}

func instant(t event.Time) string {
	return "TIMESTAMPTZ '" + t.Std().Format("2006-01-02 15:04:05+00") + "'"
}

func (q *question) column(dim, at string) string {
	switch {
	case dim == "time:day":
		return "epoch_ms(" + at + ") // 86400000"
	case dim == "time:hour":
		return "epoch_ms(" + at + ") // 3600000"
	case dim == "event:goal":
		text := "CASE"
		for _, g := range goals {
			if g.event != "" {
				text += " WHEN name = " + quote(g.event) + " THEN " + quote(g.name)
			} else {
				text += " WHEN pageview AND page = " + quote(g.page) + " THEN " + quote(g.name)
			}
		}
		return text + " END"
	case strings.HasPrefix(dim, "event:props:"):
		return "coalesce(json_extract_string(props, '$." + dim[len("event:props:"):] + "'), '')"
	}
	return columns[dim]
}

func (q *question) condition(f []any, dir string, m *made) string {
	if f[0] == "has_done" {
		around := 12 * event.Hour
		return fmt.Sprintf("visit IN (SELECT visit FROM %s WHERE class = 'human' AND site = %s AND visit IS NOT NULL AND %s)",
			q.files(dir, m.Hits, q.from-around, q.to+around), quote(q.Site), q.condition(f[1].([]any), dir, m))
	}
	column, values := q.column(f[1].(string), ""), f[2].([]string)
	switch f[0] {
	case "contains":
		return "contains(" + column + ", " + quote(values[0]) + ")"
	case "is_not":
		return column + " <> " + quote(values[0])
	}
	return column + " IN (" + quoted(values) + ")"
}
