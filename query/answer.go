package query

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
)

// Answer is the answer to a Query.
type Answer struct {
	Results []Row `json:"results"`
	Meta    Meta  `json:"meta"`
	Query   Echo  `json:"query"`
}

// Row is one row: values of the metrics and of the dimensions asked for. A value is an int64, a float64, or nil where it
// would be a part of nothing: a bounce rate without visits, a percentage of nobody.
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
	// Other is the part, 0 to 1, of the events (or visits: the larger of the two) that is counted under "(other)", because
	// their values were past the cardinality budget. Rows and filters by value may miss so much; where it is 0 they miss
	// nothing. Nil where there is no budget, or nothing at all.
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
	ps, err := s.opts.Reader.Progress(ctx)
	if err != nil {
		return nil, err
	}
	w := &work{s: s, q: q, progress: newProgress(ps, s.opts.Partitions)}
	if err := w.plan(); err != nil {
		return nil, err
	}
	if q.All {
		if err := s.findFirst(ctx, q); err != nil {
			return nil, err
		}
	}
	if err := q.alignVisits(s.opts.Now()); err != nil {
		return nil, err
	}
	q.resolveTime()
	a, err := w.count(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := w.rows(ctx, a)
	if err != nil {
		return nil, err
	}
	ans := &Answer{Query: q.echo()}
	if ans.Meta, err = w.meta(a); err != nil {
		return nil, err
	}
	if q.totalRows {
		n := len(rows)
		ans.Meta.TotalRows = &n
	}
	from := min(q.offset, len(rows))
	ans.Results = rows[from:min(from+q.limit, len(rows))]
	return ans, nil
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

// compareMetric orders values of one metric; nil, a part of nothing, comes first.
func compareMetric(x, y any) int {
	if x == nil || y == nil {
		switch {
		case x == y:
			return 0
		case x == nil:
			return -1
		}
		return 1
	}
	if x, ok := x.(int64); ok {
		return cmp.Compare(x, y.(int64))
	}
	return cmp.Compare(x.(float64), y.(float64))
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
