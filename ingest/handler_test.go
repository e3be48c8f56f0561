package ingest

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

func TestV1OneEventArrayAndNDJSON(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	f := func(body, answer string) {
		t.Helper()
		res := call(c, outside, "POST", "/v1/events", body, "Accept-Language", "de-AT,de;q=0.9")
		if res.StatusCode() != 202 || string(res.Body()) != answer {
			t.Errorf("%s:\ngot  %d %s\nwant 202 %s", body, res.StatusCode(), res.Body(), answer)
		}
	}
	f(`{"site":"a.example","name":"pageview","url":"https://a.example/x?y=1","referrer":"https://b.example/","language":"fr",
		"screen":"1280x720","props":{"z":"ü","a":1.50,"b":true,"n":null},"revenue":{"amount":12.5,"currency":"EUR"},"id":"e1"}`,
		`{"accepted":1}`)
	f(`[{"site":"a.example","name":"x","id":"e2"},{"site":"b.example","name":"y","id":"e3","url":null}]`, `{"accepted":2}`)
	f("{\"site\":\"a.example\",\"name\":\"x\",\"id\":\"e4\"}\n\n{\"site\":\"c.example\",\"name\":\"\\u0041\\u00fc\",\"id\":\"e5\",\"props\":{\"k\":2}}\n",
		`{"accepted":2}`)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]event.Event)
	for _, e := range allEvents(readAll(t, cluster)) {
		if _, twice := got[e.ID]; twice {
			t.Errorf("event %q is there twice", e.ID)
		}
		got[e.ID] = e
	}
	if len(got) != 5 {
		t.Fatalf("%d events, want 5", len(got))
	}
	e := got["e1"]
	if e.Received == 0 || e.Time != e.Received || e.Visitor == 0 {
		t.Errorf("times %d and %d, visitor %s", e.Time, e.Received, e.Visitor)
	}
	e.Time, e.Received, e.Visitor, e.VisitorPrev = 0, 0, 0, 0
	want := `{"id":"e1","site":"a.example","name":"pageview","ts":0,"received":0,"visitor":"0000000000000000","url":"https://a.example/x?y=1",` +
		`"referrer":"https://b.example/","ua":"` + chrome + `","language":"fr","screen":"1280x720",` +
		`"props":{"a":"1.50","b":"true","z":"ü"},"revenue":{"amount":"12.5","currency":"EUR"},"client":"v1"}`
	if s := string(e.Append(nil)); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if got["e2"].Language != "de-AT" || got["e5"].Name != "Aü" || got["e5"].Props[0] != (event.Prop{Key: "k", Value: "2"}) {
		t.Errorf("got %+v and %+v", got["e2"], got["e5"])
	}
}

