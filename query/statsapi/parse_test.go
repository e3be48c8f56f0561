package statsapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestErrors: every refusal names the key and the value.
func TestErrors(t *testing.T) {
	s := mustServer(t, testOptions{Reader: &memory{}})
	f := func(body string, want ...string) {
		t.Helper()
		_, err := s.Answer(t.Context(), []byte(body))
		var e *Error
		if !errors.As(err, &e) || e.Status != 400 {
			t.Errorf("%s: %v, want a 400", body, err)
			return
		}
		for _, w := range want {
			if !strings.Contains(e.Message, w) {
				t.Errorf("%s: %q does not name %q", body, e.Message, w)
			}
		}
	}
	with := func(more string) string {
		return `{"site_id":"a.example","metrics":["visitors"],"date_range":"7d",` + more + `}`
	}
	f(``, "empty")
	f(`{`, "not JSON")
	f(`[]`, "not a JSON object")
	f(`{} {}`, "not JSON", "after the end")
	f(with(`"filters":[["is","event:page",["/a"]]],"filters":[]`), "not JSON", `"filters" is given twice`)
	f(with(`"include":{"imports":true,"imports":false}`), "not JSON", `"imports" is given twice`)
	f(with(`"filters":[["is","event:page",["/a"],{"case_sensitive":false,"case_sensitiv\u0065":true}]]`), "not JSON", `"case_sensitive" is given twice`)
	f(with(`"filters":[["is","event:page",["/\ud800"]]]`), "not JSON", "surrogate")
	f(with(`"filters":[["is","event:page",["/\x41"]]]`), "not JSON", "escape")
	f(with(`"filters":[["is","event:page",["/`+"\xff"+`"]]]`), "not JSON", "UTF-8")
	f(with(`"pagination":{"limit":01}`), "not JSON")
	f(with(`"pagination":{"limit":1.}`), "not JSON")
	f(with(`"pagination":{"limit":NaN}`), "not JSON")
	f(`{}`, "site_id")
	f(with(`"site":"x"`), `"site"`, `"x"`)
	f(`{"site_id":5,"metrics":["visitors"],"date_range":"7d"}`, "site_id 5")
	f(`{"site_id":"A b","metrics":["visitors"],"date_range":"7d"}`, "site_id", "A b")
	f(`{"site_id":"a"}`, "Missing metrics")
	f(`{"site_id":"a","metrics":[]}`, "metrics []")
	f(`{"site_id":"a","metrics":"visitors"}`, `metrics "visitors"`)
	f(`{"site_id":"a","metrics":[1]}`, "metrics 1")
	f(`{"site_id":"a","metrics":["users"]}`, `metrics "users"`, "unknown", "visitors, visits, pageviews, events, views_per_visit")
	f(`{"site_id":"a","metrics":["scroll_depth"],"date_range":"day"}`, `"scroll_depth"`, "event:page")
	f(`{"site_id":"a","metrics":["visitors","visitors"]}`, "twice")
	f(`{"site_id":"a","metrics":["percentage"],"date_range":"7d"}`, `"percentage"`, "dimensions")
	f(`{"site_id":"a","metrics":["visitors"]}`, "Missing date_range")
	for _, r := range []string{`"8d"`, `7`, `null`, `[]`, `["2024-01-01"]`, `["2024-01-01",5]`, `["2024-01-01","x"]`, `["2024-01-02","2024-01-01"]`, `["2024-13-01","2024-13-02"]`,
		`["2024-01-01","2024-01-01T00:00:00Z"]`, `["2024-01-01T10:00:00Z","2024-01-01T09:00:00Z"]`, `["2024-01-01T10:00:00","2024-01-01T11:00:00"]`, `["0001-01-01","2024-01-01"]`} {
		f(`{"site_id":"a","metrics":["visitors"],"date_range":`+r+`}`, "date_range")
	}
	f(with(`"dimensions":"event:page"`), "dimensions", "event:page")
	f(with(`"dimensions":["page"]`), `dimensions "page"`, "unknown", "event:page, ", "visit:device", "event:props:<key>")
	f(with(`"dimensions":[null]`), "dimensions null")
	f(with(`"dimensions":["event:props:"]`), `"event:props:"`, "unknown")
	f(with(`"dimensions":["event:props:plan"],"filters":[["is","event:props:author",["x"]]]`), "event:props:plan", "event:props:author", "two")
	f(with(`"dimensions":["event:props:plan","visit:os"]`), "event:props:plan, visit:os", "No rollup")
	f(with(`"dimensions":["event:page","event:page"]`), "twice")
	f(with(`"dimensions":["event:props:a","event:props:a"]`), "twice")
	f(with(`"dimensions":["visit:exit_page"]`), `"visitors"`, "visit:exit_page", "visits, views_per_visit, bounce_rate")
	f(with(`"filters":[["is","visit:exit_page",["/"]]]`), "visit:exit_page")
	visit := func(metric, more string) string {
		return `{"site_id":"a.example","metrics":["` + metric + `"],"date_range":"7d",` + more + `}`
	}
	f(visit("bounce_rate", `"dimensions":["event:name"]`), `"bounce_rate"`, "event:name", "event:page")
	f(visit("visit_duration", `"filters":[["is","event:hostname",["x"]]]`), `"visit_duration"`, "event:hostname")
	f(visit("views_per_visit", `"filters":[["is","event:goal",["x"]]]`), `"views_per_visit"`, "event:goal")
	f(visit("visits", `"dimensions":["event:goal"]`), `"visits"`, "can't be counted by event:goal", "event:hostname")
	f(visit("visits", `"filters":[["is","event:name",["x"]]]`), `"visits"`, "can't be counted by event:name")
	f(visit("visits", `"dimensions":["event:page","visit:source"]`), "visits by event:page, visit:source", "No rollup")
	f(visit("visits", `"dimensions":["time:minute"]`), "time:minute", `"visits"`, "quarter")
	f(`{"site_id":"a","metrics":["visits"],"date_range":["2024-01-01T12:05:00Z","2024-01-01T12:59:59Z"]}`, "date_range", "2024-01-01T12:05:00Z", "quarter")
	f(`{"site_id":"a","metrics":["visits"],"date_range":["2024-01-01T12:00:00Z","2024-01-01T12:58:59Z"]}`, "date_range", "2024-01-01T12:58:59Z", "quarter")
	f(visit("conversion_rate", `"dimensions":["event:page"]`), `"conversion_rate"`, "event:goal")
	f(visit("group_conversion_rate", `"filters":[["is","event:goal",["x"]]]`), `"group_conversion_rate"`, "dimensions")
	f(visit("conversion_rate", `"filters":[["or",[["is","event:goal",["x"]],["is","visit:os",["iOS"]]]]]`), `"conversion_rate"`, "can't be mixed")
	for _, filter := range []string{`["is","event:goal",["x","y"]]`, `["is","event:goal",["x"],{"case_sensitive":false}]`, `["is_not","event:goal",["x"]]`, `["contains","event:goal",["x"]]`,
		`["or",[["is","event:goal",["x"]],["is","event:goal",["y"]]]]`} {
		f(visit("events", `"filters":[`+filter+`]`), `"events"`, "several goals")
	}
	f(with(`"dimensions":["time:day","time:hour"]`), "only one")
	f(with(`"dimensions":["event:page","visit:os"]`), "event:page, visit:os", "No rollup")
	f(with(`"dimensions":["event:page"],"filters":[["is","visit:country",["DE"]]]`), "event:page, visit:country", "No rollup")
	f(with(`"filters":{}`), "filters {}")
	f(with(`"filters":["is"]`), `filters "is"`)
	f(with(`"filters":[[]]`), "filters []")
	f(with(`"filters":[["is"]]`), `["is"]`)
	f(with(`"filters":[["equals","event:page",["/"]]]`), `"equals"`, "unknown operator")
	f(with(`"filters":[["matches","event:page",["("]]]`), `"matches"`, "RE2", "missing closing )")
	f(with(`"filters":[["matches_not","event:page",["`+strings.Repeat("a", 1001)+`"]]]`), "1000 bytes")
	f(with(`"filters":[["matches","event:page",["a"`+strings.Repeat(`,"a"`, 20)+`]]]`), "20 patterns")
	f(with(`"filters":[["has_done",["is","event:name",["x"]]]]`), `"has_done"`, "can't be answered")
	f(with(`"filters":[["is","page",["/"]]]`), `filters "page"`)
	f(with(`"filters":[["is","time:day",["2024-01-01"]]]`), "time:day", "date_range")
	f(with(`"filters":[["is","event:page","/"]]`), `clauses "/"`)
	f(with(`"filters":[["is","event:page",[]]]`), "clauses []")
	f(with(`"filters":[["is","event:page",[true]]]`), "clause true")
	f(with(`"filters":[["is","event:page",["/"],5]]`), "modifiers 5")
	f(with(`"filters":[["is","event:page",["/"],{"case":1}]]`), `"case"`)
	f(with(`"filters":[["is","event:page",["/"],{"case_sensitive":1}]]`), "case_sensitive 1")
	f(with(`"filters":[["and",[]]]`), `"and"`)
	f(with(`"filters":[["not"]]`), `"not"`)
	f(with(`"filters":[["not",["is","nothing",["x"]]]]`), `"nothing"`)
	f(with(`"filters":[`+strings.Repeat(`["not",`, 20)+`["is","event:page",["/"]]`+strings.Repeat("]", 20)+`]`), "nested")
	f(with(`"order_by":"visitors"`), `order_by "visitors"`)
	f(with(`"order_by":["visitors"]`), `order_by "visitors"`)
	f(with(`"order_by":[["pageviews","asc"]]`), `"pageviews"`, "not among")
	f(with(`"order_by":[["visitors","up"]]`), `"up"`)
	f(with(`"include":[]`), "include []")
	f(with(`"include":{"labels":true}`), `"labels"`, "true")
	f(with(`"include":{"total_rows":"yes"}`), "include.total_rows", `"yes"`)
	f(with(`"include":{"time_labels":true}`), "include.time_labels")
	f(with(`"pagination":5`), "pagination 5")
	f(with(`"pagination":{"page":2}`), `"page"`, "2")
	f(with(`"pagination":{"limit":0}`), "pagination.limit 0")
	f(with(`"pagination":{"limit":10001}`), "pagination.limit 10001")
	f(with(`"pagination":{"limit":1.5}`), "pagination.limit 1.5")
	f(with(`"pagination":{"offset":-1}`), "pagination.offset -1")
	f(with(`"pagination":{"offset":"1"}`), `pagination.offset "1"`)
}

