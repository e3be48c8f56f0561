package ingest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/internal/site"
)

// beacon is a view as a tracker sends it, of the client %s.
type beacon struct{ name, method, uri, body string }

const viewed = "https%3A%2F%2Fa.example%2F"

var beacons = []beacon{
	{"v1", "POST", "/v1/events", `{"site":"a.example","name":"pageview","client_id":"%s"}`},
	{"ga4", "POST", "/g/collect?v=2&tid=G-1&en=page_view&cid=%s&dl=" + viewed, ""},
	{"ga4 in lines", "POST", "/g/collect?v=2&tid=G-1&cid=%s&dl=" + viewed, "en=page_view\nen=scroll"},
	{"measurement", "POST", "/mp/collect?measurement_id=G-1&api_secret=x", `{"client_id":"%s","events":[{"name":"page_view"}]}`},
	{"ua", "GET", "/collect?v=1&tid=G-1&t=pageview&cid=%s&dl=" + viewed, ""},
	{"ua in lines", "POST", "/batch", "v=1&tid=G-1&t=pageview&cid=%s&dl=" + viewed + "\nv=1&tid=G-1&t=pageview&cid=%s&dl=" + viewed},
	{"matomo", "GET", "/matomo.php?idsite=G-1&rec=1&_id=%s&url=" + viewed, ""},
	{"matomo bulk", "POST", "/matomo.php", `{"requests":["?idsite=G-1&rec=1&_id=%s&url=` + viewed + `","?idsite=G-1&rec=1&_id=%s&url=` + viewed + `"]}`},
	{"umami", "POST", "/api/send", `{"type":"event","payload":{"website":"G-1","hostname":"a.example","url":"/","id":"%s"}}`},
	{"posthog", "POST", "/e/", `{"api_key":"G-1","batch":[{"event":"$pageview","properties":{"distinct_id":"later","$device_id":"%s"}}]}`},
	{"posthog-node", "POST", "/batch/", `{"api_key":"G-1","batch":[{"event":"$pageview","distinct_id":"%s"}]}`},
	{"segment", "POST", "/v1/page", `{"writeKey":"G-1","type":"page","anonymousId":"%s","userId":"later","properties":{"url":"https://a.example/"}}`},
	{"jitsu", "POST", "/api/s/page", `{"writeKey":"G-1:***","type":"page","messageId":"1","anonymousId":"%s","userId":null,"properties":{"url":"https://a.example/"}}`},
	{"countly", "POST", "/i", "app_key=G-1&device_id=%s&events=" + url.QueryEscape(`[{"key":"x","count":1}]`)},
	{"snowplow", "POST", "/com.snowplowanalytics.snowplow/tp2",
		`{"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4","data":[{"e":"pv","tv":"js-4","p":"web","aid":"G-1","duid":"%s","url":"https://a.example/"}]}`},
	{"mixpanel", "POST", "/track/", `data=` + url.QueryEscape(`[{"event":"x","properties":{"token":"G-1","distinct_id":"$device:`) + "%s" + url.QueryEscape(`"}}]`)},
	{"amplitude", "POST", "/2/httpapi", `{"api_key":"G-1","events":[{"event_type":"x","user_id":"later","device_id":"%s"}]}`},
}

// send sends a beacon of a client from an address, and returns the visitors of its events.
func (b beacon) send(t *testing.T, o func(*Options), addr, client string, headers ...string) (visitors []event.Visitor) {
	t.Helper()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, o)
	fill := strings.NewReplacer("%s", client)
	res := call(c, addr, b.method, fill.Replace(b.uri), fill.Replace(b.body), headers...)
	if res.StatusCode()/100 != 2 {
		t.Fatalf("%s: status %d: %s", b.name, res.StatusCode(), res.Body())
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, e := range allEvents(readAll(t, cluster)) {
		visitors = append(visitors, e.Visitor)
	}
	return visitors
}

// ofSite are options of one site.
func ofSite(s site.Site) func(*Options) {
	s.ID, s.Tokens = "a.example", []string{"G-1"}
	return func(o *Options) { o.Sites = []site.Site{s} }
}

// TestClientIDs: of every tracker that has an id of its client, a client is one visitor at whatever address, on a site that
// wants that, and the address is on one that does not. The trackers of one page have one visitor if they have one id.
func TestClientIDs(t *testing.T) {
	const other = "198.51.100.9"
	byClient, cookieless := ofSite(site.Site{ClientIDs: true}), ofSite(site.Site{})
	var ada event.Visitor
	for _, b := range beacons {
		here, there := b.send(t, byClient, outside, "ada"), b.send(t, byClient, other, "ada")
		if ada == 0 {
			ada = here[0]
		}
		for _, v := range append(here, there...) {
			if v != ada {
				t.Errorf("%s: %s, elsewhere %s, want %s", b.name, here, there, ada)
			}
		}
		if eve := b.send(t, byClient, outside, "eve"); eve[0] == ada {
			t.Errorf("%s: another client is the same visitor", b.name)
		}
	}
	for _, b := range beacons[:2] {
		if here := b.send(t, cookieless, outside, "ada"); here[0] == ada || here[0] == b.send(t, cookieless, other, "ada")[0] {
			t.Errorf("%s: the client counts on a cookieless site", b.name)
		}
		// What is no id of a client would be one visitor for all.
		for _, none := range []string{"", "undefined", "0", "00000000-0000-0000-0000-000000000000", strings.Repeat("x", 600)} {
			if b.name == "v1" && len(none) > 512 {
				continue // refused
			}
			if b.send(t, byClient, outside, none)[0] == b.send(t, byClient, other, none)[0] {
				t.Errorf("%s: all who have the id %.10q are one", b.name, none)
			}
		}
	}
}

