package statsapi

import (
	"crypto/sha256"
	"net/url"
	"strings"
	"testing"
	"time"

	"millrace/internal/site"
)

// TestV1: answers of the three paths in the form that clients of v1 read.
func TestV1(t *testing.T) {
	m := &memory{}
	m.views("a.example", "2024-09-18T01:00:00Z", "/a", "DE", "Firefox", 1, 3)
	m.views("a.example", "2024-09-18T02:00:00Z", "/a/b", "DE", "Chrome", 1, 1)
	m.views("a.example", "2024-09-17T02:00:00Z", "/c|d", "FR", "Chrome", 1, 2)
	m.views("a.example", "2024-08-19T00:00:00Z", "/old", "DE", "Firefox", 9, 1) // the first day of 30d
	m.views("a.example", "2024-08-18T23:59:00Z", "/older", "DE", "Firefox", 9, 5)
	m.shop("shop.example", "2024-09-18T03:00:00Z")
	s := mustServer(t, testOptions{Reader: m})
	f := func(path, params, want string) {
		t.Helper()
		resp := do(s, "GET", path+"?"+params, "")
		if got := strings.TrimSpace(string(resp.Body())); resp.StatusCode() != 200 || got != `{"results":`+want+`}` {
			t.Errorf("%s?%s\n got %d %s\nwant {\"results\":%s}", path, params, resp.StatusCode(), got, want)
		}
	}
	f(PathAggregate, "site_id=a.example&period=day", `{"visitors":{"value":3}}`)
	f(PathAggregate, "site_id=a.example&period=day&date=2024-09-17&metrics=pageviews,events", `{"events":{"value":2},"pageviews":{"value":2}}`)
	f(PathAggregate, "site_id=a.example&metrics=pageviews", `{"pageviews":{"value":7}}`)                              // 30d has 31 days
	f(PathAggregate, "site_id=a.example&period=month&date=2024-08-01&metrics=pageviews", `{"pageviews":{"value":6}}`) // to its end
	f(PathAggregate, "site_id=a.example&period=6mo&metrics=pageviews&with_imported=true", `{"pageviews":{"value":12}}`)
	f(PathAggregate, "site_id=a.example&period=custom&date=2024-09-17,2024-09-18&metrics=pageviews", `{"pageviews":{"value":6}}`)
	f(PathAggregate, "site_id=a.example&period=custom&date=2024-09-18,+2024-09-18&metrics=pageviews&filters=", `{"pageviews":{"value":4}}`)
	f(PathAggregate, "site_id=a.example&period=day&metrics=bounce_rate,visit_duration,visits", `{"bounce_rate":{"value":0},"visit_duration":{"value":0},"visits":{"value":0}}`)
	// Compared with the two days before, and with one that has nothing.
	f(PathAggregate, "site_id=a.example&period=day&metrics=pageviews,visitors,bounce_rate&compare=previous_period",
		`{"bounce_rate":{"value":0,"change":null},"pageviews":{"value":4,"change":100},"visitors":{"value":3,"change":50}}`)
	f(PathAggregate, "site_id=a.example&period=day&date=2024-09-17&metrics=pageviews&compare=previous_period", `{"pageviews":{"value":2,"change":100}}`)
	f(PathAggregate, "site_id=a.example&period=day&date=2024-09-01&metrics=pageviews&compare=previous_period", `{"pageviews":{"value":0,"change":0}}`)

	filter := func(filters, want string) {
		t.Helper()
		f(PathAggregate, "site_id=a.example&period=7d&metrics=pageviews&filters="+url.QueryEscape(filters), `{"pageviews":{"value":`+want+`}}`)
	}
	filter("event:page==/a", "3")
	filter("event:page==/a|/a/b", "4")
	filter("event:page==/a*", "4")
	filter("event:page==/a/*|/c*", "3")
	filter("event:page!=/a*", "2")
	filter(`event:page==/c\|d`, "2")
	filter("event:page~/b", "1")
	filter("event:page!~/b|/c", "3")
	filter("visit:country==DE;visit:browser==Chrome", "1")
	filter("visit:country!=DE", "2")

	f(PathTimeseries, "site_id=a.example&period=7d&metrics=visitors,bounce_rate",
		`[{"bounce_rate":null,"date":"2024-09-12","visitors":0},{"bounce_rate":null,"date":"2024-09-13","visitors":0},{"bounce_rate":null,"date":"2024-09-14","visitors":0},`+
			`{"bounce_rate":null,"date":"2024-09-15","visitors":0},{"bounce_rate":null,"date":"2024-09-16","visitors":0},{"bounce_rate":null,"date":"2024-09-17","visitors":2},{"bounce_rate":null,"date":"2024-09-18","visitors":3}]`)
	f(PathTimeseries, "site_id=a.example&period=custom&date=2024-09-17,2024-09-17&interval=date&metrics=pageviews", `[{"date":"2024-09-17","pageviews":2}]`)
	f(PathTimeseries, "site_id=a.example&period=custom&date=2024-08-01,2024-09-30&interval=month&metrics=pageviews",
		`[{"date":"2024-08-01","pageviews":6},{"date":"2024-09-01","pageviews":6}]`)
	if got := string(do(s, "GET", PathTimeseries+"?site_id=a.example&period=day", "").Body()); !strings.Contains(got, `{"date":"2024-09-18 01:00:00","visitors":3}`) || strings.Count(got, "date") != 24 {
		t.Errorf("hours of a day: %s", got)
	}
	if got := string(do(s, "GET", PathTimeseries+"?site_id=a.example&period=12mo", "").Body()); strings.Count(got, "date") != 12 || !strings.Contains(got, `{"date":"2023-10-01","visitors":0}`) {
		t.Errorf("months: %s", got)
	}

	f(PathBreakdown, "site_id=a.example&period=7d&property=event:page&metrics=visitors,pageviews",
		`[{"page":"/a","pageviews":3,"visitors":3},{"page":"/c|d","pageviews":2,"visitors":2},{"page":"/a/b","pageviews":1,"visitors":1}]`)
	f(PathBreakdown, "site_id=a.example&period=7d&property=event:page&limit=1&page=2", `[{"page":"/c|d","visitors":2}]`)
	f(PathBreakdown, "site_id=a.example&period=7d&property=event:page&limit=1&page=9", `[]`)
	f(PathBreakdown, "site_id=shop.example&period=day&property=event:props:plan&metrics=events&filters=event:props:plan%3D%3Dfree|pro", `[{"events":3,"plan":"free"},{"events":1,"plan":"pro"}]`)
	f(PathBreakdown, "site_id=shop.example&period=day&property=visit:source&metrics=visitors,visits,bounce_rate", `[{"bounce_rate":40,"source":"Google","visitors":5,"visits":5},{"bounce_rate":80,"source":"t.co","visitors":5,"visits":5}]`)
}