func TestDateRanges(t *testing.T) {
	f := func(zone, clock, dateRange, from, to string) {
		t.Helper()
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, clock)
		if err != nil {
			t.Fatal(err)
		}
		s := mustServer(t, testOptions{Reader: &memory{}, Now: func() time.Time { return at }, TimeZone: func(string) *time.Location { return loc }})
		a := answerOf(t, s, fmt.Sprintf(`{"site_id":"a","metrics":["visitors"],"date_range":%s}`, dateRange))
		if got, want := a.Query.DateRange, [2]string{from, to}; got != want {
			t.Errorf("%s in %s at %s: %v, want %v", dateRange, zone, clock, got, want)
		}
	}
	const clock = "2024-09-18T22:34:56Z" // in Tallinn it is the 19th, 01:34
	f("Europe/Tallinn", clock, `"day"`, "2024-09-19T00:00:00+03:00", "2024-09-19T01:34:59+03:00")
	f("Europe/Tallinn", clock, `"24h"`, "2024-09-18T01:35:00+03:00", "2024-09-19T01:34:59+03:00")
	f("Europe/Tallinn", clock, `"7d"`, "2024-09-13T00:00:00+03:00", "2024-09-19T01:34:59+03:00")
	f("UTC", clock, `"28d"`, "2024-08-22T00:00:00Z", "2024-09-18T22:34:59Z")
	f("UTC", clock, `"30d"`, "2024-08-20T00:00:00Z", "2024-09-18T22:34:59Z")
	f("UTC", clock, `"91d"`, "2024-06-20T00:00:00Z", "2024-09-18T22:34:59Z")
	f("UTC", clock, `"month"`, "2024-09-01T00:00:00Z", "2024-09-18T22:34:59Z")
	f("UTC", clock, `"6mo"`, "2024-04-01T00:00:00Z", "2024-09-18T22:34:59Z")
	f("UTC", "2024-08-31T12:00:00Z", `"6mo"`, "2024-03-01T00:00:00Z", "2024-08-31T12:00:59Z")
	f("UTC", clock, `"12mo"`, "2023-10-01T00:00:00Z", "2024-09-18T22:34:59Z")
	f("America/New_York", clock, `"year"`, "2024-01-01T00:00:00-05:00", "2024-09-18T18:34:59-04:00")
	f("UTC", clock, `"all"`, "2024-09-18T00:00:00Z", "2024-09-18T22:34:59Z") // nothing there yet
	f("Europe/Berlin", clock, `["2024-03-31","2024-03-31"]`, "2024-03-31T00:00:00+01:00", "2024-03-31T23:59:59+02:00")
	f("Africa/Cairo", clock, `["2025-04-25","2025-04-25"]`, "2025-04-25T01:00:00+03:00", "2025-04-25T23:59:59+03:00")
	f("America/Havana", clock, `["2024-11-03","2024-11-03"]`, "2024-11-03T00:00:00-04:00", "2024-11-03T23:59:59-05:00")
	f("America/Sao_Paulo", clock, `["2018-02-17","2018-02-18"]`, "2018-02-17T00:00:00-02:00", "2018-02-18T23:59:59-03:00")
	f("UTC", clock, `["2024-01-01T12:00:00+02:00","2024-01-01T15:59:59+02:00"]`, "2024-01-01T10:00:00Z", "2024-01-01T13:59:59Z")
	f("UTC", clock, `["2024-01-01T12:00:30Z","2024-01-01T12:10:30.5Z"]`, "2024-01-01T12:00:00Z", "2024-01-01T12:10:59Z")
}

