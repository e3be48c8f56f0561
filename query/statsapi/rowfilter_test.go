package statsapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
)

// TestFilterByRow: "is" with the value of a row has the numbers of the row, whatever texts a site
// sends.
func TestFilterByRow(t *testing.T) {
	texts := []string{
		"a b", "a+b", "a%20b", "a%2Bb", "A b", "a%5fb", "a_b", `a\b`, "a/b", "cafe\u0301", "café",
		"(none)", "((none))", "(other)", "(not set)", "((not set))", "Direct / None", "(Direct / None)", "direct / none", "none", "&amp;",
		"google", "Google", "google.com", "google%2ecom", "www.google.de", "fb", "Facebook", "News.Example", "news.example", "www.news.example", "www.www.news.example",
		"xn--bcher-kva.example", "bücher.example", "BÜCHER.example", "https://news.example", "news.example/a", "news.example:80", "x", "[::1]", "a..b", "www.",
	}
	var events []event.Event
	add := func(e event.Event) {
		e.Site, e.UA = "a", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
		if e.Name == "" {
			e.Name = event.Pageview
		}
		for range len(events)%7 + 1 {
			e.Visitor = event.Visitor(uint64(len(events)+1) * 0x9e3779b97f4a7c15)
			events = append(events, e)
		}
	}
	for _, v := range texts {
		add(event.Event{URL: "https://a/?utm_source=" + url.QueryEscape(v) + "&utm_medium=" + url.QueryEscape(v) + "&utm_campaign=" + url.QueryEscape(v) +
			"&utm_content=" + url.QueryEscape(v) + "&utm_term=" + url.QueryEscape(v)})
		add(event.Event{URL: "https://a/?ref=" + v})
		add(event.Event{URL: "https://a/" + v, Name: v, Props: []event.Prop{{Key: "k", Value: v}}})
		add(event.Event{URL: "https://" + v + "/", Referrer: "https://" + v + "/"})
		add(event.Event{URL: "https://a/#" + v, Referrer: "https://b.example/" + v, HashRoute: true})
		add(event.Event{URL: "https://a/a%2520b", Referrer: "https://web.archive.example/2020/https://b.example/" + v, Country: "UK"})
	}
	add(event.Event{})
	add(event.Event{URL: "about:blank", Referrer: "https://b.example/", Country: "XX"})

	d, agg := enrich.New(enrich.Options{}), window.NewAgg(0)
	for i := range events {
		var r window.Row
		d.Row(&events[i], &r)
		d.Origin(&events[i], &r)
		agg.AddRow(&r)
	}
	m := &memory{windows: []*window.Window{agg.Window("a", 0, event.TimeOf(time.Date(2024, 9, 5, 12, 0, 0, 0, time.UTC)), 1, true)}}
	s := mustServer(t, testOptions{Reader: m})
	const base = `{"site_id":"a","metrics":["events"],"date_range":["2024-09-05","2024-09-05"]`
	for dim, least := range map[string]int{
		"visit:utm_source": 38, "visit:utm_medium": 38, "visit:utm_campaign": 38, "visit:utm_content": 38, "visit:utm_term": 38, "visit:source": 25,
		"visit:referrer": 40, "event:page": 40, "event:hostname": 10, "event:name": 35, "event:props:k": 35, "visit:country": 2, "visit:browser": 1,
	} {
		rows := answerOf(t, s, base+`,"dimensions":["`+dim+`"],"pagination":{"limit":1000}}`).Results
		if len(rows) < least {
			t.Errorf("%s has %d rows, want at least %d: the test tests little", dim, len(rows), least)
		}
		for _, row := range rows {
			value, _ := json.Marshal(row.Dimensions[0])
			got := answerOf(t, s, base+`,"filters":[["is","`+dim+`",[`+string(value)+`]]]}`).Results
			if fmt.Sprint(got[0].Metrics) != fmt.Sprint(row.Metrics) {
				t.Errorf("%s %s: the row has %v, the filter %v", dim, value, row.Metrics, got[0].Metrics)
			}
		}
	}
}