func TestV1RefusesBadInputAndStoresNothing(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) { o.Sites = []Site{{ID: "a.example"}} })
	f := func(body string, status int, answer string) {
		t.Helper()
		res := call(c, outside, "POST", "/v1/events", body)
		if res.StatusCode() != status || string(res.Body()) != answer {
			t.Errorf("%.200s:\ngot  %d %s\nwant %d %s", body, res.StatusCode(), res.Body(), status, answer)
		}
	}
	bad := func(body, msg string) {
		t.Helper()
		f(body, 400, `{"error":"`+msg+`"}`)
	}
	// with returns an event with more fields.
	with := func(fields string) string { return `{"site":"a.example","name":"x",` + fields + `}` }
	bad("", `the body is empty`)
	bad(" \n ", `the body is empty`)
	bad("[]", `the array has no events`)
	bad("nonsense", `not JSON: cannot parse JSON: unexpected value found: \"nonsense\"; unparsed tail: \"nonsense\"`)
	bad(`{"site":"a.example"`, `not JSON: cannot parse JSON: cannot parse object: unexpected end of object; unparsed tail: \"\"`)
	bad("{\n\"site\": \"a.example\",\n\"name\": }", `not JSON: cannot parse JSON: cannot parse object: cannot parse object value: cannot parse number: unexpected char: \"}\"; unparsed tail: \"}\"`)
	bad(`"x"`, `an event is a JSON object, this is a JSON string`)
	bad(`[1]`, `events[0]: an event is a JSON object, this is a JSON number`)
	bad(`{"name":"x"}`, `site: is missing`)
	bad(`{"site":"a.example"}`, `name: is missing`)
	bad(`{"site":"a.example","name":""}`, `name: is missing`)
	bad(`{"site":"A b","name":"x"}`, `site: \"A b\" is no site id: 1 to 253 of a-z 0-9 . -`)
	bad(`{"site":"b.example","name":"x"}`, `site: \"b.example\" is not a configured site`)
	bad(`{"site":5,"name":"x"}`, `site: a JSON number, want a string`)
	bad(with(`"nmae":"y"`), `nmae: unknown field`)
	bad(with(`"name":"y"`), `name: is given twice`)
	bad(with(`"url":"/page"`), `url: \"/page\" is not a full address such as https://example.com/page`)
	bad(with(`"url":"data:text/html,x"`), `url: \"data:text/html,x\" is not a full address such as https://example.com/page`)
	bad(with(`"url":"https://a/`+strings.Repeat("x", 4096)+`"`), `url: is 4106 bytes long, at most 4096 are allowed`)
	bad(with(`"id":"`+strings.Repeat("x", 65)+`"`), `id: is 65 bytes long, at most 64 are allowed`)
	bad(with(`"screen":"big"`), `screen: \"big\" is not WIDTHxHEIGHT, such as 1280x720`)
	bad(with(`"language":"a\u0000b"`), `language: holds a control character at byte 1`)
	bad(with("\"referrer\":\"https://x/\xff\""), `referrer: is not valid UTF-8`)
	bad(with(`"props":[]`), `props: a JSON array, want an object`)
	bad(with(`"props":{"a":{}}`), `props: the value of \"a\" is a JSON object, want a string, number or boolean`)
	bad(with(`"props":{"a":1,"a":2}`), `props: the key \"a\" is given twice`)
	bad(with(`"props":{"":1}`), `props: a key is empty`)
	bad(with(`"props":{"a":1.0.1}`), `props: the value of \"a\" is not a number`)
	bad(with(`"revenue":5`), `revenue: a JSON number, want an object with amount and currency`)
	bad(with(`"revenue":{"currency":"EUR"}`), `revenue.amount: is missing`)
	bad(with(`"revenue":{"amount":"x","currency":"EUR"}`), `revenue.amount: \"x\" is not a decimal number of at most 14 places before the point`)
	bad(with(`"revenue":{"amount":1,"currency":"eur"}`), `revenue.currency: \"eur\" is not an ISO 4217 code of three capitals`)
	bad(with(`"revenue":{"amount":1,"curency":"EUR"}`), `revenue.curency: unknown field`)
	for _, field := range []string{`"ts":1700000000000`, `"ip":"1.2.3.4"`, `"ua":"x"`, `"visitor":"u1"`} {
		name := strings.Split(field, `"`)[1]
		bad(with(field), name+`: only trusted callers may send it: from the loopback interface, or with a write key`)
	}
	bad(`[{"site":"a.example","name":"x"},{"site":"a.example","name":"x"},{"site":"a.example","name":"x"},{"site":"a.example","name":"x","props":7}]`,
		`events[3].props: a JSON number, want an object`)
	bad("{\"site\":\"a.example\",\"name\":\"x\"}\n{\"site\":\"a.example\"}", `line 2: name: is missing`)
	bad("{\"site\":\"a.example\",\"name\":\"x\"}\n{]", `line 2: not JSON: cannot parse JSON: cannot parse object: cannot find opening '\"\" for object key; unparsed tail: \"]\"`)
	bad(`[`+strings.Repeat(`{"site":"a.example","name":"x"},`, 1000)+`{}]`, `1001 events, at most 1000 are allowed in a request`)
	f(`{"site":"a.example","name":"`+strings.Repeat("x", 2<<20)+`"}`, 413, `{"error":"the body is larger than 1048576 bytes"}`)

	res := call(c, outside, "GET", "/v1/events", "")
	if res.StatusCode() != 405 || string(res.Header.Peek("Allow")) != "POST, OPTIONS" {
		t.Errorf("GET: %d, Allow %q", res.StatusCode(), res.Header.Peek("Allow"))
	}
	c.Close()
	if n := len(allEvents(readAll(t, cluster))); n != 0 {
		t.Errorf("%d events were stored", n)
	}
}