func TestRangeAll(t *testing.T) {
	m := &memory{}
	m.views("a", "2023-05-06T07:08:00Z", "/", "DE", "Firefox", 1, 3)
	m.views("a", "2024-09-18T12:00:00Z", "/", "DE", "Firefox", 2, 3)
	a := answerOf(t, mustServer(t, testOptions{Reader: m}), `{"site_id":"a","metrics":["visitors","events"],"date_range":"all","dimensions":["time"]}`)
	if got, want := fmt.Sprint(a.Results, a.Query.DateRange, a.Query.Dimensions), "[{[3 3] [2023-05-01] <nil>} {[3 3] [2024-09-01] <nil>}] [2023-05-06T00:00:00Z 2024-09-18T12:34:59Z] [time:month]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestLabels lists the buckets of days on which the clocks change.
func TestLabels(t *testing.T) {
	f := func(zone, dim, from, to, want string) {
		t.Helper()
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		s := mustServer(t, testOptions{Reader: &memory{}, TimeZone: func(string) *time.Location { return loc }})
		a := answerOf(t, s, fmt.Sprintf(`{"site_id":"a","metrics":["visitors"],"date_range":[%q,%q],"dimensions":[%q],"include":{"time_labels":true}}`, from, to, dim))
		if got := strings.Join(*a.Meta.TimeLabels, "|"); got != want {
			t.Errorf("%s of %s to %s in %s:\n%s\nwant\n%s", dim, from, to, zone, got, want)
		}
	}
	hours := func(day string, list ...int) string {
		var b []string
		for _, h := range list {
			b = append(b, fmt.Sprintf("%s %02d:00:00", day, h))
		}
		return strings.Join(b, "|")
	}
	upTo := func(skip int) (list []int) {
		for h := range 24 {
			if h != skip {
				list = append(list, h)
			}
		}
		return list
	}
	f("Europe/Berlin", "time:hour", "2024-03-31", "2024-03-31", hours("2024-03-31", upTo(2)...))
	f("Europe/Berlin", "time:hour", "2024-10-27", "2024-10-27", hours("2024-10-27", upTo(-1)...)) // 02:00 twice, one bucket
	f("Africa/Cairo", "time:hour", "2025-04-25", "2025-04-25", hours("2025-04-25", upTo(0)...))
	f("Australia/Lord_Howe", "time:hour", "2025-10-05", "2025-10-05", hours("2025-10-05", upTo(-1)...))
	f("Asia/Kathmandu", "time:hour", "2025-06-01T00:00:00+05:45", "2025-06-01T02:10:00+05:45", hours("2025-06-01", 0, 1, 2))
	f("Europe/Berlin", "time:day", "2024-03-30", "2024-04-01", "2024-03-30|2024-03-31|2024-04-01")
	f("Pacific/Apia", "time:day", "2011-12-29", "2011-12-31", "2011-12-29|2011-12-31")
	f("UTC", "time:week", "2024-01-03", "2024-01-15", "2024-01-01|2024-01-08|2024-01-15")
	f("UTC", "time:month", "2024-01-31", "2024-03-01", "2024-01-01|2024-02-01|2024-03-01")
	f("UTC", "time:minute", "2024-01-31T00:00:00Z", "2024-01-31T00:01:30Z", "2024-01-31 00:00:00|2024-01-31 00:01:00")
}

func FuzzParse(f *testing.F) {
	s := mustServer(f, testOptions{Reader: &memory{}})
	f.Add([]byte(`{"site_id":"a","metrics":["visitors","percentage"],"date_range":["2024-01-01","2024-01-02"],"dimensions":["time","visit:country"],"filters":[["not",["is","visit:browser",["x"]]]],"order_by":[["time","desc"]],"include":{"time_labels":true},"pagination":{"limit":3}}`))
	f.Add([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":"all","filters":[[[]]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := s.Answer(t.Context(), b)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%q: %v", b, err)
		}
		if err == nil {
			if _, err := encode(a); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestPartialLabels: buckets that the range cuts, or that are not over, are named. It is Wednesday,
// 2024-09-18, 12:34.
func TestPartialLabels(t *testing.T) {
	m := &memory{}
	m.views("a", "2024-09-05T12:00:00Z", "/", "DE", "Firefox", 1, 1)
	f := func(dim, dateRange, want string) {
		t.Helper()
		a := answerOf(t, mustServer(t, testOptions{Reader: m}), `{"site_id":"a","metrics":["visitors"],"date_range":`+dateRange+`,"dimensions":["`+dim+`"]}`)
		if got := strings.Join(a.Meta.PartialTimeLabels, "|"); got != want {
			t.Errorf("%s of %s: %q, want %q", dim, dateRange, got, want)
		}
	}
	f("time:week", `["2024-09-04","2024-09-15"]`, "2024-09-02")
	f("time:week", `["2024-09-02","2024-09-15"]`, "")
	f("time:week", `["2024-09-02","2024-09-14"]`, "2024-09-09")
	f("time:week", `["2024-09-03","2024-09-05"]`, "2024-09-02")
	f("time:week", `"28d"`, "2024-08-19|2024-09-16")
	f("time:month", `"30d"`, "2024-08-01|2024-09-01")
	f("time:week", `"all"`, "2024-09-16") // nothing lies before the first
	f("time:day", `"7d"`, "2024-09-18")
	f("time:day", `["2024-09-17","2024-09-30"]`, "2024-09-18")
	f("time:hour", `["2024-09-17T10:30:00Z","2024-09-17T12:59:59Z"]`, "2024-09-17 10:00:00")
	f("time:day", `["2024-10-01","2024-10-02"]`, "")
	// The range ends in a bucket that is still to come.
	f("time:month", `["2024-09-10","2024-10-05"]`, "2024-09-01|2024-10-01")
	f("time:month", `["2024-08-01","2024-10-05"]`, "2024-09-01|2024-10-01")
	f("time:week", `["2024-09-03","2024-09-25"]`, "2024-09-02|2024-09-16|2024-09-23")
	f("time:week", `["2024-09-09","2024-09-29"]`, "2024-09-16")
	f("time:week", `["2024-09-16","2024-09-19"]`, "2024-09-16")
	f("time:month", `["2024-10-03","2024-11-30"]`, "2024-10-01")
	f("time:month", `["2024-11-01","2024-12-05"]`, "2024-12-01")
}
