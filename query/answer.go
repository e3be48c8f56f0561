package query

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// Answer is the answer to a Query.
type Answer struct {
	Results []Row `json:"results"`
	Meta    Meta  `json:"meta"`
	Query   Echo  `json:"query"`
}

// Row is one row: values of the metrics (int64, float64 or nil) and of the dimensions asked for.
type Row struct {
	Metrics    []any    `json:"metrics"`
	Dimensions []string `json:"dimensions"`
}

// Meta is what is to be known about an answer.
type Meta struct {
	// Source is where the numbers come from: "rollup".
	Source string `json:"source"`
	// Watermark is the instant up to which all windows have fired; nil while it is unknown, which it also is in a
	// store that no engine has written to yet, only imports: a stream may be about to fill it.
	Watermark *string `json:"watermark"`
	// Complete says that the watermark has passed the range: only late events can still change the answer.
	Complete bool `json:"complete"`
	// VisitorsError is the relative standard error of visitors: 0 where all of them were counted exactly.
	VisitorsError *float64 `json:"visitors_error,omitempty"`
	// VisitorsScope is "visitors", or "visitor_days" where the range spans a change of ids.
	VisitorsScope string `json:"visitors_scope,omitempty"`
	// Other is the part, 0 to 1, of the events that fell into "(other)"; nil where it is not known.
	Other *float64 `json:"other,omitempty"`
	// TimeLabels are the labels of all buckets, if asked for.
	TimeLabels *[]string `json:"time_labels,omitempty"`
	// TotalRows is the number of rows of all pages, if asked for.
	TotalRows *int `json:"total_rows,omitempty"`
	// ImportsIncluded is false if imported statistics were asked for: there are none, imports are events.
	ImportsIncluded *bool `json:"imports_included,omitempty"`
}

// Echo is the question as it was understood.
type Echo struct {
	Site       string      `json:"site_id"`
	Metrics    []metric    `json:"metrics"`
	DateRange  [2]string   `json:"date_range"`
	Filters    any         `json:"filters"`
	Dimensions []string    `json:"dimensions"`
	OrderBy    [][2]string `json:"order_by"`
	Include    include     `json:"include"`
	Pagination pagination  `json:"pagination"`
}

type include struct {
	TimeLabels bool `json:"time_labels,omitempty"`
	TotalRows  bool `json:"total_rows,omitempty"`
	Imports    bool `json:"imports,omitempty"`
}

type pagination struct {
	Offset int `json:"offset"`
	Limit  int `json:"limit"`
}

func (s *Server) answer(ctx context.Context, q *Query) (*Answer, error) {
	p, err := planFor(q.dims, q.filter)
	if err != nil {
		return nil, err
	}
	if q.All {
		if err := s.findFirst(ctx, q, p.family); err != nil {
			return nil, err
		}
	}
	var b *bucketer
	if q.timeDim >= 0 {
		b = q.resolveTime()
	}
	a := newAggregation(p, b, q.asks(visitors) || q.asks(percentage), s.opts.MaxGroups)
	if err := s.scan(ctx, q, a); err != nil {
		return nil, err
	}
	var total uint64
	if q.asks(percentage) {
		if total, err = s.totalVisitors(ctx, q, p); err != nil {
			return nil, err
		}
	}
	ans := &Answer{Query: q.echo()}
	if ans.Meta, err = s.meta(ctx, q, a); err != nil {
		return nil, err
	}
	rows := q.rows(a, total)
	if q.totalRows {
		n := len(rows)
		ans.Meta.TotalRows = &n
	}
	from := min(q.offset, len(rows))
	ans.Results = rows[from:min(from+q.limit, len(rows))]
	return ans, nil
}

func (s *Server) scan(ctx context.Context, q *Query, a *aggregation) error {
	sel := window.Selection{Site: q.Site, Family: a.plan.family, From: q.From, To: q.To, Values: a.plan.values}
	if err := s.opts.Reader.Scan(ctx, sel, a.add); err != nil {
		return err
	}
	a.finish()
	return nil
}

// errFound ends a scan.
var errFound = errors.New("found")

