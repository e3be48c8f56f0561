package query

import (
	"slices"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// check refuses what makes no sense together, and what rollups would answer wrongly.
func (q *Query) check() error {
	dims := q.allDims()
	has := func(d window.Dim) bool {
		return slices.ContainsFunc(dims, func(o *dimension) bool { return o.dim == d })
	}
	if len(q.dims) == 0 {
		if m := q.asksAny([]metric{percentage, groupConversionRate}); m != "" {
			return bad("Invalid metrics %q: it needs dimensions.", m)
		}
	}
	if m := q.asksAny([]metric{conversionRate, groupConversionRate}); m != "" && !has(window.Goal) {
		return bad("Invalid metrics %q: it needs the dimension event:goal, or a filter of it.", m)
	}
	if q.asks(averageRevenue) && !has(window.Goal) && !has(window.Name) {
		return bad("Invalid metrics %q: it is an average over events, which the dimension event:goal or event:name, or a filter of one, has to choose.", averageRevenue)
	}
	if err := checkProps(dims); err != nil {
		return err
	}
	if err := q.checkGoals(); err != nil {
		return err
	}
	return q.checkVisits(dims)
}

// checkProps allows one custom property in a question.
func checkProps(dims []*dimension) error {
	var prop string
	for _, d := range dims {
		if d.prop != "" && prop != "" && d.prop != prop {
			return bad("No rollup holds two custom properties together: %s%s and %s.", propPrefix, prop, d.name)
		}
		if d.prop != "" {
			prop = d.prop
		}
	}
	return nil
}

// checkGoals refuses sums over several goals: an event that reaches two of them would be counted twice.
func (q *Query) checkGoals() error {
	m := q.asksAny(countMetrics)
	if m == "" || slices.ContainsFunc(q.dims, func(d *dimension) bool { return d.dim == window.Goal && !d.isTime() }) {
		return nil
	}
	filtered := false
	q.filter.eachDim(func(d *dimension) { filtered = filtered || d.dim == window.Goal })
	if filtered && !q.filter.one(window.Goal) {
		return bad("Invalid metrics %q: an event may reach several goals and would be counted for each; filter event:goal by one goal (\"is\"), or add it to the dimensions.", m)
	}
	return nil
}

// checkVisits holds the rules about metrics of visits.
func (q *Query) checkVisits(dims []*dimension) error {
	exit := slices.ContainsFunc(dims, func(d *dimension) bool { return d.dim == window.ExitPage && !d.isTime() })
	if exit && q.ofEvents() {
		return bad("Invalid metrics %s: by visit:exit_page only visits are counted; there are %s.", show(q.metrics), joinMetrics(visitMetrics))
	}
	if !q.ofVisits() {
		return nil
	}
	if q.timeDim >= 0 && q.dims[q.timeDim].unit == minute {
		return bad("Invalid dimensions \"time:minute\" with %q: visits are counted by the quarter of an hour in which they began.", q.asksAny(visitMetrics))
	}
	m := q.asksAny([]metric{bounceRate, viewsPerVisit, visitDuration})
	for _, d := range dims {
		if m != "" && d.ofEvent() && d.dim != window.Page {
			return bad("Invalid metrics %q: it can't be mixed with %s; of the dimensions of events only with event:page, which then is the page that visits began with.", m, d.name)
		}
	}
	return nil
}

const quarter = 15 * event.Minute

// alignVisits makes the range one of whole quarters of an hour, which visits are counted by, or refuses it. A relative
// range is widened at its beginning. The end may lie in a quarter that is not over: nothing is behind it yet.
func (q *Query) alignVisits(now time.Time) error {
	if !q.ofVisits() {
		return nil
	}
	if q.relative && !q.All {
		q.From = q.From.Floor(quarter)
	}
	if q.From%quarter != 0 || q.To%quarter != 0 && q.To < event.TimeOf(now) {
		return bad("Invalid date_range [%q, %q] with %q: visits are counted by the quarter of an hour in which they began, so the range has to begin and end with one.",
			q.instant(q.From), q.instant(q.To-event.Second), q.asksAny(visitMetrics))
	}
	return nil
}
