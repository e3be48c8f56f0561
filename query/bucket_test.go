package query

import (
	"slices"
	"testing"
	"time"

	"millrace/engine/event"
)

// TestPartial: the bucket under way is a partial one to its last instant, and the range's first and
// last one where there is more of them beyond it.
func TestPartial(t *testing.T) {
	instant := func(s string) event.Time {
		t.Helper()
		std, err := time.Parse("2006-01-02 15:04:05.999", s)
		if err != nil {
			t.Fatal(err)
		}
		return event.TimeOf(std)
	}
	f := func(u unit, zone, from, to, now string, want ...string) {
		t.Helper()
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := newBucketer(u, loc, 0).partial(instant(from), instant(to), instant(now), false); !slices.Equal(got, want) {
			t.Errorf("%s to %s in %s, at %s: got %q, want %q", from, to, zone, now, got, want)
		}
	}
	const later = "2030-01-01 00:00:00"
	f(hour, "UTC", "2026-01-01 00:00:00", "2026-01-01 13:00:00", "2026-01-01 12:59:30", "2026-01-01 12:00:00")
	f(hour, "UTC", "2026-01-01 00:00:00", "2026-01-01 13:00:00", "2026-01-01 12:59:59.999", "2026-01-01 12:00:00")
	f(hour, "UTC", "2026-01-01 00:00:00", "2026-01-01 13:00:00", "2026-01-01 13:00:00")
	f(hour, "UTC", "2026-01-01 00:00:00", "2026-01-01 13:01:00", "2026-01-01 13:00:00", "2026-01-01 13:00:00")
	f(day, "UTC", "2026-01-01 00:00:00", "2026-01-03 00:00:00", "2026-01-02 23:59:01", "2026-01-02")
	f(day, "Asia/Kathmandu", "2026-01-01 18:15:00", "2026-01-02 18:15:00", "2026-01-02 18:14:59", "2026-01-02")
	f(minute, "UTC", "2026-01-01 00:00:00", "2026-01-01 00:02:00", "2026-01-01 00:01:30", "2026-01-01 00:01:00")
	f(week, "UTC", "2026-01-05 00:00:00", "2026-01-12 00:00:00", "2026-01-05 00:00:00", "2026-01-05")
	// The hour that comes twice is one bucket, and cut between the two; the half one of Lord Howe too.
	f(hour, "Europe/Berlin", "2026-10-25 01:00:00", "2026-10-25 03:00:00", later, "2026-10-25 02:00:00")
	f(hour, "Europe/Berlin", "2026-10-25 00:00:00", "2026-10-25 02:00:00", later)
	f(hour, "Australia/Lord_Howe", "2026-04-04 15:00:00", "2026-04-04 16:00:00", later, "2026-04-05 01:00:00", "2026-04-05 02:00:00")
	f(day, "America/Santiago", "2026-09-06 04:00:00", "2026-09-07 03:00:00", later) // a day without midnight
}

func TestBuckets(t *testing.T) {
	f := func(u unit, weekStart int, at, label, end string) {
		t.Helper()
		when, err := time.Parse(time.DateTime, at)
		if err != nil {
			t.Fatal(err)
		}
		b := newBucketer(u, time.UTC, weekStart)
		if got, to := b.at(event.TimeOf(when)), b.to.Std().Format(time.DateOnly); got != label || to != end {
			t.Errorf("%s: %s to %s, want %s to %s", at, got, to, label, end)
		}
	}
	f(week, 0, "2026-11-29 23:59:59", "2026-11-23", "2026-11-30") // a Sunday
	f(week, 0, "2026-11-30 00:00:00", "2026-11-30", "2026-12-07")
	f(week, 6, "2026-11-29 00:00:00", "2026-11-29", "2026-12-06")
	f(week, 6, "2026-11-28 23:59:59", "2026-11-22", "2026-11-29")
	f(week, 5, "2026-11-30 12:00:00", "2026-11-28", "2026-12-05")
	f(quarterYear, 0, "2026-11-30 12:00:00", "2026-10-01", "2027-01-01")
	f(quarterYear, 0, "2026-03-31 23:59:59", "2026-01-01", "2026-04-01")
	f(quarterYear, 0, "2026-07-01 00:00:00", "2026-07-01", "2026-10-01")
	f(year, 0, "2024-12-31 23:59:59", "2024-01-01", "2025-01-01")
}
