package statsapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"millrace/query"
)

// Answer is the body of an answer.
type Answer struct {
	Results []Row `json:"results"`
	Meta    Meta  `json:"meta"`
	Query   Echo  `json:"query"`
}

// Row is query.Row, and what it is compared with.
type Row struct {
	Metrics    []any    `json:"metrics"`
	Dimensions []string `json:"dimensions"`
	// Comparison is the row of the range that the query is compared with.
	Comparison *Compared `json:"comparison,omitempty"`
}

// Meta is query.Meta, with instants in the site's time zone.
type Meta struct {
	// Source is where the numbers come from: "rollup", or "lake" if the archive's events were counted.
	Source    string   `json:"source"`
	Watermark *string  `json:"watermark"`
	Complete  bool     `json:"complete"`
	KeptFrom  *string  `json:"kept_from,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	// MetricWarnings are what is to be known about single metrics.
	MetricWarnings map[query.Metric]MetricWarning `json:"metric_warnings,omitempty"`
	VisitorsError  *float64                       `json:"visitors_error,omitempty"`
	// VisitorsScope is "visitors", or "visitor_days" where the range spans a change of ids.
	VisitorsScope string   `json:"visitors_scope,omitempty"`
	Other         *float64 `json:"other,omitempty"`
	// TimeLabels are the labels of all buckets, if the query includes them.
	TimeLabels        *[]string `json:"time_labels,omitempty"`
	PartialTimeLabels []string  `json:"partial_time_labels,omitempty"`
	// ComparisonDateRange is the first and the last second of the range that the query is compared with.
	ComparisonDateRange *[2]string `json:"comparison_date_range,omitempty"`
	// TotalRows is the number of rows of all pages, if the query includes it.
	TotalRows *int `json:"total_rows,omitempty"`
	// ImportsIncluded is false if the query includes imported statistics: there are none, imports
	// are events.
	ImportsIncluded *bool `json:"imports_included,omitempty"`
}

// Echo is the query as it was resolved.
type Echo struct {
	Site       string         `json:"site_id"`
	Metrics    []query.Metric `json:"metrics"`
	DateRange  [2]string      `json:"date_range"`
	Filters    any            `json:"filters"`
	Dimensions []string       `json:"dimensions"`
	OrderBy    [][2]string    `json:"order_by"`
	Include    include        `json:"include"`
	Pagination pagination     `json:"pagination"`
	LimitBy    *limitBy       `json:"limit_by,omitempty"`
	WeekStart  string         `json:"week_start,omitempty"`
}

type include struct {
	TimeLabels bool `json:"time_labels,omitempty"`
	TotalRows  bool `json:"total_rows,omitempty"`
	Imports    bool `json:"imports,omitempty"`
	// Comparisons is nil without include.comparisons.
	Comparisons *comparisons `json:"comparisons,omitempty"`
}

type pagination struct {
	Offset int `json:"offset"`
	Limit  int `json:"limit"`
}

// newAnswer gives an answer of package query the form of the API. r is the request that it is the
// answer to, currency the site's, if it has one.
func newAnswer(r *request, from *query.Answer, currency string) *Answer {
	a := &Answer{Results: make([]Row, len(from.Rows)), Meta: newMeta(r, from), Query: newEcho(r, from.Query)}
	a.Meta.MetricWarnings = metricWarnings(r.Metrics, currency)
	for i, row := range from.Rows {
		a.Results[i] = Row{Metrics: shown(r.Metrics, row.Metrics, currency), Dimensions: row.Dimensions}
	}
	return a
}

func newMeta(r *request, from *query.Answer) Meta {
	m := Meta{
		Source: "rollup", Complete: from.Meta.Complete, Warnings: from.Meta.Warnings,
		VisitorsError: from.Meta.VisitorsError, Other: from.Meta.Other, PartialTimeLabels: from.Meta.PartialTimeLabels,
	}
	if from.Meta.Hits {
		m.Source = "lake"
	}
	if from.Meta.Watermark != nil {
		at := from.Query.Instant(*from.Meta.Watermark)
		m.Watermark = &at
	}
	if from.Meta.KeptFrom != nil {
		at := from.Query.Instant(*from.Meta.KeptFrom)
		m.KeptFrom = &at
	}
	switch {
	case from.Meta.VisitorsError == nil:
	case from.Meta.VisitorDays:
		m.VisitorsScope = "visitor_days"
	default:
		m.VisitorsScope = "visitors"
	}
	if r.include.TimeLabels {
		m.TimeLabels = &from.Meta.TimeLabels
	}
	if r.include.TotalRows {
		m.TotalRows = &from.Total
	}
	if r.include.Imports {
		m.ImportsIncluded = new(bool)
	}
	return m
}

func newEcho(r *request, q *query.Query) Echo {
	first, last := q.Range()
	offset, limit := q.Page()
	e := Echo{
		Site: q.Site(), Metrics: q.Metrics(), Filters: r.filters, DateRange: [2]string{first, last},
		Dimensions: []string{}, OrderBy: [][2]string{}, Include: r.include, Pagination: pagination{offset, limit},
		LimitBy: r.limitBy, WeekStart: r.weekStart,
	}
	for _, d := range q.Dimensions() {
		e.Dimensions = append(e.Dimensions, d.Name())
	}
	for _, o := range q.Order() {
		dir := "asc"
		if o.Desc {
			dir = "desc"
		}
		e.OrderBy = append(e.OrderBy, [2]string{q.NameOf(o), dir})
	}
	return e
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return b.Bytes(), nil
}