// findFirst sets q.From to the day of the site's first window, for the range "all".
func (s *Server) findFirst(ctx context.Context, q *Query, f window.Family) error {
	sel := window.Selection{Site: q.Site, Family: window.Totals, From: 0, To: q.To}
	if f == window.Bots {
		sel.Family = f
	}
	err := s.opts.Reader.Scan(ctx, sel, func(start event.Time, _ bool, p *window.Point) error {
		if isZero(p) {
			return nil
		}
		y, m, d := start.Std().In(q.Location).Date()
		q.From = event.TimeOf(dayStart(y, m, d, q.Location))
		return errFound
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

// resolveTime gives the dimension "time" its unit.
func (q *Query) resolveTime() *bucketer {
	d := q.dims[q.timeDim]
	if d.unit == anyTime {
		u := unitFor(q.From, q.To)
		for i := range dimensions {
			if dimensions[i].unit == u {
				d = &dimensions[i]
			}
		}
		q.dims = slices.Clone(q.dims)
		q.dims[q.timeDim] = d
		for i := range q.order {
			if !q.order[i].isMetric && q.order[i].index == q.timeDim {
				q.order[i].name = d.name
			}
		}
	}
	return newBucketer(d.unit, q.Location)
}

func (q *Query) asks(m metric) bool { return slices.Contains(q.metrics, m) }

// totalVisitors are those of the question without its dimensions: what percentages are of.
func (s *Server) totalVisitors(ctx context.Context, q *Query, p *plan) (uint64, error) {
	total := &plan{family: p.family, filter: q.filter, values: p.values}
	if p.family != window.Bots {
		t, err := planFor(nil, q.filter)
		if err != nil {
			return 0, err
		}
		total = t
	}
	a := newAggregation(total, nil, true, 1)
	if err := s.scan(ctx, q, a); err != nil {
		return 0, err
	}
	return a.groups[0].visitors, nil
}

// rows makes the rows, in order.
func (q *Query) rows(a *aggregation, total uint64) []Row {
	rows := make([]Row, 0, len(a.groups))
	for _, g := range a.groups {
		r := Row{Metrics: make([]any, len(q.metrics)), Dimensions: g.dims}
		if r.Dimensions == nil {
			r.Dimensions = []string{}
		}
		for i, m := range q.metrics {
			r.Metrics[i] = g.metric(m, total)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, q.compare)
	return rows
}

func (g *group) metric(m metric, total uint64) any {
	switch m {
	case visitors:
		return int64(g.visitors)
	case pageviews:
		return g.pageviews
	case events:
		return g.events
	}
	if total == 0 {
		return nil
	}
	return math.Round(float64(g.visitors)/float64(total)*1000) / 10
}

// compare is a total order: order_by, then the dimensions.
func (q *Query) compare(x, y Row) int {
	for _, o := range q.order {
		var c int
		if o.isMetric {
			c = compareMetric(x.Metrics[o.index], y.Metrics[o.index])
		} else {
			c = strings.Compare(x.Dimensions[o.index], y.Dimensions[o.index])
		}
		if c != 0 {
			if o.desc {
				return -c
			}
			return c
		}
	}
	return slices.Compare(x.Dimensions, y.Dimensions)
}

func compareMetric(x, y any) int {
	switch x := x.(type) {
	case int64:
		return cmp.Compare(x, y.(int64))
	case float64:
		return cmp.Compare(x, y.(float64))
	}
	return 0 // nil: all rows have the same total
}

func (s *Server) meta(ctx context.Context, q *Query, a *aggregation) (Meta, error) {
	m := Meta{Source: "rollup"}
	ps, err := s.opts.Reader.Progress(ctx)
	if err != nil {
		return m, err
	}
	if len(ps) > 0 && len(ps) >= s.opts.Partitions {
		low := slices.MinFunc(ps, func(x, y window.Progress) int { return cmp.Compare(x.Low, y.Low) }).Low
		at := q.instant(low)
		m.Watermark, m.Complete = &at, q.To <= low
	}
	if a.sketches {
		var e float64
		if a.estimated {
			e = math.Round(sketch.StdError*1e6) / 1e6
		}
		m.VisitorsError, m.VisitorsScope = &e, "visitors"
		if s.opts.DailyIDs && q.From.Floor(24*event.Hour) != (q.To-1).Floor(24*event.Hour) {
			m.VisitorsScope = "visitor_days"
		}
	}
	if len(a.plan.family.Dims()) > 0 && a.plan.values[0] == nil && a.plan.values[1] == nil && a.all > 0 {
		part := float64(a.other) / float64(a.all)
		m.Other = &part
	}
	if q.timeLabels {
		labels, ok := newBucketer(q.dims[q.timeDim].unit, q.Location).labels(q.From, q.To, s.opts.MaxGroups)
		if !ok {
			return m, bad("Invalid include.time_labels true: date_range has more than %d buckets of %s.", s.opts.MaxGroups, q.dims[q.timeDim].name)
		}
		m.TimeLabels = &labels
	}
	if q.imports {
		m.ImportsIncluded = new(bool)
	}
	return m, nil
}

// instant is t as ISO 8601 with the site's offset.
func (q *Query) instant(t event.Time) string { return t.Std().In(q.Location).Format(time.RFC3339) }

func (q *Query) echo() Echo {
	e := Echo{
		Site: q.Site, Metrics: q.metrics, Filters: q.rawFilters,
		DateRange:  [2]string{q.instant(q.From), q.instant(q.To - event.Second)},
		Dimensions: []string{}, OrderBy: [][2]string{},
		Include:    include{q.timeLabels, q.totalRows, q.imports},
		Pagination: pagination{q.offset, q.limit},
	}
	for _, d := range q.dims {
		e.Dimensions = append(e.Dimensions, d.name)
	}
	for _, o := range q.order {
		dir := "asc"
		if o.desc {
			dir = "desc"
		}
		e.OrderBy = append(e.OrderBy, [2]string{o.name, dir})
	}
	return e
}
