package query

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// TestMetrics asks for every metric about a shop whose numbers are known, see memory.shop.
func TestMetrics(t *testing.T) {
	m := &memory{}
	m.shop("a.example", "2024-09-17T10:05:00Z")
	m.views("a.example", "2024-09-17T11:05:00Z", "/about", "DE", "Firefox", 100, 3) // of whom no visits are known
	s := mustServer(t, Options{Reader: m})
	f := func(metrics, more, want string) {
		t.Helper()
		a := mustAsk(t, s, fmt.Sprintf(`{"site_id":"a.example","metrics":[%s],"date_range":["2024-09-17","2024-09-17"]%s}`, metrics, more))
		var b strings.Builder
		for _, r := range a.Results {
			fmt.Fprintf(&b, "%q %v\n", r.Dimensions, r.Metrics)
		}
		if got := strings.TrimSpace(b.String()); got != want {
			t.Errorf("%s%s:\n%s\nwant\n%s", metrics, more, got, want)
		}
	}
	const visit = `"visits","bounce_rate","visit_duration","views_per_visit"`
	f(visit, ``, `[] [10 60 40 1]`)
	f(visit, `,"dimensions":["visit:source"]`, "[\"Google\"] [5 40 60 1]\n[\"t.co\"] [5 80 20 1]")
	f(visit, `,"dimensions":["visit:exit_page","time:day"]`, `["/shop" "2024-09-17"] [10 60 40 1]`)
	f(visit, `,"filters":[["is","visit:source",["Bing"]]]`, `[] [0 <nil> <nil> <nil>]`)
	f(`"bounce_rate","visits"`, `,"filters":[["is","event:page",["/shop"]]]`, `[] [60 10]`)
	// Numbers of events and of visits meet in one row; a page that no visit began with has no rate.
	f(`"visitors","visits","bounce_rate"`, `,"dimensions":["event:page"]`, "[\"/shop\"] [10 10 60]\n[\"/about\"] [3 0 <nil>]")
	f(`"visitors","bounce_rate"`, `,"dimensions":["event:page"],"order_by":[["bounce_rate","asc"]]`, "[\"/about\"] [3 <nil>]\n[\"/shop\"] [10 60]")
	f(`"visits","pageviews"`, `,"dimensions":["time:hour"]`, "[\"2024-09-17 10:00:00\"] [10 10]\n[\"2024-09-17 11:00:00\"] [0 3]")
	f(`"visits"`, `,"dimensions":["time"]`, `["2024-09-17 10:00:00"] [10]`)

	f(`"visitors","events","conversion_rate","total_revenue","average_revenue"`, `,"dimensions":["event:goal"]`, `["Purchase"] [4 4 30.8 47 11.75]`)
	f(`"conversion_rate","events"`, `,"filters":[["is","event:goal",["Purchase"]]]`, `[] [30.8 4]`)
	f(`"visitors","group_conversion_rate","conversion_rate"`, `,"dimensions":["visit:source"],"filters":[["is","event:goal",["Purchase"]]]`,
		"[\"Google\"] [3 60 23.1]\n[\"t.co\"] [1 20 7.7]")
	f(`"group_conversion_rate"`, `,"dimensions":["event:goal","visit:source"],"filters":[["not",["contains","visit:source",["goo"],{"case_sensitive":false}]]]`,
		`["Purchase" "t.co"] [20]`)
	f(`"conversion_rate"`, `,"dimensions":["event:goal"],"filters":[["is","visit:source",["Google"]]]`, `["Purchase"] [60]`)
	f(`"group_conversion_rate"`, `,"dimensions":["time:day","event:goal"]`, `["2024-09-17" "Purchase"] [30.8]`)
	f(`"conversion_rate"`, `,"dimensions":["event:goal"],"filters":[["matches","event:goal",["^P","x"]]]`, `["Purchase"] [30.8]`)
	f(`"total_revenue","percentage"`, `,"dimensions":["visit:source"]`, "[\"Google\"] [36 38.5]\n[\"t.co\"] [11 38.5]")
	f(`"average_revenue"`, `,"filters":[["is","event:name",["purchase"]]]`, `[] [11.75]`)

	f(`"visitors"`, `,"dimensions":["event:props:plan"]`, "[\"free\"] [3]\n[\"pro\"] [1]")
	f(`"events"`, `,"filters":[["contains_not","event:props:plan",["FR"],{"case_sensitive":false}]]`, `[] [1]`)
	f(`"visitors"`, `,"dimensions":["event:props:nothing"]`, ``)
	f(`"pageviews"`, `,"dimensions":["event:page"],"filters":[["matches","event:page",["^/(a|b)","x$"]]]`, `["/about"] [3]`)
	f(`"pageviews"`, `,"dimensions":["event:page"],"filters":[["matches_not","event:page",["^/A"],{"case_sensitive":false}]]`, `["/shop"] [10]`)
	// Labels that are the value itself outlive the reader's memory, in rows and in filters.
	m.views("a.example", "2024-09-17T11:06:00Z", "/about", window.None, "Firefox", 300, 2)
	m.views("a.example", "2024-09-17T11:07:00Z", "/about", window.None, "Firefox", 302, 1)
	f(`"visitors"`, `,"dimensions":["visit:country_name"]`, "[\"(none)\"] [3]\n[\"Germany\"] [3]")
	f(`"visitors"`, `,"filters":[["is_not","visit:country_name",["Germany"]]]`, `[] [3]`)
}

