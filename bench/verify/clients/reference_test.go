package clients

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// referenceSites has the site of TestReference: its goals and segments.
const referenceSites = `sites:
  reference.example:
    currency: EUR
    goals:
      - {name: Signup, event: Signup}
      - {name: Order, event: Order}
      - {name: Download, event: Download}
    segments:
      - {id: 2, name: Of the campaign, filters: [["is", "visit:utm_campaign", ["Referral"]]]}
`

// referenceEvents are of five visitors of a week in January: Ada of Germany, Bo of Estonia, Cy of the United States,
// Di of France, and Ed of Germany.
const referenceEvents = `
{"site":"reference.example","ts":"2026-01-02T10:00:00Z","ip":"91.0.0.1","ua":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:146.0) Gecko/20100101 Firefox/146.0","name":"pageview","url":"https://reference.example/pricing?utm_source=newsletter&utm_medium=email&utm_campaign=Spring"}
{"site":"reference.example","ts":"2026-01-02T10:02:00Z","ip":"91.0.0.1","ua":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:146.0) Gecko/20100101 Firefox/146.0","name":"pageview","url":"https://reference.example/docs/start"}
{"site":"reference.example","ts":"2026-01-02T10:03:00Z","ip":"91.0.0.1","ua":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:146.0) Gecko/20100101 Firefox/146.0","name":"Signup","url":"https://reference.example/docs/start","props":{"is_customer":"false"}}
{"site":"reference.example","ts":"2026-01-02T11:00:00Z","ip":"90.190.0.1","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0","name":"pageview","url":"https://reference.example/docs/api?utm_source=twitter&utm_medium=social&utm_campaign=Referral"}
{"site":"reference.example","ts":"2026-01-03T09:00:00Z","ip":"8.8.8.8","ua":"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0","name":"pageview","url":"https://reference.example/Blog/one?utm_source=twitter&utm_medium=social&utm_campaign=Referral"}
{"site":"reference.example","ts":"2026-01-03T09:05:00Z","ip":"8.8.8.8","ua":"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0","name":"Order","url":"https://reference.example/Blog/one","props":{"is_customer":"true"},"revenue":{"amount":20,"currency":"EUR"}}
{"site":"reference.example","ts":"2026-01-03T12:00:00Z","ip":"90.0.0.1","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0","name":"pageview","url":"https://reference.example/blog/two","referrer":"https://www.google.com/"}
{"site":"reference.example","ts":"2026-01-03T12:01:00Z","ip":"90.0.0.1","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0","name":"Signup","url":"https://reference.example/blog/two"}
{"site":"reference.example","ts":"2026-01-05T08:00:00Z","ip":"91.0.0.9","ua":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0","name":"pageview","url":"https://reference.example/pricing?utm_source=twitter&utm_medium=social&utm_campaign=Referral"}
{"site":"reference.example","ts":"2026-01-05T08:10:00Z","ip":"91.0.0.9","ua":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0","name":"Order","url":"https://reference.example/pricing","revenue":{"amount":10,"currency":"EUR"}}
{"site":"reference.example","ts":"2026-01-05T08:11:00Z","ip":"91.0.0.9","ua":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0","name":"Download","url":"https://reference.example/pricing","props":{"method":"HTTP"}}
`

