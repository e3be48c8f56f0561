package query

import (
	"context"
	"errors"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/window"
)

// execution is a Query at work. It is made whole by plan; the stages count, rows and meta change
// nothing in it.
type execution struct {
	x        *Executor
	q        *Query
	plans    []*plan
	progress progress
	// snapshot is where hits are read from, if they answer the query; there are no plans then.
	snapshot hits.Snapshot
	late     bool // late events that this process has accepted may be missing
}

// plan returns the execution of a query, with the progress that was read before anything else.
func (x *Executor) plan(q *Query, p progress) (*execution, error) {
	plans, err := q.plans()
	if err != nil {
		return nil, err
	}
	e := execution{x: x, q: q, plans: plans, progress: p}
	if !p.known {
		return &e, nil
	}
	// The minutes of late events fire again within seconds, their hours within settling: so minutes
	// are read.
	if p.low-settling < x.opts.Began {
		e.progress.hours = min(e.progress.hours, (min(p.low, x.opts.Began) - x.opts.Lateness).Floor(event.Hour))
	}
	if x.opts.Late == nil {
		return &e, nil
	}
	earliest, late := x.opts.Late(q.site, p.low-settling, q.to)
	if late {
		e.late, e.progress.hours = true, min(e.progress.hours, earliest.Floor(event.Hour))
	}
	return &e, nil
}

// counted is what the plans have read, added up.
type counted struct {
	*aggregation
	other *float64 // see Meta
}

// planHits returns the execution of a query that rollups can't answer.
func (x *Executor) planHits(ctx context.Context, q *Query) (*execution, error) {
	snapshot, err := x.opts.Hits.Snapshot(ctx)
	if err != nil {
		if ctx.Err() == nil {
			x.opts.Logger.Error("the archive of hits can't be read", "err", err)
			err = unavailable("The archive of events could not be read: try again. The cause has been logged.")
		}
		return nil, err
	}
	at := snapshot.Extent()
	if at.Partitions == 0 && at.Last < at.First {
		return nil, invalid("No rollup answers this query, only the archive's single events do, and it has none yet: the first are there a minute or so after they came in (--archive-every), and never where the role archive runs with --no-hits.")
	}
	return x.byHits(q, snapshot, at), nil
}

// byHits returns the execution of a query by a snapshot.
func (x *Executor) byHits(q *Query, snapshot hits.Snapshot, at hits.Extent) *execution {
	e := &execution{x: x, q: q, snapshot: snapshot}
	if at.Partitions > 0 && at.Partitions >= x.opts.Partitions {
		e.progress = progress{known: true, low: at.Watermark}
	}
	if x.opts.Late != nil {
		_, e.late = x.opts.Late(q.site, at.Watermark-settling, q.to)
	}
	return e
}

// hitsError returns an error of the archive as one for the client, and logs it.
func (e *execution) hitsError(ctx context.Context, err error) error {
	var own *Error
	if err == nil || ctx.Err() != nil {
		return err
	}
	if errors.As(err, &own) {
		return own
	}
	e.x.opts.Logger.Error("the archive of hits can't be read", "site", e.q.site, "err", err)
	return unavailable("The archive of events could not be read: try again. The cause has been logged.")
}

// countHits counts hits and visits by dims, of what a filter lets pass.
func (e *execution) countHits(ctx context.Context, dims []*Dimension, f *Filter, s *shape) (*aggregation, error) {
	c, err := e.newHitCount(dims, f, s.metrics)
	if err != nil {
		return nil, err
	}
	a, err := c.run(ctx, s.ofEvents(), s.ofVisits())
	return a, e.hitsError(ctx, err)
}

// count reads what the plans select, and adds it up.
func (e *execution) count(ctx context.Context) (*counted, error) {
	if e.snapshot != nil {
		a, err := e.countHits(ctx, e.q.dims, e.q.filter, &e.q.shape)
		return &counted{aggregation: a}, err
	}
	c := &counted{aggregation: newAggregation(e.q.first(sketchMetrics) != "", e.x.opts.MaxGroups)}
	for _, p := range e.plans {
		if err := e.scan(ctx, p, c.aggregation, e.q.timeDim >= 0); err != nil {
			return nil, err
		}
		part, err := e.otherOf(ctx, p, c.aggregation)
		if err != nil {
			return nil, err
		}
		if part != nil && (c.other == nil || *c.other < *part) {
			c.other = part
		}
	}
	return c, nil
}

// scan adds the points of a plan to a, by time if the plan's columns have it.
func (e *execution) scan(ctx context.Context, p *plan, a *aggregation, byTime bool) error {
	buckets := func() *bucketer {
		if !byTime {
			return nil
		}
		return e.q.buckets()
	}
	a.begin(p, buckets())
	list := e.segments(p, buckets())
	for _, seg := range list {
		if err := e.scanSegment(ctx, p, seg, a); err != nil {
			return err
		}
	}
	if err := a.end(); err != nil {
		return err
	}
	e.noteDensity(p, list, a.points)
	return nil
}

// segments returns what is read for a plan.
func (e *execution) segments(p *plan, b *bucketer) segments {
	return p.segments(e.q, e.progress.hours, e.x.opts.VisitLength, b)
}

func (p *plan) selection(q *Query, seg segment) window.Selection {
	return window.Selection{Kind: seg.kind, Site: q.site, Family: p.family, From: seg.from, To: seg.to, Values: p.values, Days: seg.days}
}

// otherOf returns what part of a plan's points is past the budget, nil where there is none. Where
// the Reader has given some values only, the whole is counted as well, which is needed only if
// there is such a part.
func (e *execution) otherOf(ctx context.Context, p *plan, a *aggregation) (*float64, error) {
	seen := a.seen
	if len(p.family.Dims()) == 0 || seen == 0 && !p.bounded() {
		return nil, nil
	}
	if a.other != 0 && p.bounded() {
		all := *p
		all.values = [2][]string{}
		seen = 0
		for _, seg := range e.segments(&all, nil) {
			err := e.x.opts.Reader.Scan(ctx, all.selection(e.q, seg), func(_ event.Time, _ bool, point *window.Point) error {
				seen += p.weigh(point)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	part := 0.
	if seen != 0 {
		part = float64(a.other) / float64(seen)
	}
	return &part, nil
}
