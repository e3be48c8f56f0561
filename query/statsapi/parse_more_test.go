package statsapi

import (
	"fmt"
	"strings"
	"testing"
)

func TestLimitBy(t *testing.T) {
	m := &memory{}
	for i, page := range []string{"/a", "/b", "/c"} {
		m.views("a.example", "2024-09-18T01:00:00Z", page, "DE", "Firefox", 1, 3-i)
		m.views("a.example", "2024-09-18T02:00:00Z", page, "DE", "Firefox", 1, 5+i)
	}
	s := mustServer(t, testOptions{Reader: m})
	f := func(rest string, want ...string) {
		t.Helper()
		a := answerOf(t, s, `{"site_id":"a.example","metrics":["pageviews"],"date_range":"day","dimensions":["time:hour","event:page"],"order_by":[["pageviews","desc"]],"include":{"total_rows":true},`+rest+`}`)
		var got []string
		for _, r := range a.Results {
			got = append(got, fmt.Sprint(strings.TrimPrefix(r.Dimensions[0], "2024-09-18 "), r.Dimensions[1], r.Metrics[0]))
		}
		if got := append(got, fmt.Sprint(*a.Meta.TotalRows)); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %q, want %q", rest, got, want)
		}
	}
	f(`"limit_by":{"dimensions":["time:hour"],"limit":2}`, "02:00:00/c7", "02:00:00/b6", "01:00:00/a3", "01:00:00/b2", "4")
	f(`"limit_by":{"dimensions":["event:page"],"limit":1}`, "02:00:00/c7", "02:00:00/b6", "02:00:00/a5", "3")
	f(`"limit_by":{"dimensions":["time"],"limit":1},"pagination":{"limit":1,"offset":1}`, "01:00:00/a3", "2")
}

func TestQuartersAndWeeks(t *testing.T) {
	m := &memory{}
	m.views("a.example", "2024-09-14T01:00:00Z", "/a", "DE", "Firefox", 1, 1) // a Saturday
	m.views("a.example", "2024-09-15T01:00:00Z", "/a", "DE", "Firefox", 1, 2)
	m.views("a.example", "2024-05-15T01:00:00Z", "/a", "DE", "Firefox", 1, 4)
	s := mustServer(t, testOptions{Reader: m})
	f := func(dimension, rest, want string) {
		t.Helper()
		a := answerOf(t, s, `{"site_id":"a.example","metrics":["pageviews"],"date_range":["2024-01-01","2024-09-18"],"dimensions":["`+dimension+`"]`+rest+`}`)
		var got []string
		for _, r := range a.Results {
			got = append(got, fmt.Sprint(r.Dimensions[0], " ", r.Metrics[0]))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s%s: got %q, want %q", dimension, rest, got, want)
		}
	}
	f("time:quarter", "", "2024-04-01 4, 2024-07-01 3")
	f("time:year", "", "2024-01-01 7")
	f("time:week", "", "2024-05-13 4, 2024-09-09 3")
	f("time:week", `,"week_start":"sunday"`, "2024-05-12 4, 2024-09-08 1, 2024-09-15 2")

	bad := func(rest, want string) {
		t.Helper()
		body := `{"site_id":"a.example","metrics":["pageviews"],"date_range":"day","dimensions":["time:day","event:page"],` + rest + `}`
		if resp := do(s, "POST", PathQuery, body); resp.StatusCode() != 400 || !strings.Contains(string(resp.Body()), want) {
			t.Errorf("%s: %d %s, want %q", rest, resp.StatusCode(), resp.Body(), want)
		}
	}
	bad(`"week_start":"sunday"`, "it needs the dimension time:week")
	bad(`"week_start":"Sunday"`, "has to be one of")
	bad(`"week_start":0`, "has to be one of")
	bad(`"limit_by":3`, "has to be an object")
	bad(`"limit_by":{"limit":3}`, "limit_by.dimensions null")
	bad(`"limit_by":{"dimensions":["visit:source"],"limit":3}`, "not among the dimensions")
	bad(`"limit_by":{"dimensions":["event:page","event:page"],"limit":3}`, "there twice")
	bad(`"limit_by":{"dimensions":["event:page","time:day"],"limit":3}`, "each group has one row")
	bad(`"limit_by":{"dimensions":["event:page"],"limit":0}`, "from 1 to 10000")
	bad(`"limit_by":{"dimensions":["event:page"],"limits":1}`, "limits")
}