func TestTrustedCallers(t *testing.T) {
	cluster := mustCluster(t)
	key := "3q2-7wAB"
	c := mustOpen(t, cluster, func(o *Options) {
		o.WriteKeys = []WriteKey{{Hash: sha256.Sum256([]byte("other"))}, {Hash: sha256.Sum256([]byte(key)), Sites: []string{"a.example"}}}
		o.TrustedProxies = enrich.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
		o.CountryHeader = "CF-IPCountry"
	})
	f := func(id, from, site string, status int, headers ...string) {
		t.Helper()
		body := `{"site":"` + site + `","name":"x","id":"` + id + `","ts":"2026-01-02T03:04:05.678+01:00","ip":"8.8.8.8","ua":"MyUA","visitor":"user 7"}`
		res := call(c, from, "POST", "/v1/events", body, headers...)
		if res.StatusCode() != status {
			t.Errorf("%s: got %d %s, want %d", id, res.StatusCode(), res.Body(), status)
		}
	}
	f("loopback", loopback, "a.example", 202)
	f("loopback6", "::1", "a.example", 202)
	f("forwarded", loopback, "a.example", 400, "X-Forwarded-For", "127.0.0.1")
	f("via", loopback, "a.example", 400, "Via", "1.1 proxy")
	f("browser", loopback, "a.example", 400, "Origin", "https://evil.example")
	f("outside", outside, "a.example", 400)
	f("key", outside, "a.example", 202, "Authorization", "Bearer "+key)
	f("case", outside, "a.example", 202, "Authorization", "bearer "+key)
	f("wrong key", outside, "a.example", 401, "Authorization", "Bearer nonsense")
	f("basic", outside, "a.example", 401, "Authorization", "Basic "+key)
	f("wrong key at home", loopback, "a.example", 401, "Authorization", "Bearer nonsense")
	f("other site", outside, "b.example", 403, "Authorization", "Bearer "+key)
	// The user agent of a server says nothing about its visitors unless it is given.
	for id, ua := range map[string]string{"server": "", "with-ua": `,"ua":"MyUA"`} {
		call(c, loopback, "POST", "/v1/events", `{"site":"a.example","name":"x","id":"`+id+`"`+ua+`}`)
	}
	// A wrong time, from a trusted caller.
	g := func(ts, msg string) {
		t.Helper()
		res := call(c, loopback, "POST", "/v1/events", `{"site":"a.example","name":"x","ts":`+ts+`}`)
		if want := `{"error":"ts: ` + msg + `"}`; res.StatusCode() != 400 || string(res.Body()) != want {
			t.Errorf("ts %s: got %d %s\nwant %s", ts, res.StatusCode(), res.Body(), want)
		}
	}
	g(`1700000000`, `1970-01-20T16:13:20.000Z is before 1995: it is in milliseconds since 1970`)
	g(`4102444800000`, `2100-01-01T00:00:00.000Z is more than 60 s in the future`)
	g(`"yesterday"`, `\"yesterday\" is neither milliseconds nor RFC 3339, as 2026-01-31T12:00:00Z`)
	g(`1.5`, `1.5 is not a whole number of milliseconds`)
	g(`true`, `a JSON true, want milliseconds or an RFC 3339 string`)
	c.Close()
	events := make(map[string]event.Event)
	for _, e := range allEvents(readAll(t, cluster)) {
		events[e.ID] = e
	}
	if len(events) != 6 {
		t.Errorf("%d events, want 6", len(events))
	}
	id, _ := enrich.New(testSecret)
	e := events["key"]
	if e.Time.String() != "2026-01-02T02:04:05.678Z" || e.UA != "MyUA" || e.Country != "US" || e.Client != "v1" ||
		e.Visitor != id.Named("a.example", "user 7") {
		t.Errorf("got %+v", e)
	}
	if s := events["server"]; s.Client != "v1.server" || s.UA != chrome {
		t.Errorf("got %+v", s)
	}
	if s := events["with-ua"]; s.Client != "v1" || s.UA != "MyUA" {
		t.Errorf("got %+v", s)
	}
}

