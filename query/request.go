package query

import (
	"slices"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Request is a query as a client wrote it, with names looked up and nothing else: its range may be
// "7d", its time dimension "time", and its order none. An Executor resolves it into a [Query].
type Request struct {
	// Site is a valid id, see event.ValidSite. Required.
	Site string
	// Metrics are the numbers of a row, at least one, each once. Required.
	Metrics []Metric
	// Dimensions are what rows are by, each once, at most one of them of time.
	Dimensions []*Dimension
	// Range is what to count. Required.
	Range Range
	// Filter is what to count of it; nil is everything.
	Filter *Filter
	// FilterText is Filter in the client's words, for messages.
	FilterText string
	// Order is how rows are sorted, the most important first. None: by time, else by the first
	// metric, the largest first. What is equal is sorted by the dimensions.
	Order []Order
	// TimeLabels includes Meta.TimeLabels. It needs a dimension of time.
	TimeLabels bool
	// WeekStart is the first day of the weeks of time:week, in days after Monday: 0 is Monday, 6 Sunday.
	WeekStart int
	// LimitBy keeps so many rows of each group, the first in order.
	LimitBy LimitBy
	// Offset and Limit are the page: so many rows are passed over, and at most so many returned.
	// Limit is 1 or more.
	Offset, Limit int
}

// LimitBy keeps Limit rows of those that are equal in some dimensions, before the page is cut. 0 is all.
type LimitBy struct {
	Dimensions []int // in Dimensions
	Limit      int
}

// Order sorts rows by a metric or by a dimension.
type Order struct {
	ByMetric bool
	Index    int // in Metrics or Dimensions
	Desc     bool
}

// shape is what a query counts, by what, and of what: all of it but the time.
type shape struct {
	metrics []Metric
	dims    []*Dimension
	filter  *Filter
}

func (r *Request) shape() *shape {
	s := &shape{metrics: r.Metrics, dims: r.Dimensions, filter: r.Filter}
	if s.filter == nil {
		s.filter = And()
	}
	return s
}

// has reports whether the query has a metric.
func (s *shape) has(m Metric) bool { return slices.Contains(s.metrics, m) }

// first returns the first metric of the query that is in a list, "" if none is.
func (s *shape) first(list []Metric) Metric {
	for _, m := range s.metrics {
		if slices.Contains(list, m) {
			return m
		}
	}
	return ""
}

// ofEvents reports whether the query has metrics that windows of events hold.
func (s *shape) ofEvents() bool {
	return slices.ContainsFunc(s.metrics, func(m Metric) bool { return !slices.Contains(visitMetrics, m) })
}

// ofVisits reports whether the query has metrics that windows of visits hold.
func (s *shape) ofVisits() bool { return s.first(visitMetrics) != "" }

// time returns the index of the dimension of time, -1 if there is none.
func (s *shape) time() int { return slices.IndexFunc(s.dims, (*Dimension).IsTime) }

// allDims returns the dimensions of the query and of its filters, each once, but those of time.
func (s *shape) allDims() []*Dimension {
	var list []*Dimension
	add := func(d *Dimension) {
		if !d.IsTime() && !slices.ContainsFunc(list, func(o *Dimension) bool { return o.name == d.name }) {
			list = append(list, d)
		}
	}
	for _, d := range s.dims {
		add(d)
	}
	s.filter.eachDim(add)
	return list
}

// ofBots reports whether the query is of what was taken for bots.
func (s *shape) ofBots() bool {
	return slices.ContainsFunc(s.allDims(), func(d *Dimension) bool { return d.dim == window.Reason })
}

const quarter = 15 * event.Minute
