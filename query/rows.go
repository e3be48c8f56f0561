package query

import (
	"context"
	"slices"
	"strings"

	"millrace/engine/window"
)

// rows makes the rows, in order.
func (e *execution) rows(ctx context.Context, c *counted) ([]Row, error) {
	base, err := e.bases(ctx)
	if err != nil {
		return nil, err
	}
	rows, n := make([]Row, 0, len(c.groups)), len(e.q.metrics)
	values := make([]any, n*len(c.groups))
	for _, g := range c.groups {
		r := Row{Metrics: values[:n:n], Dimensions: g.dims}
		values = values[n:]
		if r.Dimensions == nil {
			r.Dimensions = []string{}
		}
		b := base(r.Dimensions)
		for i, m := range e.q.metrics {
			r.Metrics[i] = g.value(m, &b)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, e.q.compare)
	return rows, nil
}

// bases counts the visitors that percentages and conversion rates are parts of, and returns a
// function that finds those of a row.
func (e *execution) bases(ctx context.Context) (func(dims []string) bases, error) {
	var b bases
	var err error
	if e.q.has(percentage) {
		if b.percentage, err = e.visitorsOf(ctx, e.q.filter); err != nil {
			return nil, err
		}
	}
	if e.q.first(rateMetrics) == "" {
		return func([]string) bases { return b }, nil
	}
	f, ok := e.q.filter.withoutGoals()
	if !ok {
		return nil, invalid("Invalid filters %s with %q: goals and other dimensions can't be mixed within \"or\" and \"not\", because the rate is of visitors who have reached no goal too.", e.q.filterText, e.q.first(rateMetrics))
	}
	if e.q.has(conversionRate) {
		if b.conversion, err = e.visitorsOf(ctx, f); err != nil {
			return nil, err
		}
	}
	if !e.q.has(groupConversionRate) {
		return func([]string) bases { return b }, nil
	}
	groups, err := e.visitorsByGroup(ctx, f)
	return func(dims []string) bases {
		row := b
		row.group = groups[e.q.groupKey(dims)]
		return row
	}, err
}

// visitorsOf are those of the query without its dimensions, filtered by f.
func (e *execution) visitorsOf(ctx context.Context, f *Filter) (uint64, error) {
	if e.snapshot != nil {
		a, err := e.countHits(ctx, nil, f, &shape{metrics: []Metric{visitors}})
		if err != nil {
			return 0, err
		}
		return a.only().visitors, nil
	}
	p, err := planFor(window.Minute, nil, f)
	if err != nil {
		return 0, err
	}
	if len(p.family.Dims()) == 0 && e.plans[0].family == window.Bots {
		p.family = window.Bots // of which the query is, and of nothing else
	}
	a := newAggregation(true, 1)
	if err := e.scan(ctx, p, a, false); err != nil {
		return 0, err
	}
	return a.only().visitors, nil
}

// visitorsByGroup are those of the query without the dimension event:goal, by groupKey, filtered by
// f.
func (e *execution) visitorsByGroup(ctx context.Context, f *Filter) (map[string]uint64, error) {
	var dims []*Dimension
	for _, d := range e.q.dims {
		if !d.isGoal() {
			dims = append(dims, d)
		}
	}
	a, err := e.visitorGroups(ctx, dims, f)
	if err != nil {
		return nil, err
	}
	groups := make(map[string]uint64, len(a.groups))
	for _, g := range a.groups {
		groups[strings.Join(g.dims, "\x00")] = g.visitors
	}
	return groups, nil
}

// visitorGroups counts visitors by dims, filtered by f.
func (e *execution) visitorGroups(ctx context.Context, dims []*Dimension, f *Filter) (*aggregation, error) {
	if e.snapshot != nil {
		return e.countHits(ctx, dims, f, &shape{metrics: []Metric{visitors}})
	}
	p, err := planFor(window.Minute, dims, f)
	if err != nil {
		return nil, err
	}
	a := newAggregation(true, e.x.opts.MaxGroups)
	return a, e.scan(ctx, p, a, e.q.timeDim >= 0)
}

// cut keeps of rows in order the first of each group.
func (l LimitBy) cut(rows []Row) []Row {
	if l.Limit == 0 {
		return rows
	}
	kept := map[string]int{}
	return slices.DeleteFunc(rows, func(r Row) bool {
		var key []string
		for _, i := range l.Dimensions {
			key = append(key, r.Dimensions[i])
		}
		k := strings.Join(key, "\x00")
		kept[k]++
		return kept[k] > l.Limit
	})
}
