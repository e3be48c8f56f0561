package query

import (
	"errors"
	"slices"
	"time"

	"millrace/engine/event"
)

// relativeRanges are the names a Range may have, in the order of the reference.
var relativeRanges = []string{"day", "24h", "7d", "28d", "30d", "91d", "month", "6mo", "12mo", "year", "all"}

// RelativeRanges returns the names that RelativeRange takes.
func RelativeRanges() []string { return slices.Clone(relativeRanges) }

// Range is the time that a query is about, as it was written: a name such as "7d", or a pair of
// days or instants. Only with a clock and a time zone it becomes a pair of exact instants.
type Range struct {
	name        string
	days        bool
	first, last time.Time // of a pair; the calendar day counts if days is set
}

// RelativeRange returns the range of a name, which ends now.
func RelativeRange(name string) (r Range, ok bool) {
	return Range{name: name}, slices.Contains(relativeRanges, name)
}

// DayRange returns the range of whole calendar days of the site's time zone, the last one included.
// Errors are those of InstantRange.
func DayRange(first, last time.Time) (Range, error) {
	return pair(Range{days: true, first: first, last: last})
}

// InstantRange returns the range between two instants, the last one included. It is widened to
// whole minutes, which is what rollups know. Its error completes "Invalid date_range RANGE: ".
func InstantRange(first, last time.Time) (Range, error) {
	return pair(Range{first: first, last: last})
}

func pair(r Range) (Range, error) {
	if r.last.Before(r.first) {
		return r, errors.New("it ends before it begins")
	}
	if r.first.Year() < 1970 || r.last.Year() > 2200 {
		return r, errors.New("years have to be from 1970 to 2200")
	}
	return r, nil
}

// isAll reports whether the range begins with the first window of the site.
func (r Range) isAll() bool { return r.name == "all" }

// isRelative reports whether the range ends now.
func (r Range) isRelative() bool { return r.name != "" }

// bounds returns the range as [from, to), whole minutes. That of "all" begins today, until the
// first window is known.
func (r Range) bounds(now time.Time, loc *time.Location) (from, to event.Time) {
	dayOf := func(t time.Time, more int) event.Time {
		return event.TimeOf(dayStart(t.Year(), t.Month(), t.Day()+more, loc))
	}
	switch {
	case r.isRelative():
		return r.relative(now.In(loc), loc)
	case r.days:
		return dayOf(r.first, 0), dayOf(r.last, 1)
	}
	// The last second is in the range.
	last := event.TimeOf(r.last).Floor(event.Second) + event.Second
	return event.TimeOf(r.first).Floor(event.Minute), ceil(last, event.Minute)
}

// relative returns the bounds of a range that ends with the minute that is under way.
func (r Range) relative(now time.Time, loc *time.Location) (from, to event.Time) {
	to = event.TimeOf(now).Floor(event.Minute) + event.Minute
	y, m, d := now.Date()
	switch r.name {
	case "24h":
		return to - 24*event.Hour, to
	case "7d":
		d -= 6
	case "28d":
		d -= 27
	case "30d":
		d -= 29
	case "91d":
		d -= 90
	case "month":
		d = 1
	case "6mo":
		m, d = m-5, 1
	case "12mo":
		m, d = m-11, 1
	case "year":
		m, d = 1, 1
	}
	return event.TimeOf(dayStart(y, m, d, loc)), to
}

// dayStart returns the first instant of a calendar day, whose day and month may be out of range as
// with time.Date. Where the clocks are put forward at midnight that is not 00:00; where they are
// put back over midnight it is the first of two.
func dayStart(y int, m time.Month, d int, loc *time.Location) time.Time {
	wall := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	// No offset differs from the one in force by more than a day, so these two are those on either
	// side of a change near midnight.
	_, before := wall.Add(-24 * time.Hour).In(loc).Zone()
	_, after := wall.Add(24 * time.Hour).In(loc).Zone()
	for _, offset := range []int{max(before, after), min(before, after)} {
		t := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		if t.Hour() == 0 && t.Minute() == 0 && t.Day() == wall.Day() {
			return t
		}
	}
	// Midnight is in the gap: the day begins at the change.
	_, end := wall.Add(-time.Duration(before)*time.Second - time.Second).In(loc).ZoneBounds()
	return end
}
