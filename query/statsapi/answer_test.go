package statsapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/engine/window"
)

// TestMetrics queries every metric of a shop whose numbers are known, see memory.shop.
func TestMetrics(t *testing.T) {
	m := &memory{}
	m.shop("a.example", "2024-09-17T10:05:00Z")
	m.views("a.example", "2024-09-17T11:05:00Z", "/about", "DE", "Firefox", 100, 3) // of whom no visits are known
	s := mustServer(t, testOptions{Reader: m})
	f := func(metrics, more, want string) {
		t.Helper()
		a := answerOf(t, s, fmt.Sprintf(`{"site_id":"a.example","metrics":[%s],"date_range":["2024-09-17","2024-09-17"]%s}`, metrics, more))
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
	f(`"total_revenue","percentage"`, `,"dimensions":["visit:source"]`, "[\"Google\"] [36 38.5]\n[\"t.co\"] [11 38.5]\n[\"(none)\"] [0 23.1]")
	f(`"average_revenue"`, `,"filters":[["is","event:name",["purchase"]]]`, `[] [11.75]`)
	// Of ten views and four purchases only the purchases have an amount.
	f(`"average_revenue"`, `,"dimensions":["visit:source"]`, "[\"Google\"] [12]\n[\"t.co\"] [11]\n[\"(none)\"] [<nil>]")
	f(`"average_revenue"`, `,"dimensions":["event:page"],"filters":[["is","event:page",["/about"]]]`, `["/about"] [<nil>]`)

	f(`"visitors"`, `,"dimensions":["event:props:plan"]`, "[\"(none)\"] [13]\n[\"free\"] [3]\n[\"pro\"] [1]")
	f(`"events"`, `,"filters":[["contains_not","event:props:plan",["FR"],{"case_sensitive":false}]]`, `[] [14]`)
	f(`"visitors"`, `,"dimensions":["event:props:nothing"]`, `["(none)"] [13]`)
	// No value is a value, also by its names of Plausible's.
	f(`"events","visitors"`, `,"filters":[["is","event:props:plan",["(none)"]]]`, `[] [13 13]`)
	f(`"events"`, `,"filters":[["is","visit:utm_source",["(not set)"]]]`, `[] [17]`)
	f(`"events"`, `,"filters":[["is","visit:source",["Direct / None"]]]`, `[] [3]`)
	f(`"events"`, `,"filters":[["is","visit:city",[""]]],"dimensions":["visit:city"]`, `["(none)"] [17]`)
	f(`"events"`, `,"filters":[["is_not","visit:source",["Google"]]]`, `[] [9]`)
	f(`"visitors"`, `,"dimensions":["visit:utm_medium"],"filters":[["is","event:goal",["Purchase"]]]`, `["(none)"] [4]`)
	f(`"pageviews"`, `,"dimensions":["event:page"],"filters":[["matches","event:page",["^/(a|b)","x$"]]]`, `["/about"] [3]`)
	f(`"pageviews"`, `,"dimensions":["event:page"],"filters":[["matches_not","event:page",["^/A"],{"case_sensitive":false}]]`, `["/shop"] [10]`)
	// Labels that are the value itself outlive the reader's memory, in rows and in filters.
	m.views("a.example", "2024-09-17T11:06:00Z", "/about", window.None, "Firefox", 300, 2)
	m.views("a.example", "2024-09-17T11:07:00Z", "/about", window.None, "Firefox", 302, 1)
	f(`"visitors"`, `,"dimensions":["visit:country_name"]`, "[\"(none)\"] [3]\n[\"Germany\"] [3]")
	f(`"visitors"`, `,"filters":[["is_not","visit:country_name",["Germany"]]]`, `[] [3]`)
}

// TestVisitRanges: relative ranges are widened to whole quarters, the end may lie in one that is
// not over.
func TestVisitRanges(t *testing.T) {
	m := &memory{}
	s := mustServer(t, testOptions{Reader: m}) // it is 12:34:56
	f := func(dateRange, from, to, last string) {
		t.Helper()
		m.sels = nil
		a := answerOf(t, s, `{"site_id":"a","metrics":["visits"],"date_range":`+dateRange+`}`)
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
