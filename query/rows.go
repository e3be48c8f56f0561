package query

import (
	"context"
	"slices"
	"strings"

	"millrace/engine/window"
)

// rows makes the rows of the page, in order, and returns how many all pages have.
func (e *execution) rows(ctx context.Context, c *counted) (rows []Row, total int, err error) {
	base, err := e.bases(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	r := newRanking(e.q, c.aggregation, base)
	var list []int32
	if e.q.limitBy.Limit > 0 {
		list = r.first(c.size())
		list = e.q.limitBy.cut(list, c.dim)
		total = len(list)
	} else {
		total = c.size()
		list = r.first(min(e.q.offset+e.q.limit, total))
	}
	from := min(e.q.offset, len(list))
	list = list[from:min(from+e.q.limit, len(list))]
	rows, n := make([]Row, len(list)), len(e.q.metrics)
	values := make([]any, n*len(list))
	for i, g := range list {
		row := Row{Metrics: values[:n:n], Dimensions: c.dims(int(g), len(e.q.dims))}
		values = values[n:]
		b := base(func(k int) string { return row.Dimensions[k] })
		counts, visitors := c.at(int(g))
		for i, m := range e.q.metrics {
			row.Metrics[i] = m.value(counts, visitors, &b)
		}
		rows[i] = row
	}
	return rows, total, nil
}

// bases counts what percentages and rates are parts of, and returns a function that finds those of a row, whose dimensions another one
// returns. Of estimates among them the answer is told, as of those of rows.
func (e *execution) bases(ctx context.Context, c *counted) (func(dim func(k int) string) bases, error) {
	var b bases
	var err error
	if e.q.has(percentage) {
		if b.percentage, err = e.visitorsOf(ctx, e.q.filter, c); err != nil {
			return nil, err
		}
	}
	var views map[string]int64
	if e.q.has(exitRate) {
		if views, err = e.viewsByPage(ctx); err != nil {
			return nil, err
		}
	}
	groups, err := e.conversionBases(ctx, &b, c)
	if err != nil {
		return nil, err
	}
	return func(dim func(int) string) bases {
		row := b
		if groups != nil {
			row.group = groups[e.q.groupKey(dim)]
		}
		if views != nil {
			row.views = views[keyOf(len(e.q.dims), dim)]
		}
		return row
	}, nil
}

// conversionBases sets the base of conversion rates, and returns those of groups by groupKey.
func (e *execution) conversionBases(ctx context.Context, b *bases, c *counted) (groups map[string]uint64, err error) {
	if e.q.first(rateMetrics) == "" {
		return nil, nil
	}
	f, ok := e.q.filter.withoutGoals()
	if !ok {
		return nil, invalid("Invalid filters %s with %q: goals and other dimensions can't be mixed within \"or\" and \"not\", because the rate is of visitors who have reached no goal too.", e.q.filterText, e.q.first(rateMetrics))
	}
	if e.q.has(conversionRate) {
		if b.conversion, err = e.visitorsOf(ctx, f, c); err != nil {
			return nil, err
		}
	}
	if !e.q.has(groupConversionRate) {
		return nil, nil
	}
	return e.visitorsByGroup(ctx, f, c)
}

// keyOf names a row by all of its dimensions.
func keyOf(n int, dim func(k int) string) string {
	key := make([]string, n)
	for k := range key {
		key[k] = dim(k)
	}
	return strings.Join(key, "\x00")
}

// viewsByPage returns the pageviews of each row of a query by exit pages: of the page that visits ended with.
func (e *execution) viewsByPage(ctx context.Context) (map[string]int64, error) {
	s, _ := e.q.ofViews() // see checkExitRate
	var a *aggregation
	var err error
	if e.snapshot != nil {
		a, err = e.countHits(ctx, s.dims, s.filter, s)
	} else {
		a = newAggregation(false, e.x.opts.MaxGroups)
		var p *plan
		if p, err = planFor(window.Minute, s.dims, s.filter); err == nil {
			err = e.scan(ctx, p, a, e.q.timeDim >= 0)
		}
	}
	if err != nil {
		return nil, err
	}
	views := make(map[string]int64, a.size())
	for i := range a.size() {
		c, _ := a.at(i)
		views[keyOf(len(s.dims), func(k int) string { return a.dim(i, k) })] = c.pageviews
	}
	return views, nil
}

// ofViews returns the shape that counts the pageviews of a query by exit pages: by pages. Its own conditions on exit pages choose rows
// and are left out; false if they are mixed with others.
func (s *shape) ofViews() (*shape, bool) {
	isExit := func(d *Dimension) bool { return !d.IsTime() && d.dim == window.ExitPage }
	views := &shape{metrics: []Metric{pageviews}}
	for _, d := range s.dims {
		if isExit(d) {
			d, _ = ParseDimension("event:page") // it is one
		}
		views.dims = append(views.dims, d)
	}
	var ok bool
	views.filter, ok = s.filter.without(isExit)
	return views, ok
}

// visitorsOf are those of the query without its dimensions, filtered by f.
func (e *execution) visitorsOf(ctx context.Context, f *Filter, c *counted) (uint64, error) {
	if e.snapshot != nil {
		a, err := e.countHits(ctx, nil, f, &shape{metrics: []Metric{visitors}})
		if err != nil {
			return 0, err
		}
		c.estimated = c.estimated || a.estimated
		return a.only(), nil
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
	c.estimated = c.estimated || a.estimated
	return a.only(), nil
}

// visitorsByGroup are those of the query without the dimension event:goal, by groupKey, filtered by
// f.
func (e *execution) visitorsByGroup(ctx context.Context, f *Filter, c *counted) (map[string]uint64, error) {
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
	c.estimated = c.estimated || a.estimated
	groups := make(map[string]uint64, a.size())
	for i := range a.size() {
		_, visitors := a.at(i)
		groups[strings.Join(a.dims(i, len(dims)), "\x00")] = visitors
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

// cut keeps of groups in order the first of each that are equal in the dimensions, which dim returns.
func (l LimitBy) cut(list []int32, dim func(group, k int) string) []int32 {
	kept := map[string]int{}
	return slices.DeleteFunc(list, func(g int32) bool {
		var key []string
		for _, k := range l.Dimensions {
			key = append(key, dim(int(g), k))
		}
		k := strings.Join(key, "\x00")
		kept[k]++
		return kept[k] > l.Limit
	})
}