// TestV1Zone: periods go by the site's day, which may be tomorrow's in UTC.
func TestV1Zone(t *testing.T) {
	m := &memory{}
	m.views("a.example", "2024-09-17T15:30:00Z", "/a", "DE", "Firefox", 1, 3) // 00:30 of the 18th in Tokyo
	at := time.Date(2024, 9, 17, 16, 0, 0, 0, time.UTC)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	s := mustServer(t, testOptions{Reader: m, Now: func() time.Time { return at }, TimeZone: func(string) *time.Location { return tokyo }})
	if got := string(do(s, "GET", PathTimeseries+"?site_id=a.example&period=7d", "").Body()); !strings.HasSuffix(got, "{\"date\":\"2024-09-18\",\"visitors\":3}]}\n") {
		t.Error(got)
	}
}

func TestV1Refuses(t *testing.T) {
	s := mustServer(t, testOptions{Reader: &memory{}})
	f := func(path, params, want string) {
		t.Helper()
		resp := do(s, "GET", path+"?"+params, "")
		if got := string(resp.Body()); resp.StatusCode() != 400 || !strings.Contains(got, want) {
			t.Errorf("%s?%s: %d %s, want 400 with %q", path, params, resp.StatusCode(), got, want)
		}
	}
	f(PathAggregate, "", "Missing site_id")
	f(PathAggregate, "site_id=A", "Invalid site_id")
	f(PathAggregate, "site_id=a.example&site_id=b.example", "twice")
	f(PathAggregate, "site_id=a.example&filter=x", `Unknown parameter \"filter\"`)
	f(PathAggregate, "site_id=a.example&period=2w", `Invalid period \"2w\": it has to be one of day, 7d`)
	f(PathAggregate, "site_id=a.example&date=tomorrow", "a day such as 2024-01-31")
	f(PathAggregate, "site_id=a.example&date=2024-01-01,2024-01-31", "need period=custom")
	f(PathAggregate, "site_id=a.example&period=custom", "two days with a comma")
	f(PathAggregate, "site_id=a.example&period=custom&date=2024-01-31,2024-01-01", "ends before it begins")
	f(PathAggregate, "site_id=a.example&metrics=visitors,visitors", "twice")
	f(PathAggregate, "site_id=a.example&metrics=views", "unknown metric")
	f(PathAggregate, "site_id=a.example&compare=last_year", "previous_period")
	f(PathAggregate, "site_id=a.example&with_imported=1", "true or false")
	f(PathAggregate, "site_id=a.example&filters=page", "a condition is a property")
	f(PathAggregate, "site_id=a.example&filters=event:pages%3D%3D/", "unknown dimension")
	f(PathAggregate, "site_id=a.example&filters=time:day%3D%3Dx", "can't be filtered by")
	f(PathAggregate, "site_id=a.example&filters=visit:country%3D%3DUK", `did you mean \"GB\"?`)
	f(PathTimeseries, "site_id=a.example&interval=minute", "Invalid interval")
	f(PathBreakdown, "site_id=a.example", "Missing property")
	f(PathBreakdown, "site_id=a.example&property=page", "unknown dimension")
	f(PathBreakdown, "site_id=a.example&property=time:day", "timeseries")
	f(PathBreakdown, "site_id=a.example&property=event:page&limit=1001", "from 1 to 1000")
	f(PathBreakdown, "site_id=a.example&property=event:page&page=0", "Invalid page")
	f(PathAggregate, "site_id=a.example&metrics=conversion_rate", "event:goal")

	keyed := mustServer(t, testOptions{Reader: &memory{}, Keys: site.NewKeys(site.Key{Hash: sha256.Sum256([]byte("one")), Sites: []string{"a.example"}})})
	for params, want := range map[string]int{"site_id=a.example": 200, "site_id=b.example": 401, "site_id=A": 400, "x=y": 400} {
		if got := do(keyed, "GET", PathAggregate+"?"+params, "", "Authorization", "Bearer one").StatusCode(); got != want {
			t.Errorf("%s with a key: %d, want %d", params, got, want)
		}
		if got := do(keyed, "GET", PathAggregate+"?"+params, "").StatusCode(); got != 401 {
			t.Errorf("%s without a key: %d, want 401", params, got)
		}
	}
}
