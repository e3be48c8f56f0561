package query

import (
	"fmt"
	"math"
	"slices"
	"time"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

const (
	// settling is how long after a change hours and visits fire at the latest: the engine spreads
	// them over half a minute and a minute.
	settling = event.Minute
	// skew is how far ahead of this clock the watermark may be: the clocks of collectors differ by
	// a little.
	skew = 10 * event.Second
)

// complete reports whether all is in the answer: see Meta.
func (e *execution) complete() bool {
	low := e.progress.low
	if low < e.q.to || low > event.TimeOf(e.x.opts.Now())+skew {
		return false
	}
	// Minutes are final at the watermark. Windows of visits are not: their last half minute may
	// still have to fire.
	if e.snapshot == nil && low < e.q.to+settling && slices.ContainsFunc(e.plans, func(p *plan) bool { return p.kind == window.Visits }) {
		return false
	}
	return !e.late
}

// warnings returns what is wrong with the answer's progress.
func (e *execution) warnings() []string {
	ahead := e.progress.low - event.TimeOf(e.x.opts.Now())
	if ahead <= skew {
		return nil
	}
	return []string{fmt.Sprintf("The watermark lies %s in the future: the clock of a collector is or was ahead, or that of this machine is behind. "+
		"Until that time comes, events may be missing that were late by it.", time.Duration(ahead/event.Second)*time.Second)}
}

// days reports whether the range has several days of the site.
func (q *Query) days() bool {
	const layout = time.DateOnly
	return q.from.Std().In(q.zone).Format(layout) != (q.to - 1).Std().In(q.zone).Format(layout)
}

func (e *execution) meta(c *counted) (Meta, error) {
	q, m := e.q, Meta{Other: c.other}
	if e.snapshot != nil {
		m.Hits = true
		if e.snapshot.Extent().Imported {
			m.Warnings = append(m.Warnings, "The archive has imported files of which it has no single events yet, by which this answer is counted: they are not in it. An import that was cut off, or that a build before has made, is completed by repeating it, and all of them by millrace replay.")
		}
		if began := e.snapshot.Extent().Began; max(q.from, q.kept) < began {
			m.Warnings = append(m.Warnings, fmt.Sprintf("The archive of events, which answers this query, is whole from %s on, and date_range begins before: of what was before some or all is missing.", q.Instant(began)))
		}
	}
	if e.progress.known {
		low := e.progress.low
		m.Watermark, m.Complete, m.Warnings = &low, e.complete(), append(m.Warnings, e.warnings()...)
	}
	if q.from < q.kept {
		m.KeptFrom = &q.kept
		m.Warnings = append(m.Warnings, fmt.Sprintf("The site's numbers are kept from %s on, and date_range begins before: what was before counts as nothing.", q.Instant(q.kept)))
	}
	if c.sketches {
		var stdError float64
		if c.estimated {
			stdError = math.Round(sketch.StdError*1e6) / 1e6
		}
		m.VisitorsError = &stdError
		m.VisitorDays = e.x.opts.DailyIDs && q.days()
	}
	if q.timeDim < 0 {
		return m, nil
	}
	m.PartialTimeLabels = q.buckets().partial(q.from, q.to, event.TimeOf(e.x.opts.Now()), q.whole)
	if q.timeLabels {
		labels, ok := q.buckets().labels(q.from, q.to, e.x.opts.MaxGroups)
		if !ok {
			return m, invalid("Invalid include.time_labels true: date_range has more than %d buckets of %s.", e.x.opts.MaxGroups, q.dims[q.timeDim].name)
		}
		m.TimeLabels = labels
	}
	return m, nil
}
