package query

import (
	"slices"

	"millrace/engine/window"
)

// Check refuses what makes no sense together, and what rollups would answer wrongly. It reads
// nothing.
func (r *Request) Check() error {
	s := r.shape()
	dims := s.allDims()
	has := func(d window.Dim) bool {
		return slices.ContainsFunc(dims, func(o *Dimension) bool { return o.dim == d })
	}
	if len(s.dims) == 0 {
		if m := s.first([]Metric{percentage, groupConversionRate}); m != "" {
			return invalid("Invalid metrics %q: it needs dimensions.", m)
		}
	}
	if m := s.first(rateMetrics); m != "" && !has(window.Goal) {
		return invalid("Invalid metrics %q: it needs the dimension event:goal, or a filter of it.", m)
	}
	if err := checkProps(dims); err != nil {
		return err
	}
	if err := s.checkGoals(); err != nil {
		return err
	}
	return s.checkVisits(dims)
}

// checkProps allows one custom property in a query.
func checkProps(dims []*Dimension) error {
	var prop string
	for _, d := range dims {
		if d.prop != "" && prop != "" && d.prop != prop {
			return invalid("No rollup holds two custom properties together: %s%s and %s.", propPrefix, prop, d.name)
		}
		if d.prop != "" {
			prop = d.prop
		}
	}
	return nil
}

// checkGoals refuses sums over several goals: an event that reaches two of them would be counted
// twice.
func (s *shape) checkGoals() error {
	m := s.first(countMetrics)
	if m == "" || slices.ContainsFunc(s.dims, func(d *Dimension) bool { return d.dim == window.Goal && !d.IsTime() }) {
		return nil
	}
	filtered := false
	s.filter.eachDim(func(d *Dimension) { filtered = filtered || d.dim == window.Goal })
	if filtered && !s.filter.one(window.Goal) {
		return invalid("Invalid metrics %q: an event may reach several goals and would be counted for each; filter event:goal by one goal (\"is\"), or add it to the dimensions.", m)
	}
	return nil
}

// checkVisits holds the rules about metrics of visits.
func (s *shape) checkVisits(dims []*Dimension) error {
	exit := slices.ContainsFunc(dims, func(d *Dimension) bool { return d.dim == window.ExitPage && !d.IsTime() })
	if exit && s.ofEvents() {
		return invalid("Invalid metrics %s: by visit:exit_page only visits are counted; there are %s.", Show(s.metrics), joinMetrics(visitMetrics))
	}
	if !s.ofVisits() {
		return nil
	}
	if t := s.time(); t >= 0 && s.dims[t].unit == minute {
		return invalid("Invalid dimensions \"time:minute\" with %q: visits are counted by the quarter of an hour in which they began.", s.first(visitMetrics))
	}
	m := s.first([]Metric{bounceRate, viewsPerVisit, visitDuration})
	for _, d := range dims {
		if m != "" && d.ofEvent() && d.dim != window.Page {
			return invalid("Invalid metrics %q: it can't be mixed with %s; of the dimensions of events only with event:page, which then is the page that visits began with.", m, d.name)
		}
	}
	return nil
}