// TestVisitRanges: relative ranges are widened to whole quarters, the end may lie in one that is not over.
func TestVisitRanges(t *testing.T) {
	m := &memory{}
	s := mustServer(t, Options{Reader: m}) // it is 12:34:56
	f := func(dateRange, from, to, last string) {
		t.Helper()
		m.sels = nil
		a := mustAsk(t, s, `{"site_id":"a","metrics":["visits"],"date_range":`+dateRange+`}`)
		if got, want := a.Query.DateRange, [2]string{from, to}; got != want {
			t.Errorf("%s: %v, want %v", dateRange, got, want)
		}
		if got := m.sels[len(m.sels)-1].To.Std().Format(time.RFC3339); got != last || m.sels[len(m.sels)-1].Kind != window.Visits {
			t.Errorf("%s: read up to %s, want %s", dateRange, got, last)
		}
	}
	f(`"24h"`, "2024-09-17T12:30:00Z", "2024-09-18T12:34:59Z", "2024-09-18T12:45:00Z")
	f(`"day"`, "2024-09-18T00:00:00Z", "2024-09-18T12:34:59Z", "2024-09-18T12:45:00Z")
	f(`["2024-09-18T10:15:00Z","2024-09-18T12:34:58Z"]`, "2024-09-18T10:15:00Z", "2024-09-18T12:34:59Z", "2024-09-18T12:45:00Z")
	f(`["2024-09-18T10:15:00Z","2024-09-18T10:29:59Z"]`, "2024-09-18T10:15:00Z", "2024-09-18T10:29:59Z", "2024-09-18T10:30:00Z")
}

// TestTiers lists what is read: H for hours, m for minutes.
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
			b = newBucketer(u, loc)
		}
		var got []string
		for _, s := range tiers(at(from), at(to), at(hours), b) {
			k := "m"
			if s.kind == window.Hour {
				k = "H"
			}
			got = append(got, k+s.from.Std().Format("02 15:04")+"-"+s.to.Std().Format("02 15:04"))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s %s to %s by %s in %s:\n%s\nwant\n%s", hours, from, to, u.timeName(), zone, got, want)
		}
	}
	f("UTC", noTime, "01 00:00", "02 00:00", "03 00:00", "H01 00:00-02 00:00")
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

// TestRatio: halves are rounded up, which floating point gets wrong if it divides first (51/80 is 0.6375).
func TestRatio(t *testing.T) {
	f := func(part, of int64, scale, precision float64, want any) {
		t.Helper()
		if got := ratio(part, of, scale, precision); got != want {
			t.Errorf("%d of %d: %v, want %v", part, of, got, want)
		}
	}
	f(51, 80, 100, 10, 63.8)
	f(1, 3, 100, 10, 33.3)
	f(7, 7, 100, 10, 100.)
	f(0, 7, 100, 10, 0.)
	f(129, 8, 1, 100, 16.13)
	f(100_000, 3, 1./event.MoneyScale, event.MoneyScale, 3.3333)
	f(-25_000, 2, 1./event.MoneyScale, event.MoneyScale, -1.25)
	f(5, 0, 100, 10, nil)
}
