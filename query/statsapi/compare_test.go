package statsapi

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestComparisons: rows have those of another range beside them.
func TestComparisons(t *testing.T) {
	m := &memory{}
	m.views("a.example", "2024-09-18T01:00:00Z", "/a", "DE", "Firefox", 1, 3)
	m.views("a.example", "2024-09-18T02:00:00Z", "/b", "DE", "Firefox", 1, 2)
	m.views("a.example", "2024-09-17T11:00:00Z", "/a", "DE", "Firefox", 1, 2)
	m.views("a.example", "2024-09-17T23:00:00Z", "/a", "DE", "Firefox", 1, 9) // later in its day than it is now
	m.views("a.example", "2024-09-11T11:00:00Z", "/a", "DE", "Firefox", 1, 6)
	m.views("a.example", "2023-09-18T01:00:00Z", "/b", "DE", "Firefox", 1, 4)
	m.views("a.example", "2023-09-20T01:00:00Z", "/b", "DE", "Firefox", 1, 1) // a Wednesday, as the 18th of the year after
	m.shop("shop.example", "2024-09-18T03:00:00Z")
	s := mustServer(t, testOptions{Reader: m})
	f := func(query, comparison, ranges string, want ...string) {
		t.Helper()
		body := `{"site_id":"a.example",` + query + `,"include":{"comparisons":` + comparison + `}}`
		a := answerOf(t, s, body)
		var got []string
		for _, r := range a.Results {
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(b))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s\n got %s\nwant %s", body, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
		if r := a.Meta.ComparisonDateRange; r == nil || strings.Join(r[:], " ") != ranges {
			t.Errorf("%s: compared with %v, want %s", body, r, ranges)
		}
	}
	const previous, year = `{"mode":"previous_period"}`, `{"mode":"year_over_year"}`
	f(`"metrics":["visitors","pageviews"],"date_range":"day"`, previous, "2024-09-17T00:00:00Z 2024-09-17T12:34:59Z",
		`{"metrics":[3,5],"dimensions":[],"comparison":{"dimensions":[],"metrics":[2,2],"change":[50,150]}}`)
	f(`"metrics":["pageviews"],"date_range":["2024-09-18","2024-09-18"]`, previous, "2024-09-17T00:00:00Z 2024-09-17T23:59:59Z",
		`{"metrics":[5],"dimensions":[],"comparison":{"dimensions":[],"metrics":[11],"change":[-55]}}`)
	f(`"metrics":["pageviews"],"date_range":["2024-09-18","2024-09-18"]`, `{"mode":"previous_period","match_day_of_week":true}`, "2024-09-11T00:00:00Z 2024-09-11T23:59:59Z",
		`{"metrics":[5],"dimensions":[],"comparison":{"dimensions":[],"metrics":[6],"change":[-17]}}`)
	f(`"metrics":["pageviews"],"date_range":["2024-09-18","2024-09-18"]`, year, "2023-09-18T00:00:00Z 2023-09-18T23:59:59Z",
		`{"metrics":[5],"dimensions":[],"comparison":{"dimensions":[],"metrics":[4],"change":[25]}}`)
	f(`"metrics":["pageviews"],"date_range":["2024-09-18","2024-09-18"]`, `{"mode":"year_over_year","match_day_of_week":true}`, "2023-09-20T00:00:00Z 2023-09-20T23:59:59Z",
		`{"metrics":[5],"dimensions":[],"comparison":{"dimensions":[],"metrics":[1],"change":[400]}}`)
	f(`"metrics":["pageviews"],"date_range":["2024-02-29","2024-02-29"]`, year, "2023-02-28T00:00:00Z 2023-02-28T23:59:59Z",
		`{"metrics":[0],"dimensions":[],"comparison":{"dimensions":[],"metrics":[0],"change":[0]}}`)
	f(`"metrics":["pageviews"],"date_range":["2024-09-18","2024-09-18"]`, `{"mode":"custom","date_range":["2023-09-18","2023-09-20"]}`, "2023-09-18T00:00:00Z 2023-09-20T23:59:59Z",
		`{"metrics":[5],"dimensions":[],"comparison":{"dimensions":[],"metrics":[5],"change":[0]}}`)
	// By a dimension: the second row had nothing; of the page of rows that was asked for.
	f(`"metrics":["pageviews","percentage"],"dimensions":["event:page"],"date_range":"day"`, previous, "2024-09-17T00:00:00Z 2024-09-17T12:34:59Z",
		`{"metrics":[3,100],"dimensions":["/a"],"comparison":{"dimensions":["/a"],"metrics":[2,100],"change":[50,0]}}`,
		`{"metrics":[2,66.7],"dimensions":["/b"],"comparison":{"dimensions":["/b"],"metrics":[0,null],"change":[100,null]}}`)
	f(`"metrics":["pageviews"],"dimensions":["event:page"],"date_range":"day","pagination":{"limit":1,"offset":1}`, year, "2023-09-18T00:00:00Z 2023-09-18T12:34:59Z",
		`{"metrics":[2],"dimensions":["/b"],"comparison":{"dimensions":["/b"],"metrics":[4],"change":[-50]}}`)
	// By time: the first day is compared with the first, the second with the second.
	f(`"metrics":["pageviews"],"dimensions":["time:day"],"date_range":["2024-09-17","2024-09-18"]`, `{"mode":"custom","date_range":["2024-09-10","2024-09-11"]}`, "2024-09-10T00:00:00Z 2024-09-11T23:59:59Z",
		`{"metrics":[11],"dimensions":["2024-09-17"],"comparison":{"dimensions":["2024-09-10"],"metrics":[0],"change":[100]}}`,
		`{"metrics":[5],"dimensions":["2024-09-18"],"comparison":{"dimensions":["2024-09-11"],"metrics":[6],"change":[-17]}}`)
	f(`"metrics":["pageviews"],"dimensions":["time:day"],"date_range":["2024-09-17","2024-09-18"]`, `{"mode":"custom","date_range":["2024-09-11","2024-09-11"]}`, "2024-09-11T00:00:00Z 2024-09-11T23:59:59Z",
		`{"metrics":[11],"dimensions":["2024-09-17"],"comparison":{"dimensions":["2024-09-11"],"metrics":[6],"change":[83]}}`,
		`{"metrics":[5],"dimensions":["2024-09-18"]}`)
	if a := answerOf(t, s, `{"site_id":"a.example","metrics":["pageviews"],"dimensions":["time:day"],"date_range":"day","include":{"comparisons":{"mode":"previous_period"}}}`); a.Meta.TimeLabels != nil {
		t.Errorf("time labels %v that were not asked for", *a.Meta.TimeLabels)
	}
	f(`"metrics":["pageviews"],"date_range":["2024-09-18T01:00:00Z","2024-09-18T03:59:59Z"]`, previous, "2024-09-17T22:00:00Z 2024-09-18T00:59:59Z",
		`{"metrics":[5],"dimensions":[],"comparison":{"dimensions":[],"metrics":[9],"change":[-44]}}`)
	f(`"metrics":["pageviews"],"date_range":"24h"`, previous, "2024-09-16T12:35:00Z 2024-09-17T12:34:59Z",
		`{"metrics":[14],"dimensions":[],"comparison":{"dimensions":[],"metrics":[2],"change":[600]}}`)
	f(`"metrics":["pageviews"],"date_range":"24h"`, `{"mode":"previous_period","match_day_of_week":true}`, "2024-09-10T12:35:00Z 2024-09-11T12:34:59Z",
		`{"metrics":[14],"dimensions":[],"comparison":{"dimensions":[],"metrics":[6],"change":[133]}}`)
	// Visits of a range that ends now: that of the day before ends with its quarter of an hour.
	if a := answerOf(t, s, `{"site_id":"shop.example","metrics":["visits","bounce_rate"],"date_range":"day","include":{"comparisons":{"mode":"previous_period"}}}`); a.Results[0].Comparison == nil ||
		a.Meta.ComparisonDateRange[1] != "2024-09-17T12:44:59Z" || a.Results[0].Comparison.Change[1] != nil {
		t.Errorf("visits: %+v %v", a.Results[0].Comparison, a.Meta.ComparisonDateRange)
	}

	bad := func(comparison, want string) {
		t.Helper()
		body := `{"site_id":"a.example","metrics":["visitors"],"date_range":"all","include":{"comparisons":` + comparison + `}}`
		if resp := do(s, "POST", PathQuery, body); resp.StatusCode() != 400 || !strings.Contains(string(resp.Body()), want) {
			t.Errorf("%s: %d %s, want %q", comparison, resp.StatusCode(), resp.Body(), want)
		}
	}
	bad(previous, `nothing before the date_range \"all\"`)
	bad(`true`, "has to be an object")
	bad(`{}`, "include.comparisons.mode null")
	bad(`{"mode":"week"}`, `\"week\"`)
	bad(`{"mode":"custom"}`, "date_range belongs to")
	bad(`{"mode":"year_over_year","date_range":["2023-09-18","2023-09-20"]}`, "date_range belongs to")
	bad(`{"mode":"custom","date_range":["2023-09-18","2023-09-17"]}`, "ends before it begins")
	bad(`{"mode":"previous_period","weekday":true}`, `\"weekday\"`)
	bad(`{"mode":"previous_period","match_day_of_week":1}`, "true or false")
	if resp := do(s, "POST", PathQuery+"?format=csv", `{"site_id":"a.example","metrics":["visitors"],"date_range":"day","include":{"comparisons":{"mode":"previous_period"}}}`); resp.StatusCode() != 400 {
		t.Errorf("CSV: %d %s", resp.StatusCode(), resp.Body())
	}
}

// TestComparisonOfShortDay: the day before a change of summer time is compared by the clock on the wall.
func TestComparisonOfShortDay(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 3, 31, 12, 0, 0, 0, zone) // the day has 23 hours
	s := mustServer(t, testOptions{Reader: &memory{}, Now: func() time.Time { return at }, TimeZone: func(string) *time.Location { return zone }})
	a := answerOf(t, s, `{"site_id":"a.example","metrics":["pageviews"],"date_range":"day","include":{"comparisons":{"mode":"previous_period"}}}`)
	if got, want := *a.Meta.ComparisonDateRange, [2]string{"2024-03-30T00:00:00+01:00", "2024-03-30T12:00:59+01:00"}; got != want {
		t.Errorf("compared with %v, want %v", got, want)
	}
}
