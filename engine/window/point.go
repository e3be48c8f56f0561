package window

import "millrace/engine/event"

// Window is one fired window: all rollups of a site's minute, hour or quarter of an hour, whole.
type Window struct {
	Kind  Kind
	Site  string
	Shard uint16
	Start event.Time
	// Version is the offset of the log at which the window fired: of two Windows of the same site,
	// shard and Start the one with the larger Version is the newer.
	Version int64
	// Final is unset in an early firing: the minute is not over.
	Final bool
	// Points are sorted by family, then by value, Other last.
	Points []Point
}

// Point is one rollup of a window.
type Point struct {
	Family Family
	// Dims holds the values of Family.Dims(); what is past them is "".
	Dims [2]string
	Rollup
}

// Rollup is what is counted for a value.
type Rollup struct {
	Events    int64
	Pageviews int64
	// Visitors is the sketch's estimate, for readers that can't read sketches. It must never be
	// added up.
	Visitors uint64
	// Sketch is the encoded sketch of the visitors, see package sketch; empty for none.
	Sketch []byte
	// Revenue is the sum of the events' amounts, whatever their currency: a site has one.
	Revenue event.Money
	// Paid is the number of events with an amount that counts, which may be 0.
	Paid int64

	// Of windows of Kind Visits only, and then nothing of the above is set.

	// Visits is the number of visits that began in the window.
	Visits int64
	// Bounces is how many of them have one pageview and no interactive event.
	Bounces int64
	// Seconds is the sum of their durations, last event minus first; that of a bounce is 0.
	Seconds int64
	// Views is the sum of their pageviews.
	Views int64
}

// PaidEvents is Paid or, of a build that did not count them, Events: any of them may have had an amount.
func (r *Rollup) PaidEvents() int64 {
	if r.Revenue != 0 && r.Paid == 0 {
		return r.Events
	}
	return r.Paid
}

// Selection is a query of a store of rollups: the points of one family of one site in [From,
// To).
type Selection struct {
	Kind   Kind
	Site   string
	Family Family
	From   event.Time
	To     event.Time
	// Values restricts the family's dimensions, by position, to the values listed; nil is any.
	// Stores may return more than that: the caller filters again.
	Values [2][]string
	// Days lets the store give, of a whole day (of UTC) that lies in the selection, one point for each value in place of those of
	// the day's windows: with the day's beginning as its start, the counters added up and the sketches united. It need not.
	Days bool
}