// TestReference asks what the public references of Plausible's Stats API have examples of, each of its kinds once, about
// an imported week. What is right was found by looking at the events above.
func TestReference(t *testing.T) {
	if os.Getenv(variable) == "" {
		t.Skip(variable + " not set: see TestClients")
	}
	p := mustImported(t, referenceSites, referenceEvents, "events")

	const week = `"date_range":["2026-01-01","2026-01-07"]`
	for _, c := range []struct{ kind, query, want string }{
		{"aggregate", `"metrics":["visitors","events"],` + week, `5,11`},
		{"range of days", `"metrics":["visitors"],"date_range":["2026-01-02","2026-01-03"]`, `4`},
		{"range of instants", `"metrics":["visitors"],"date_range":["2026-01-02T12:30:00+02:00","2026-01-02T15:59:59+02:00"]`, `1`},
		{"country and city", `"metrics":["visitors","pageviews","bounce_rate"],"dimensions":["visit:country_name","visit:city_name"],"filters":[["is_not","visit:country_name",[""]]],` + week,
			`2,3,0 Germany (none); 1,1,100 Estonia (none); 1,1,0 France (none); 1,1,0 United States (none)`},
		{"medium and source", `"metrics":["visitors","events","pageviews"],"dimensions":["visit:utm_medium","visit:utm_source"],` + week,
			`3,6,3 social twitter; 1,2,1 (none) (none); 1,3,2 email newsletter`},
		{"a page of rows", `"metrics":["visitors","events","pageviews"],"dimensions":["visit:utm_medium","visit:utm_source"],"include":{"total_rows":true},"pagination":{"limit":3,"offset":1},` + week,
			`1,2,1 (none) (none); 1,3,2 email newsletter; of 3`},
		{"filters of pages and countries", `"metrics":["visitors"],"filters":[["contains","event:page",["/docs","/pricing"]],["or",[["not",["is","visit:utm_campaign",["Referral"]]],["is","visit:country_name",["Estonia","United States of America"]]]]],` + week, `2`},
		{"a segment", `"metrics":["visitors","events"],"filters":[["is","segment",[2]]],` + week, `3,6`},
		{"any case", `"metrics":["visitors"],"filters":[["contains","event:page",["blog"],{"case_sensitive":false}]],` + week, `2`},
		{"a time series", `"metrics":["visitors","events"],"dimensions":["time:day"],"filters":[["is","visit:os",["GNU/Linux","Mac"]]],` + week,
			`2,4 2026-01-02; 1,2 2026-01-03; 1,3 2026-01-05`},
		{"labels of hours", `"metrics":["visitors"],"dimensions":["time:hour"],"include":{"time_labels":true},"date_range":["2026-01-02","2026-01-02"]`,
			`1 2026-01-02 10:00:00; 1 2026-01-02 11:00:00; 24 labels`},
		{"custom properties", `"metrics":["visitors"],"dimensions":["time:day","event:props:is_customer"],"order_by":[["time:day","asc"],["event:props:is_customer","desc"]],` + week,
			`1 2026-01-02 false; 2 2026-01-02 (none); 1 2026-01-03 true; 2 2026-01-03 (none); 1 2026-01-05 (none)`},
		{"imports", `"metrics":["visitors"],"dimensions":["visit:source"],"include":{"imports":true},` + week, `3 Twitter; 1 Google; 1 newsletter`},
		{"revenue by goal", `"metrics":["total_revenue"],"dimensions":["event:goal"],` + week, `30 Order; 0 Download; 0 Signup`},
		{"revenue of goals", `"metrics":["total_revenue","average_revenue"],"filters":[["is","event:goal",["Order"]]],` + week, `30,15`},
		{"what a visit has done", `"metrics":["visitors"],"filters":[["is","event:goal",["Signup"]],["has_done",["is","event:page",["/pricing"]]]],` + week, `1`},
		{"what it has not done", `"metrics":["visitors"],"filters":[["is","event:goal",["Signup"]],["has_not_done",["is","event:page",["/pricing"]]]],` + week, `1`},
	} {
		t.Run("v2/"+c.kind, func(t *testing.T) {
			if got := mustAskReference(t, p, c.query); got != c.want {
				t.Errorf("%s: %s, want %s", c.query, got, c.want)
			}
		})
	}
	for _, c := range []struct{ path, query, want string }{
		{"aggregate", "period=6mo&metrics=visitors,pageviews,bounce_rate,visit_duration", `{"bounce_rate":{"value":20},"pageviews":{"value":6},"visit_duration":{"value":240},"visitors":{"value":5}}`},
		{"aggregate", "period=6mo&filters=event:page==/pricing", `{"visitors":{"value":2}}`},
		{"timeseries", "period=custom&date=2026-01-02,2026-01-04&filters=visit:source==Google", `[{"date":"2026-01-02","visitors":0},{"date":"2026-01-03","visitors":1},{"date":"2026-01-04","visitors":0}]`},
		{"breakdown", "period=6mo&property=visit:source&metrics=visitors,bounce_rate&limit=2", `[{"bounce_rate":33,"source":"Twitter","visitors":3},{"bounce_rate":0,"source":"Google","visitors":1}]`},
		{"breakdown", "period=6mo&property=event:page&limit=1", `[{"page":"/pricing","visitors":2}]`},
		{"breakdown", "period=6mo&property=event:props:method&filters=event:goal==Download", `[{"method":"HTTP","visitors":1}]`},
	} {
		t.Run("v1/"+c.path, func(t *testing.T) {
			values, err := url.ParseQuery(c.query)
			if err != nil {
				t.Fatal(err)
			}
			values.Set("site_id", "reference.example")
			if values.Get("date") == "" {
				values.Set("date", "2026-01-31")
			}
			res, err := http.Get(p.URL + "/api/v1/stats/" + c.path + "?" + values.Encode())
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var answer struct {
				Results json.RawMessage
				Error   string
			}
			if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
				t.Fatal(err)
			}
			if got := string(answer.Results) + answer.Error; got != c.want {
				t.Errorf("%s: %s, want %s", c.query, got, c.want)
			}
		})
	}
}

// mustAskReference returns the rows of an answer, and what else of it was asked for.
func mustAskReference(t *testing.T, p *Program, query string) string {
	t.Helper()
	res, err := http.Post(p.URL+"/api/v2/query", "application/json", strings.NewReader(`{"site_id":"reference.example",`+query+`}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Results []struct {
			Metrics    []json.RawMessage
			Dimensions []string
		}
		Meta struct {
			TimeLabels []string `json:"time_labels"`
			TotalRows  *int     `json:"total_rows"`
		}
		Error string
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v", body.Bytes(), err)
	}
	if answer.Error != "" {
		return answer.Error
	}
	var parts []string
	for _, row := range answer.Results {
		var metrics []string
		for _, m := range row.Metrics {
			var revenue struct{ Value json.Number }
			if json.Unmarshal(m, &revenue) == nil && revenue.Value != "" {
				m = json.RawMessage(revenue.Value)
			}
			metrics = append(metrics, string(m))
		}
		parts = append(parts, strings.Join(slices.Concat([]string{strings.Join(metrics, ",")}, row.Dimensions), " "))
	}
	if n := len(answer.Meta.TimeLabels); n > 0 {
		parts = append(parts, strconv.Itoa(n)+" labels")
	}
	if n := answer.Meta.TotalRows; n != nil {
		parts = append(parts, "of "+strconv.Itoa(*n))
	}
	return strings.Join(parts, "; ")
}
