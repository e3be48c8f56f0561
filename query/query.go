package query

import (
	"strings"
	"time"

	"millrace/engine/event"
)

// Query is a resolved query: exact instants, the unit of its dimension of time, the order of its
// rows. An Executor makes it of a [Request]; nothing changes it afterwards, so that any number of
// goroutines may use it.
type Query struct {
	site string
	zone *time.Location
	// from and to are the range [from, to), whole minutes; whole: the site has nothing before it.
	from, to event.Time
	whole    bool
	// kept is from where on numbers are kept, a quarter of an hour's beginning; nothing before is read.
	kept event.Time
	shape
	timeDim    int // index in dims, -1 if there is none
	order      []Order
	filterText string
	timeLabels bool
	weekStart  int // as in Request
	limitBy    LimitBy
	// refused is why rollups can't answer the query, so that hits do; nil if they can.
	refused error
	offset  int
	limit   int
}

// Site returns the site that the query is about.
func (q *Query) Site() string { return q.site }

// Metrics returns the metrics of a row. The caller must not change the list.
func (q *Query) Metrics() []Metric { return q.metrics }

// Dimensions returns the dimensions of a row. The caller must not change the list.
func (q *Query) Dimensions() []*Dimension { return q.dims }

// Range returns the first and the last second of the range, as ISO 8601 in the site's time zone.
func (q *Query) Range() (first, last string) {
	return q.Instant(q.from), q.Instant(q.to - event.Second)
}

// Instant returns t as ISO 8601 in the site's time zone.
func (q *Query) Instant(t event.Time) string { return t.Std().In(q.zone).Format(time.RFC3339) }

// Order returns how rows are sorted: at least one entry. The caller must not change the list.
func (q *Query) Order() []Order { return q.order }

// NameOf returns the name of the metric or dimension that rows are sorted by.
func (q *Query) NameOf(o Order) string {
	if o.ByMetric {
		return string(q.metrics[o.Index])
	}
	return q.dims[o.Index].name
}

// Page returns how many rows are passed over, and how many at most are returned.
func (q *Query) Page() (offset, limit int) { return q.offset, q.limit }

// buckets returns a bucketer of the query's dimension of time. REQUIRES: there is one.
func (q *Query) buckets() *bucketer { return q.bucketsOf(q.dims[q.timeDim]) }

func (q *Query) bucketsOf(d *Dimension) *bucketer { return newBucketer(d.unit, q.zone, q.weekStart) }

// groupKey names a row by its dimensions but event:goal; of returns them.
func (q *Query) groupKey(of func(k int) string) string {
	var key []string
	for k, d := range q.dims {
		if !d.isGoal() {
			key = append(key, of(k))
		}
	}
	return strings.Join(key, "\x00")
}
