package query

import (
	"cmp"
	"slices"

	"millrace/engine/event"
	"millrace/engine/window"
)

// segment is a part [from, to) of the range and the kind of windows that is read there.
type segment struct {
	kind     window.Kind
	from, to event.Time
	// days: it lies in one bucket, or buckets end where days (of UTC) do, so that points of whole days will do as well.
	days bool
}

// utcDay is what a store may have points of, see window.Selection.Days.
const utcDay = 24 * event.Hour

// segments returns what is read for a plan, ascending. Hours is the time before which all hours
// have fired; b is nil without a time dimension, else it has the ends of buckets, and is used up. Visits that are older than
// visitLength before hours do not go on.
func (p *plan) segments(q *Query, hours, visitLength event.Time, b *bucketer) segments {
	from := max(q.from, q.kept)
	if from >= q.to {
		return nil
	}
	if p.kind == window.Visits {
		return quarters(from, ceil(q.to, window.Visits.Length()), hours-visitLength, b)
	}
	return tiers(from, q.to, hours, b)
}

// segments are in ascending order.
type segments []segment

// add adds [from, to), which lies in one bucket.
func (list *segments) add(k window.Kind, from, to event.Time) {
	if from >= to {
		return
	}
	days := k != window.Minute && ceil(from, utcDay) < to.Floor(utcDay)
	if n := len(*list); n > 0 {
		last := &(*list)[n-1]
		if last.kind == k && last.to == from && last.days == days && (!days || from%utcDay == 0) {
			last.to = to
			return
		}
	}
	*list = append(*list, segment{k, from, to, days})
}

// quarters covers [from, to) by windows of visits, of which those from settled on still change.
func quarters(from, to, settled event.Time, b *bucketer) (list segments) {
	for from < min(to, settled) {
		end := min(to, settled)
		if b != nil {
			if b.unit < day {
				break // no day lies in a bucket
			}
			b.at(from)
			end = min(end, b.to)
		}
		list.add(window.Visits, from, end)
		from = end
	}
	if from < to {
		list = append(list, segment{kind: window.Visits, from: from, to: to})
	}
	return list
}

// tiers covers [from, to) by hours where a whole one lies in the range and in one bucket and has
// fired, and by minutes elsewhere: at the edges, in the hours under way, and around the ends of
// buckets that are not on the hour (of UTC).
func tiers(from, to, hours event.Time, b *bucketer) (list segments) {
	if b != nil && b.unit == minute {
		hours = 0
	}
	for from < to {
		end := to
		if from >= hours {
			b = nil // no hour follows, so buckets don't matter
		}
		if b != nil {
			b.at(from)
			end = min(b.to, to)
		}
		first, last := ceil(from, event.Hour), min(end, hours).Floor(event.Hour)
		if first < last {
			list.add(window.Minute, from, first)
			list.add(window.Hour, first, last)
			from = last
		}
		list.add(window.Minute, from, end)
		from = end
	}
	return list
}

func ceil(t, unit event.Time) event.Time { return (t + unit - 1).Floor(unit) }

// progress is what the partitions have reported. It is read before the numbers are: what it speaks
// of is stored by then.
type progress struct {
	known bool       // of every partition
	low   event.Time // all windows that end at or before have fired
	hours event.Time // all hours that start before have fired
}

// newProgress takes the least of all partitions, if all of them have reported.
func newProgress(ps []window.Progress, partitions int) progress {
	if len(ps) == 0 || len(ps) < partitions {
		return progress{}
	}
	return progress{
		known: true,
		low:   slices.MinFunc(ps, func(x, y window.Progress) int { return cmp.Compare(x.Low, y.Low) }).Low,
		hours: slices.MinFunc(ps, func(x, y window.Progress) int { return cmp.Compare(x.Hours, y.Hours) }).Hours,
	}
}