// TestAddresses: who is believed about the client's address, and that the address is nowhere in Kafka.
func TestAddresses(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.TrustedProxies = enrich.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
		o.CountryHeader = "CF-IPCountry"
	})
	f := func(id, peer string, headers ...string) {
		t.Helper()
		res := call(c, peer, "POST", "/v1/events", `{"site":"a.example","name":"x","id":"`+id+`"}`, headers...)
		if res.StatusCode() != 202 {
			t.Errorf("%s: %d %s", id, res.StatusCode(), res.Body())
		}
	}
	f("direct", "8.8.8.8")
	f("proxied", "10.0.0.1", "X-Forwarded-For", "8.8.8.8")
	f("two proxies", "10.0.0.1", "X-Forwarded-For", "1.1.1.1, 8.8.8.8, 10.2.3.4")
	f("two headers", "10.0.0.1", "X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "8.8.8.8:5555")
	f("spoofed", "8.8.8.8", "X-Forwarded-For", "1.1.1.1", "CF-IPCountry", "DE")
	f("garbage", "8.8.8.8", "X-Forwarded-For", "for, you")
	f("country header", "10.0.0.1", "X-Forwarded-For", "8.8.8.8", "CF-IPCountry", "at")
	f("country unknown", "10.0.0.1", "X-Forwarded-For", "8.8.8.8", "CF-IPCountry", "XX")
	f("proxy garbage", "10.0.0.1", "X-Forwarded-For", "8.8.8.8, unknown")
	f("v6 one", "2a00:1450:4001:80b::200e")
	f("v6 other device", "2a00:1450:4001:80b:1:2:3:4")
	c.Close()
	records := readAll(t, cluster)
	got := make(map[string]event.Event)
	for _, r := range records {
		for _, addr := range []string{"8.8.8.8", "10.0.0.1", "1.1.1.1", "2a00:1450", "CAgICA", "08080808"} {
			if strings.Contains(string(r.value), addr) {
				t.Errorf("an address is in Kafka: %s", r.value)
			}
		}
		for _, e := range r.events {
			got[e.ID] = e
		}
	}
	google := got["direct"]
	for _, id := range []string{"proxied", "two proxies", "two headers", "spoofed", "garbage", "country header", "country unknown"} {
		if e := got[id]; e.Visitor != google.Visitor {
			t.Errorf("%s: visitor %s, want %s", id, e.Visitor, google.Visitor)
		}
		if want := map[bool]string{true: "AT", false: "US"}[id == "country header"]; got[id].Country != want {
			t.Errorf("%s: country %q, want %q", id, got[id].Country, want)
		}
	}
	if e := got["proxy garbage"]; e.Visitor == google.Visitor || e.Country != "" {
		t.Errorf("proxy garbage: %+v", e)
	}
	if a, b := got["v6 one"], got["v6 other device"]; a.Visitor != b.Visitor || a.Country == "" {
		t.Errorf("of one /64: %s %q and %s", a.Visitor, a.Country, b.Visitor)
	}
}

