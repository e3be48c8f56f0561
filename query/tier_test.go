package query

import (
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// TestTiers lists what is read: H for hours, D for hours of which whole days will do as well, m for minutes.
func TestTiers(t *testing.T) {
	f := func(zone string, u unit, from, to, hours, want string) {
		t.Helper()
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		at := func(s string) event.Time {
			v, err := time.Parse("02 15:04", s)
			if err != nil {
				t.Fatal(err)
			}
			return event.TimeOf(v.AddDate(2024, 9, 0)) // October 2024
		}
		var b *bucketer
		if u != noTime {
			b = newBucketer(u, loc, 0)
		}
		var got []string
		for _, s := range tiers(at(from), at(to), at(hours), b) {
			k := "m"
			if s.kind == window.Hour {
				k = "H"
			}
			if s.days {
				k = "D"
			}
			got = append(got, k+s.from.Std().Format("02 15:04")+"-"+s.to.Std().Format("02 15:04"))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s %s to %s by %s in %s:\n%s\nwant\n%s", hours, from, to, u.timeName(), zone, got, want)
		}
	}
	f("UTC", noTime, "01 00:00", "02 00:00", "03 00:00", "D01 00:00-02 00:00")
	f("UTC", noTime, "01 00:20", "03 10:40", "05 00:00", "m01 00:20-01 01:00, D01 01:00-03 10:00, m03 10:00-03 10:40")
	f("UTC", day, "01 00:00", "04 00:00", "05 00:00", "D01 00:00-04 00:00")
	f("UTC", day, "01 00:00", "04 00:00", "03 07:00", "D01 00:00-03 00:00, H03 00:00-03 07:00, m03 07:00-04 00:00")
	f("UTC", month, "25 00:00", "31 00:00", "31 00:00", "D25 00:00-31 00:00")
	f("Europe/Berlin", week, "06 22:00", "20 22:00", "30 00:00", "D06 22:00-13 22:00, D13 22:00-20 22:00")
	f("UTC", noTime, "01 00:20", "02 10:40", "03 00:00", "m01 00:20-01 01:00, H01 01:00-02 10:00, m02 10:00-02 10:40")
	f("UTC", noTime, "01 00:20", "02 10:40", "01 12:00", "m01 00:20-01 01:00, H01 01:00-01 12:00, m01 12:00-02 10:40")
	f("UTC", noTime, "01 00:20", "01 00:40", "03 00:00", "m01 00:20-01 00:40")
	f("UTC", noTime, "01 00:20", "01 01:40", "03 00:00", "m01 00:20-01 01:40")
	f("UTC", hour, "01 00:00", "02 00:00", "01 20:00", "H01 00:00-01 20:00, m01 20:00-02 00:00")
	f("UTC", minute, "01 00:00", "02 00:00", "03 00:00", "m01 00:00-02 00:00")
	f("Asia/Kolkata", hour, "01 00:00", "01 06:00", "03 00:00", "m01 00:00-01 06:00")
	f("Asia/Kolkata", day, "01 18:30", "03 18:30", "09 00:00",
		"m01 18:30-01 19:00, H01 19:00-02 18:00, m02 18:00-02 19:00, H02 19:00-03 18:00, m03 18:00-03 18:30")
	f("Europe/Berlin", day, "26 22:00", "28 23:00", "30 00:00", "H26 22:00-28 23:00")
	f("Europe/Berlin", hour, "27 00:00", "27 03:00", "30 00:00", "H27 00:00-27 03:00")
	f("Australia/Lord_Howe", day, "04 13:30", "06 13:00", "30 00:00", // +10:30, from the 6th (5th 15:30 UTC) on +11:00
		"m04 13:30-04 14:00, H04 14:00-05 13:00, m05 13:00-05 14:00, H05 14:00-06 13:00")
}