// TestClientForMonths: a client is the same visitor in another month, without a second id at midnight, and in one partition; who has no
// id is another one on each day.
func TestClientForMonths(t *testing.T) {
	cluster := mustCluster(t)
	clock := &fakeClock{t: time.Date(2026, 3, 4, 23, 59, 0, 0, time.UTC)}
	c := mustOpen(t, cluster, func(o *Options) {
		o.Now = clock.now
		o.Sites = []site.Site{{ID: "a.example", ClientIDs: true, Shards: 8}}
	})
	for _, name := range []string{"first", "later", "last"} {
		for i, id := range []string{"", `,"client_id":"ada"`} {
			body := fmt.Sprintf(`{"site":"a.example","name":"%s %d"%s}`, name, i, id)
			if res := call(c, outside, "POST", "/v1/events", body); res.StatusCode() != 202 {
				t.Fatalf("%d: %s", res.StatusCode(), res.Body())
			}
		}
		clock.set(clock.now().Add(2 * time.Minute))
		if name == "later" {
			clock.set(clock.now().AddDate(0, 1, 0))
		}
	}
	c.Close()
	all := visitorsOf(t, cluster)
	if ada := all["first 1"]; ada[0] == 0 || ada[1] != 0 || all["later 1"] != ada || all["last 1"] != ada {
		t.Errorf("by id: %s %s %s", ada, all["later 1"], all["last 1"])
	}
	if all["later 0"][1] != all["first 0"][0] || all["later 0"][0] == all["first 0"][0] || all["last 0"][0] == all["later 0"][0] {
		t.Errorf("without: %s %s %s", all["first 0"], all["later 0"], all["last 0"])
	}
	partitions := map[int32]bool{}
	for _, r := range readAll(t, cluster) {
		for _, e := range r.events {
			if strings.HasSuffix(e.Name, " 1") {
				partitions[r.partition] = true
			}
		}
	}
	if len(partitions) != 1 {
		t.Errorf("one visitor is in partitions %v", partitions)
	}
}

// TestObjections: who objects, by whatever signal, is not known by the id of the client, or is not counted, or is as all others, as
// the site has it.
func TestObjections(t *testing.T) {
	signal := map[string]func(o func(*Options), client string) []event.Visitor{
		"GPC": func(o func(*Options), client string) []event.Visitor {
			return beacons[0].send(t, o, outside, client, "Sec-GPC", "1")
		},
		"DNT": func(o func(*Options), client string) []event.Visitor {
			return beacons[0].send(t, o, outside, client, "DNT", "1")
		},
		"SP-Anonymous": func(o func(*Options), client string) []event.Visitor {
			for _, b := range beacons {
				if b.name == "snowplow" {
					return b.send(t, o, outside, client, "SP-Anonymous", "*")
				}
			}
			return nil
		},
	}
	ga := func(consent string) func(o func(*Options), client string) []event.Visitor {
		return func(o func(*Options), client string) []event.Visitor {
			return beacon{"ga4", "POST", "/g/collect?v=2&tid=G-1&en=page_view&cid=%s&" + consent + "&dl=" + viewed, ""}.send(t, o, outside, client)
		}
	}
	signal["gcs"], signal["gcd"], signal["both"] = ga("gcs=G110"), ga("gcd=13p3p3p3p5l1"), ga("gcs=G100&gcd=13t3t3t3t5l1")
	for name, send := range signal {
		by := ofSite(site.Site{ClientIDs: true})
		if send(by, "ada")[0] != send(by, "eve")[0] {
			t.Errorf("%s: the client's id is taken", name)
		}
		if got := send(ofSite(site.Site{ClientIDs: true, Objections: site.Drop}), "ada"); len(got) > 0 {
			t.Errorf("%s: not dropped", name)
		}
		by = ofSite(site.Site{ClientIDs: true, Objections: site.Ignore})
		if send(by, "ada")[0] == send(by, "eve")[0] {
			t.Errorf("%s: the client's id is not taken", name)
		}
	}
	for _, granted := range []string{"gcs=G111&npa=1", "gcs=G101&gcd=13p3p3p3p5l1", "gcd=13p3t3p3p5l1", "npa=1", "gcd=1"} {
		if got := ga(granted)(ofSite(site.Site{Objections: site.Drop}), "ada"); len(got) != 1 {
			t.Errorf("%s: dropped, and it is no objection to be counted", granted)
		}
	}
}