func TestPlausible(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	f := func(body string, status int, answer string, headers ...string) {
		t.Helper()
		res := call(c, outside, "POST", "/api/event", body, append([]string{"Content-Type", "text/plain"}, headers...)...)
		if res.StatusCode() != status || string(res.Body()) != answer {
			t.Errorf("%s:\ngot  %d %s\nwant %d %s", body, res.StatusCode(), res.Body(), status, answer)
		}
		if got := string(res.Header.Peek("Access-Control-Allow-Origin")); got != "*" {
			t.Errorf("%s: Access-Control-Allow-Origin %q", body, got)
		}
	}
	ok := func(body string) { t.Helper(); f(body, 202, "ok") }
	// What the real trackers were measured to send.
	ok(`{"n":"pageview","v":36,"u":"https://shop.example.com/1","d":"shop.example.com","r":"https://www.google.com/"}`)
	ok(`{"n":"Purchase","v":36,"u":"https://shop.example.com/2","d":"shop.example.com","p":{"a":"1"},"i":false,"$":{"amount":3.5,"currency":"USD"}}`)
	ok(`{"n":"old","u":"https://shop.example.com/3","d":"shop.example.com","r":null,"w":1280,"h":0,"p":"{\"b\":2}"}`)
	ok(`{"name":"pageview","url":"https://www.x.example:8443/4#f","referrer":"","props":{"c":true},"meta2":1}`)
	ok(`{"n":"pageview","u":"https://x.example/5","d":"One.example, two.example"}`)
	ok(`{"n":"engagement","u":"https://x.example/6","d":"x.example","sd":75,"e":12000,"p":{"a":"1"}}`)
	ok(`{"n":404,"u":"https://x.example/7","d":"x.example"}`)
	bad := func(body, field, msg string) {
		t.Helper()
		f(body, 400, `{"errors":{"`+field+`":["`+msg+`"]}}`)
	}
	bad(``, "body", "is empty")
	bad(`[]`, "body", "a JSON array, want an object")
	bad(`{"u":"https://x.example/"}`, "name", "is missing")
	bad(`{"n":"x"}`, "url", "is missing")
	bad(`{"n":"x","u":"data:x"}`, "url", `\"data:x\" is not a full address such as https://example.com/page`)
	bad(`{"n":"x","u":"https://x.example/","d":"a_b"}`, "domain", `\"a_b\" is no site id: 1 to 253 of a-z 0-9 . -`)
	bad(`{"n":"x","u":"https://x.example/","p":"{"}`, "props", `the string holds not JSON: cannot parse JSON: cannot parse object: missing '}'; unparsed tail: \"\"`)
	bad(`{"n":"engagement","u":"https://x.example/"}`, "sd", "an engagement event needs sd or e")
	bad(`{"n":"engagement","u":"https://x.example/","sd":101}`, "sd", "101 is not a whole number of 0 to 100")
	f(`{"n":"x","u":"https://x.example/"}`, 400, `{"errors":{"user_agent":["the header User-Agent is missing"]}}`, "User-Agent", "")
	c.Close()
	got := make(map[string]event.Event)
	for _, e := range allEvents(readAll(t, cluster)) {
		got[e.Site+" "+e.URL[len(e.URL)-1:]] = e
	}
	if len(got) != 8 {
		t.Errorf("%d events, want 8", len(got))
	}
	e := got["shop.example.com 2"]
	if e.Client != "plausible" || e.Currency != "USD" || e.Amount != 35000 || len(e.Props) != 1 || e.Name != "Purchase" {
		t.Errorf("got %+v", e)
	}
	if e := got["shop.example.com 3"]; e.Screen != "1280x0" || len(e.Props) != 1 || e.Props[0].Value != "2" {
		t.Errorf("got %+v", e)
	}
	if _, ok := got["x.example f"]; !ok {
		t.Error("the site was not taken from the URL")
	}
	one, two := got["one.example 5"], got["two.example 5"]
	if one.ID == two.ID || one.Visitor == two.Visitor || one.Visitor == 0 {
		t.Errorf("of two sites: %+v and %+v", one, two)
	}
	if e := got["x.example 6"]; len(e.Props) != 3 || e.Props[1] != (event.Prop{Key: "engagement_ms", Value: "12000"}) {
		t.Errorf("got %+v", e)
	}
	if e := got["x.example 7"]; e.Name != "404" {
		t.Errorf("got %+v", e)
	}
}

func TestPixel(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	res := call(c, outside, "GET", "/v1/pixel.gif?site=a.example&url=https%3A%2F%2Fa.example%2F1&p.k=v%20w&amount=1.5&currency=EUR&_=123", "")
	if res.StatusCode() != 200 || len(res.Body()) != 43 || string(res.Header.ContentType()) != "image/gif" || string(res.Header.Peek("Cache-Control")) != "no-store" {
		t.Errorf("got %d, %d bytes, %s", res.StatusCode(), len(res.Body()), res.Header.String())
	}
	call(c, outside, "GET", "/v1/pixel.gif?site=a.example&name=seen", "", "Referer", "https://a.example/2")
	f := func(query, msg string) {
		t.Helper()
		res := call(c, outside, "GET", "/v1/pixel.gif?"+query, "")
		if want := `{"error":"` + msg + `"}`; res.StatusCode() != 400 || string(res.Body()) != want {
			t.Errorf("%s: got %d %s\nwant %s", query, res.StatusCode(), res.Body(), want)
		}
	}
	f("", "site: is missing")
	f("site=x&site=y", "site: is given twice")
	f("site=x&nmae=y", "nmae: unknown parameter")
	f("site=x&ts=5", "ts: unknown parameter")
	f("site=x&url=nonsense", `url: \"nonsense\" is not a full address such as https://example.com/page`)
	f("site=x&amount=1", `revenue.currency: \"\" is not an ISO 4217 code of three capitals`)
	f("site=x&name=%00", `name: holds a control character at byte 0`)
	c.Close()
	events := allEvents(readAll(t, cluster))
	if len(events) != 2 {
		t.Fatalf("%d events, want 2", len(events))
	}
	e := events[0]
	if e.Name != "pageview" || e.URL != "https://a.example/1" || e.Props[0] != (event.Prop{Key: "k", Value: "v w"}) || e.Amount != 15000 || e.Client != "pixel" {
		t.Errorf("got %+v", e)
	}
	if e := events[1]; e.URL != "https://a.example/2" || e.Name != "seen" {
		t.Errorf("got %+v", e)
	}
}

