package query

import (
	"slices"

	"millrace/engine/window"
)

// Check refuses what makes no sense together. It reads nothing.
func (r *Request) Check() error {
	s := r.shape()
	dims := s.allDims()
	if len(s.dims) == 0 {
		if m := s.first([]Metric{percentage, groupConversionRate}); m != "" {
			return invalid("Invalid metrics %q: it needs dimensions.", m)
		}
	}
	if m := s.first(rateMetrics); m != "" && !slices.ContainsFunc(dims, (*Dimension).isGoal) {
		return invalid("Invalid metrics %q: it needs the dimension event:goal, or a filter of it.", m)
	}
	if m := s.first(pingMetrics); m != "" {
		if !slices.ContainsFunc(dims, func(d *Dimension) bool { return !d.IsTime() && d.dim == window.Page }) {
			return invalid("Invalid metrics %q: it needs the dimension event:page, or a filter of it.", m)
		}
		for _, d := range dims {
			if d.ofSingleEvents() {
				return invalid("Invalid metrics %q: it can't be mixed with %s: it is measured between events.", m, d.name)
			}
		}
	}
	if err := s.checkGoals(); err != nil {
		return err
	}
	if err := s.checkExitRate(); err != nil {
		return err
	}
	return s.checkMixed(s.dims)
}

// checkExitRate refuses exit rates of anything but exit pages.
func (s *shape) checkExitRate() error {
	if !s.has(exitRate) {
		return nil
	}
	if !slices.ContainsFunc(s.dims, func(d *Dimension) bool { return d.dim == window.ExitPage && !d.IsTime() }) {
		return invalid("Invalid metrics %q: it needs the dimension visit:exit_page: it is how many of the page's views were the last of a visit.", exitRate)
	}
	for _, d := range s.allDims() {
		if d.ofEvent() {
			return invalid("Invalid metrics %q: it can't be mixed with %s: it is of visits and of all views of their exit page.", exitRate, d.name)
		}
	}
	if _, ok := s.ofViews(); !ok {
		return invalid("Invalid filters with %q: visit:exit_page and other dimensions can't be mixed within \"or\" and \"not\", because the rate is of all views of the page, too.", exitRate)
	}
	return nil
}

// checkRollups refuses what rollups would answer wrongly, and hits would not.
func (s *shape) checkRollups() error {
	if len(s.filter.done()) > 0 {
		return invalid("Invalid filters: the operators \"has_done\" and \"has_not_done\" can't be answered: rollups don't tell what else a visitor has done.")
	}
	if m := s.first(pingMetrics); m != "" {
		return invalid("Invalid metrics %q: this metric can't be answered: rollups don't have it.", m)
	}
	if err := checkProps(s.allDims()); err != nil {
		return err
	}
	exit := slices.ContainsFunc(s.allDims(), func(d *Dimension) bool { return d.dim == window.ExitPage && !d.IsTime() })
	if exit && s.ofEvents() {
		return invalid("Invalid metrics %s: by visit:exit_page only visits are counted; there are %s.", Show(s.metrics), joinMetrics(visitMetrics))
	}
	if s.has(exitRate) {
		views, _ := s.ofViews()
		if _, err := views.plans(); err != nil {
			return err
		}
	}
	if !s.ofVisits() {
		return nil
	}
	if t := s.time(); t >= 0 && s.dims[t].unit == minute {
		return invalid("Invalid dimensions \"time:minute\" with %q: visits are counted by the quarter of an hour in which they began.", s.first(visitMetrics))
	}
	return s.checkMixed(filterDims(s.filter))
}

// checkHits refuses what hits would answer wrongly.
func (s *shape) checkHits() error {
	for _, f := range s.filter.done() {
		for _, d := range filterDims(f.sub[0]) {
			if d.dim == window.Reason {
				return invalid("Invalid filters: within \"has_done\" and \"has_not_done\" events can't be filtered by %s.", d.name)
			}
		}
	}
	if s.ofVisits() && s.ofBots() {
		return invalid("Invalid metrics %q: visits can't be counted by event:bot_reason: bots have none.", s.first(visitMetrics))
	}
	if !s.ofVisits() {
		return nil
	}
	for _, d := range s.dims {
		if d.ofSingleEvents() {
			return invalid("Invalid metrics %q: visits can't be counted by %s; of the dimensions of events only by event:page, which then is the page that visits began with, and event:hostname. A filter may be of any.", s.first(visitMetrics), d.name)
		}
	}
	return nil
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

// checkMixed refuses dimensions of single events with numbers of whole visits.
func (s *shape) checkMixed(dims []*Dimension) error {
	m := s.first([]Metric{bounceRate, viewsPerVisit, visitDuration})
	if m == "" {
		return nil
	}
	has := func(of window.Dim) bool {
		return slices.ContainsFunc(s.dims, func(d *Dimension) bool { return !d.IsTime() && d.dim == of })
	}
	for _, d := range dims {
		if !d.IsTime() && d.ofEvent() && d.dim != window.Page && !(d.dim == window.Hostname && has(window.Page)) {
			return invalid("Invalid metrics %q: it can't be mixed with %s; of the dimensions of events only with event:page, which then is the page that visits began with, and event:hostname beside it.", m, d.name)
		}
	}
	return nil
}
