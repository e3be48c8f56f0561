package query

import (
	"errors"
	"time"

	"millrace/engine/event"
)

// Comparison says which other range a query is compared with.
type Comparison struct {
	// Mode is "previous_period" (as many days, or as long, before), "year_over_year", or "custom", which is Range.
	Mode  string
	Range Range
	// SameWeekdays moves the range to days of the same day of the week: of the previous period by whole weeks, of the year by 52.
	SameWeekdays bool
}

// ComparisonModes returns the values of Comparison.Mode.
func ComparisonModes() []string { return []string{"previous_period", "year_over_year", "custom"} }

// Compared returns the range that a request is compared with. That of one that ends now ends at the same time of its day, so that
// a day that is under way is compared with as much of another. The error completes "Invalid include.comparisons: ".
func (x *Executor) Compared(r *Request, c Comparison) (Range, error) {
	if c.Mode == "custom" {
		return c.Range, nil
	}
	if r.Range.isAll() {
		return Range{}, errors.New(`there is nothing before the date_range "all"`)
	}
	zone := x.zone(r.Site)
	from, to := r.Range.bounds(x.opts.Now(), zone)
	move := c.mover(from, to, zone, r.Range.days || r.Range.isRelative() && r.Range.name != "24h")
	if r.Range.days {
		return DayRange(move(r.Range.first), move(r.Range.last))
	}
	first, last := event.TimeOf(move(from.Std().In(zone))), event.TimeOf(move(to.Std().In(zone)))
	if r.shape().ofVisits() {
		first, last = first.Floor(quarter), ceil(last, quarter) // see Executor.bounds
	}
	return InstantRange(first.Std(), (last - event.Second).Std())
}

// mover returns how times of the range [from, to) are moved: by the clock on the wall, but by as long as the range is where it
// does not begin with a day.
func (c Comparison) mover(from, to event.Time, zone *time.Location, whole bool) func(time.Time) time.Time {
	days := calendarDays(from.Std().In(zone), (to - 1).Std().In(zone))
	if c.SameWeekdays {
		days = (days + 6) / 7 * 7
	}
	switch {
	case c.Mode == "previous_period" && !whole && !c.SameWeekdays:
		return func(t time.Time) time.Time { return t.Add(-time.Duration(to-from) * time.Millisecond) }
	case c.Mode == "year_over_year" && c.SameWeekdays:
		days = 52 * 7
	case c.Mode == "year_over_year":
		return func(t time.Time) time.Time {
			moved := t.AddDate(-1, 0, 0)
			if moved.Day() != t.Day() { // the 29th of February
				moved = moved.AddDate(0, 0, -moved.Day())
			}
			return moved
		}
	}
	return func(t time.Time) time.Time { return t.AddDate(0, 0, -days) }
}

// calendarDays returns how many days there are from one to another, both included.
func calendarDays(first, last time.Time) int {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return 1 + int(day(last).Sub(day(first))/(24*time.Hour))
}
