package query

import (
	"slices"
	"time"

	"millrace/engine/event"
)

// relativeRanges are the names date_range may be, in the order of the reference.
var relativeRanges = []string{"day", "24h", "7d", "28d", "30d", "91d", "month", "6mo", "12mo", "year", "all"}

func (q *Query) parseRange(obj map[string]any, now time.Time) error {
	v, ok := obj["date_range"]
	if !ok {
		return bad("Missing date_range.")
	}
	switch v := v.(type) {
	case string:
		if !slices.Contains(relativeRanges, v) {
			return bad("Invalid date_range %s: it has to be one of %s, or a pair of dates or instants.", show(v), show(relativeRanges))
		}
		q.relativeRange(v, now.In(q.Location))
		return nil
	case []any:
		if len(v) == 2 {
			from, okFrom := v[0].(string)
			to, okTo := v[1].(string)
			if okFrom && okTo {
				return q.pairRange(v, from, to)
			}
		}
	}
	return bad("Invalid date_range %s: it has to be one of %s, or a pair of dates or instants.", show(v), show(relativeRanges))
}

// relativeRange ends now: with the minute that is under way.
func (q *Query) relativeRange(name string, now time.Time) {
	q.relative = true
	q.To = event.TimeOf(now).Floor(event.Minute) + event.Minute
	y, m, d := now.Date()
	from := func(y int, m time.Month, d int) { q.From = event.TimeOf(dayStart(y, m, d, q.Location)) }
	switch name {
	case "24h":
		q.From = q.To - 24*event.Hour
	case "day":
		from(y, m, d)
	case "7d":
		from(y, m, d-6)
	case "28d":
		from(y, m, d-27)
	case "30d":
		from(y, m, d-29)
	case "91d":
		from(y, m, d-90)
	case "month":
		from(y, m, 1)
	case "6mo":
		from(y, m-5, 1)
	case "12mo":
		from(y, m-11, 1)
	case "year":
		from(y, 1, 1)
	case "all":
		from(y, m, d) // until the first window is known
		q.All = true
	}
}

func (q *Query) pairRange(v any, from, to string) error {
	a, errA := time.Parse(time.DateOnly, from)
	b, errB := time.Parse(time.DateOnly, to)
	if errA == nil && errB == nil {
		q.From = event.TimeOf(dayStart(a.Year(), a.Month(), a.Day(), q.Location))
		q.To = event.TimeOf(dayStart(b.Year(), b.Month(), b.Day()+1, q.Location))
	} else {
		var err error
		for i, s := range []string{from, to} {
			t, perr := time.Parse(time.RFC3339, s)
			if perr != nil && err == nil {
				err = bad("Invalid date_range %s: %q is neither a date (2024-01-31) nor an instant (2024-01-31T12:00:00+02:00) of the same form as the other.", show(v), s)
			}
			if i == 0 {
				a = t
			} else {
				b = t
			}
		}
		if err != nil {
			return err
		}
		q.From = event.TimeOf(a).Floor(event.Minute)
		// The last second is in the range. Rollups know whole minutes.
		q.To = (event.TimeOf(b).Floor(event.Second) + event.Second + event.Minute - 1).Floor(event.Minute)
	}
	if b.Before(a) {
		return bad("Invalid date_range %s: it ends before it begins.", show(v))
	}
	if a.Year() < 1970 || b.Year() > 2200 {
		return bad("Invalid date_range %s: years have to be from 1970 to 2200.", show(v))
	}
	return nil
}

// dayStart returns the first instant of a calendar day, whose day and month may be out of range as with
// time.Date. Where the clocks are put forward at midnight that is not 00:00; where they are put back over
// midnight it is the first of two.
func dayStart(y int, m time.Month, d int, loc *time.Location) time.Time {
	wall := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	// No offset differs from the one in force by more than a day, so these two are those on either side of
	// a change near midnight.
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
