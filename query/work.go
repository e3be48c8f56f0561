package query

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// work is a question being answered.
type work struct {
	s        *Server
	q        *Query
	progress progress
	plans    []*plan // one or two: what is asked of events, what is asked of visits
	other    *float64
}

func (w *work) plan() error {
	for _, part := range []struct {
		asked bool
		kind  window.Kind
	}{{w.q.ofEvents(), window.Minute}, {w.q.ofVisits(), window.Visits}} {
		if !part.asked {
			continue
		}
		p, err := planFor(part.kind, w.q.dims, w.q.filter)
		if err != nil {
			return err
		}
		w.plans = append(w.plans, p)
	}
	return nil
}

// count reads what the plans say and adds it up.
func (w *work) count(ctx context.Context) (*aggregation, error) {
	a := newAggregation(w.q.asksAny(sketchMetrics) != "", w.s.opts.MaxGroups)
	for _, p := range w.plans {
		if err := w.scan(ctx, p, a, w.q.timeDim >= 0); err != nil {
			return nil, err
		}
		if err := w.noteOther(ctx, p, a.other, a.seen); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// scan adds the points of a plan to a, by time if the plan's columns say so.
func (w *work) scan(ctx context.Context, p *plan, a *aggregation, byTime bool) error {
	buckets := func() *bucketer {
		if !byTime {
			return nil
		}
		return newBucketer(w.q.dims[w.q.timeDim].unit, w.q.Location)
	}
	a.begin(p, buckets())
	for _, seg := range p.segments(w.q, w.progress.hours, buckets()) {
		if err := w.s.opts.Reader.Scan(ctx, p.selection(w.q, seg), a.add); err != nil {
			return err
		}
	}
	a.end()
	return nil
}

func (p *plan) selection(q *Query, seg segment) window.Selection {
	return window.Selection{Kind: seg.kind, Site: q.Site, Family: p.family, From: seg.from, To: seg.to, Values: p.values}
}

// noteOther keeps what part of a plan's points is past the budget. Where the Reader was asked for some values only, the
// whole is counted as well, which is needed only if there is something to tell.
func (w *work) noteOther(ctx context.Context, p *plan, other, seen int64) error {
	if len(p.family.Dims()) == 0 || seen == 0 && !p.bounded() {
		return nil
	}
	if other != 0 && p.bounded() {
		all := *p
		all.values = [2][]string{}
		seen = 0
		for _, seg := range all.segments(w.q, w.progress.hours, nil) {
			err := w.s.opts.Reader.Scan(ctx, all.selection(w.q, seg), func(_ event.Time, _ bool, point *window.Point) error {
				seen += p.weigh(point)
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	part := 0.
	if seen != 0 {
		part = float64(other) / float64(seen)
	}
	if w.other == nil || *w.other < part {
		w.other = &part
	}
	return nil
}

// rows makes the rows, in order.
func (w *work) rows(ctx context.Context, a *aggregation) ([]Row, error) {
	base, err := w.bases(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0, len(a.groups))
	for _, g := range a.groups {
		r := Row{Metrics: make([]any, len(w.q.metrics)), Dimensions: g.dims}
		if r.Dimensions == nil {
			r.Dimensions = []string{}
		}
		b := base(r.Dimensions)
		for i, m := range w.q.metrics {
			r.Metrics[i] = g.value(m, &b)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, w.q.compare)
	return rows, nil
}

// bases counts the visitors that percentages and conversion rates are parts of, and returns a function that finds those
// of a row.
func (w *work) bases(ctx context.Context) (func(dims []string) bases, error) {
	var b bases
	var err error
	if w.q.asks(percentage) {
		if b.percentage, err = w.visitorsOf(ctx, w.q.filter); err != nil {
			return nil, err
		}
	}
	if w.q.asksAny([]metric{conversionRate, groupConversionRate}) == "" {
		return func([]string) bases { return b }, nil
	}
	f, ok := w.q.filter.withoutGoals()
	if !ok {
		return nil, bad("Invalid filters %s with %q: goals and other dimensions can't be mixed within \"or\" and \"not\", because the rate is of visitors who have reached no goal too.", show(w.q.rawFilters), w.q.asksAny([]metric{conversionRate, groupConversionRate}))
	}
	if w.q.asks(conversionRate) {
		if b.conversion, err = w.visitorsOf(ctx, f); err != nil {
			return nil, err
		}
	}
	if !w.q.asks(groupConversionRate) {
		return func([]string) bases { return b }, nil
	}
	groups, err := w.visitorsByGroup(ctx, f)
	return func(dims []string) bases {
		row := b
		row.group = groups[w.q.groupKey(dims)]
		return row
	}, err
}

// visitorsOf are those of the question without its dimensions, filtered by f.
func (w *work) visitorsOf(ctx context.Context, f *filter) (uint64, error) {
	p, err := planFor(window.Minute, nil, f)
	if err != nil {
		return 0, err
	}
	if len(p.family.Dims()) == 0 && w.plans[0].family == window.Bots {
		p.family = window.Bots // nobody else is asked about
	}
	a := newAggregation(true, 1)
	if err := w.scan(ctx, p, a, false); err != nil {
		return 0, err
	}
	return a.only().visitors, nil
}

// visitorsByGroup are those of the question without the dimension event:goal, by groupKey, filtered by f.
func (w *work) visitorsByGroup(ctx context.Context, f *filter) (map[string]uint64, error) {
	var dims []*dimension
	for _, d := range w.q.dims {
		if !d.isGoal() {
			dims = append(dims, d)
		}
	}
	p, err := planFor(window.Minute, dims, f)
	if err != nil {
		return nil, err
	}
	a := newAggregation(true, w.s.opts.MaxGroups)
	if err := w.scan(ctx, p, a, w.q.timeDim >= 0); err != nil {
		return nil, err
	}
	groups := make(map[string]uint64, len(a.groups))
	for _, g := range a.groups {
		groups[strings.Join(g.dims, "\x00")] = g.visitors
	}
	return groups, nil
}

// groupKey names the group of a row for visitorsByGroup.
func (q *Query) groupKey(row []string) string {
	var key []string
	for i, v := range row {
		if !q.dims[i].isGoal() {
			key = append(key, v)
		}
	}
	return strings.Join(key, "\x00")
}

func (d *dimension) isGoal() bool { return d.dim == window.Goal && !d.isTime() }

// errFound ends a scan.
var errFound = errors.New("found")

// findFirst sets q.From to the day of the site's first window, for the range "all".
func (s *Server) findFirst(ctx context.Context, q *Query) error {
	sel := window.Selection{Site: q.Site, Family: window.Totals, From: 0, To: q.To}
	if slices.ContainsFunc(q.allDims(), func(d *dimension) bool { return d.dim == window.Reason }) {
		sel.Family = window.Bots
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
func (q *Query) resolveTime() {
	if q.timeDim < 0 || q.dims[q.timeDim].unit != anyTime {
		return
	}
	d := q.dims[q.timeDim]
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

func (w *work) meta(a *aggregation) (Meta, error) {
	s, q := w.s, w.q
	m := Meta{Source: "rollup", Other: w.other}
	if w.progress.known {
		at := q.instant(w.progress.low)
		m.Watermark, m.Complete = &at, q.To <= w.progress.low
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
