package query

import (
	"slices"
	"time"

	"millrace/engine/event"
)

// bucketer finds the buckets of ascending times.
type bucketer struct {
	unit      unit
	loc       *time.Location
	weekStart int // days after Monday
	// The present bucket, or as much of it as is known to have one label: [from, to).
	from, to event.Time
	label    string
}

func newBucketer(u unit, loc *time.Location, weekStart int) *bucketer {
	return &bucketer{unit: u, loc: loc, weekStart: weekStart}
}

// at returns the label of the bucket that holds t.
func (b *bucketer) at(t event.Time) string {
	if t < b.from || t >= b.to {
		b.find(t)
	}
	return b.label
}

func (b *bucketer) find(t event.Time) {
	local := t.Std().In(b.loc)
	y, m, d := local.Date()
	b.from = t
	switch b.unit {
	case minute:
		b.label = local.Format("2006-01-02 15:04:00")
		b.to = t.Floor(event.Minute) + event.Minute
	case hour:
		b.label = local.Format("2006-01-02 15:00:00")
		b.to = t + event.Hour - event.Time(local.Minute())*event.Minute - t%event.Minute
		// The hour may be cut short or repeated by a change of the clocks.
		if _, end := local.ZoneBounds(); !end.IsZero() {
			b.to = min(b.to, event.TimeOf(end))
		}
	case day:
		b.label = local.Format(time.DateOnly)
		b.to = event.TimeOf(dayStart(y, m, d+1, b.loc))
	case week:
		d -= (int(local.Weekday()) + 6 - b.weekStart + 7) % 7
		b.label = time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		b.to = event.TimeOf(dayStart(y, m, d+7, b.loc))
	case month:
		b.label = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		b.to = event.TimeOf(dayStart(y, m+1, 1, b.loc))
	case quarterYear:
		m -= (m - 1) % 3
		b.label = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		b.to = event.TimeOf(dayStart(y, m+3, 1, b.loc))
	case year:
		b.label = time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		b.to = event.TimeOf(dayStart(y+1, 1, 1, b.loc))
	}
	b.to = max(b.to, t+1) // labels relies on it
}

// labels returns the labels of all buckets of [from, to), each once, in their order; ok is unset if
// they are more than most.
func (b *bucketer) labels(from, to event.Time, most int) (list []string, ok bool) {
	seen := make(map[string]bool)
	list = []string{}
	for t := from; t < to; t = b.to {
		l := b.at(t)
		if seen[l] {
			continue
		}
		if len(list) == most {
			return nil, false
		}
		seen[l] = true
		list = append(list, l)
	}
	return list, true
}

// partial returns the labels of the first and the last bucket of [from, to), where they reach
// beyond it, and of the one that now lies in, in their order. Whole reports that nothing lies
// before from.
func (b *bucketer) partial(from, to, now event.Time, whole bool) (list []string) {
	add := func(l string) {
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	cutAt := func(t event.Time) {
		if l := b.at(t); b.at(t-1) == l {
			add(l)
		}
	}
	if from >= to {
		return nil
	}
	if !whole {
		cutAt(from)
	}
	if from <= now && now < to {
		add(b.at(now))
	}
	cutAt(to)
	return list
}

// unitFor chooses the unit of the dimension "time".
func unitFor(from, to event.Time) unit {
	switch d := to - from; {
	case d <= 48*event.Hour:
		return hour
	case d <= 40*24*event.Hour:
		return day
	case d <= 53*7*24*event.Hour:
		return week
	}
	return month
}