func TestCORS(t *testing.T) {
	c := mustOpen(t, mustCluster(t), nil)
	for _, e := range endpoints {
		res := call(c, outside, "OPTIONS", e.path, "", "Origin", "https://a.example", "Access-Control-Request-Method", e.method)
		h := &res.Header
		if res.StatusCode() != 204 || len(res.Body()) != 0 ||
			string(h.Peek("Access-Control-Allow-Origin")) != "*" ||
			string(h.Peek("Access-Control-Allow-Methods")) != e.method+", OPTIONS" ||
			string(h.Peek("Access-Control-Allow-Headers")) != "*" ||
			string(h.Peek("Access-Control-Max-Age")) != "86400" ||
			len(h.Peek("Access-Control-Allow-Credentials")) != 0 {
			t.Errorf("%s: %d %s", e.path, res.StatusCode(), h.String())
		}
		// A page must be able to read why its beacon was refused.
		res = call(c, outside, e.method, e.path, "", "Origin", "https://a.example")
		if res.StatusCode() != 400 || string(res.Header.Peek("Access-Control-Allow-Origin")) != "*" {
			t.Errorf("%s: %d %s", e.path, res.StatusCode(), res.Header.String())
		}
	}
	if res := call(c, outside, "GET", "/elsewhere", ""); res.StatusCode() != 404 || c.Match([]byte("/elsewhere")) {
		t.Errorf("/elsewhere: %d", res.StatusCode())
	}
}

func TestDoNotTrack(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.Sites, o.AnySite = []Site{{ID: "strict.example", HonourDNT: true}}, true
	})
	f := func(path, body string, status int, answer, dropped string, headers ...string) {
		t.Helper()
		res := call(c, outside, "POST", path, body, headers...)
		if res.StatusCode() != status || string(res.Body()) != answer || string(res.Header.Peek("X-Millrace-Dropped")) != dropped {
			t.Errorf("%s: %d %s, dropped %q", body, res.StatusCode(), res.Body(), res.Header.Peek("X-Millrace-Dropped"))
		}
	}
	both := `[{"site":"strict.example","name":"x"},{"site":"other.example","name":"x"}]`
	f("/v1/events", both, 202, `{"accepted":2}`, "")
	f("/v1/events", both, 202, `{"accepted":1}`, "dnt", "Sec-GPC", "1")
	f("/v1/events", both, 202, `{"accepted":2}`, "", "DNT", "0")
	f("/api/event", `{"n":"x","u":"https://strict.example/"}`, 202, `ok`, "dnt", "DNT", "1")
	c.Close()
	n := make(map[string]int)
	for _, e := range allEvents(readAll(t, cluster)) {
		n[e.Site]++
	}
	if n["strict.example"] != 2 || n["other.example"] != 3 {
		t.Errorf("got %v", n)
	}
}

func TestRateLimits(t *testing.T) {
	clock := &fakeClock{t: testTime}
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.AddressRate, o.SiteRate, o.Now = 1, 2, clock.now })
	f := func(peer, body string, status int) {
		t.Helper()
		res := call(c, peer, "POST", "/v1/events", body)
		if res.StatusCode() != status || (status == 429) != (len(res.Header.Peek("Retry-After")) > 0) {
			t.Errorf("%s %s: got %d %s", peer, body, res.StatusCode(), res.Header.String())
		}
	}
	one := `{"site":"a.example","name":"x"}`
	f("198.51.100.1", one, 202)
	f("198.51.100.1", one, 202)
	f("198.51.100.1", "not even parsed", 429) // two at once is the burst of an address
	f("198.51.100.2", "["+one+","+one+"]", 202)
	f("198.51.100.3", one, 429) // four is that of the site
	f("198.51.100.3", `{"site":"b.example","name":"x"}`, 202)
	f("2001:db8::1", `{"site":"c.example","name":"x"}`, 202)
	f("2001:db8::2", `{"site":"c.example","name":"x"}`, 202)
	f("2001:db8::3", `{"site":"c.example","name":"x"}`, 429)
	clock.set(testTime.Add(1e9))
	f("198.51.100.1", one, 202)
	f("198.51.100.1", one, 429)
}
