package query

import "millrace/engine/event"

// Answer is what an Executor answers a request with.
type Answer struct {
	// Query is the request as it was resolved.
	Query *Query
	// Rows are those of the page, in order.
	Rows []Row
	// Total is the number of rows of all pages.
	Total int
	Meta  Meta
}

// Row is one row: values of the metrics and of the dimensions of the query. A value of a metric is
// an int64, a float64, or nil where it would be a part of nothing: a bounce rate without visits, a
// percentage of no visitors.
type Row struct {
	Metrics    []any
	Dimensions []string
}

// Meta is what is to be known about an answer.
type Meta struct {
	// Hits: the answer is of single events and visits, not of rollups.
	Hits bool
	// Watermark is the instant up to which all windows have fired; nil while it is unknown, which
	// it also is in a store that no engine has written to yet, only imports: a stream may be about
	// to fill it.
	Watermark *event.Time
	// Complete: nothing is missing of what collectors had accepted by the watermark, or this
	// process at all. The watermark has passed the range and is not ahead of the clock, visits have
	// caught up with it, and so have late events that this process knows of. Only late events, and
	// visits that go on, can still change the answer.
	Complete bool
	// KeptFrom is the time before which no numbers are kept, if the range begins before it: they count
	// as nothing.
	KeptFrom *event.Time
	// Warnings are what is wrong with the answer, or with what it was made of.
	Warnings []string
	// VisitorsError is the relative standard error of visitors: 0 where all of them were counted
	// exactly. Nil where none were counted.
	VisitorsError *float64
	// VisitorDays: the range spans a change of visitor ids, so that visitors are counted once a
	// day.
	VisitorDays bool
	// Other is the part, 0 to 1, of the events (or visits: the larger of the two) that is counted
	// under "(other)", because their values were past the cardinality budget. Rows and filters by
	// value may miss so much; where it is 0 they miss nothing. Nil where there is no budget, or
	// nothing at all.
	Other *float64
	// TimeLabels are the labels of all buckets, nil if the request does not want them.
	TimeLabels []string
	// PartialTimeLabels are the labels of buckets that the range cuts, at either end, or that are
	// not over yet: a week whose Monday lies before the range, the day that is under way.
	PartialTimeLabels []string
}
