package plausible

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

// sent is an event that a beacon has become, of what this file looks at.
type sent struct {
	Name, URL, Referrer, Language, Screen, Currency string
	Props                                           []event.Prop
	Scroll                                          event.Percent
	Engaged                                         event.Time
	Ping, NonInteractive                            bool
}

// parse reads a body.
func parse(p *protocol.Parser, text string) ([]protocol.Input, error) {
	b := body{Parser: p}
	b.Reset()
	if err := b.read(b.Begin([]byte(text)), []byte(text)); err != nil {
		return nil, err
	}
	return p.Inputs(), nil
}

// one reads a body of one event and returns that and what was adjusted.
func one(t *testing.T, p *protocol.Parser, text string) (sent, string) {
	t.Helper()
	inputs, err := parse(p, text)
	if err != nil || len(inputs) != 1 {
		t.Errorf("%d inputs, %v", len(inputs), err)
		return sent{}, ""
	}
	e := &inputs[0]
	return sent{e.Name, e.URL, e.Referrer, e.Language, e.Screen, e.Currency, e.Props, e.Scroll, e.Engaged, e.Ping, e.NonInteractive}, p.Adjusted().String()
}

// A view that Plausible's tracker sends counts whatever is beside it; what can't be used is cut or
// left out.
func TestPlausibleAdjusts(t *testing.T) {
	var p protocol.Parser
	base := func() sent { return sent{Name: "pageview", URL: "https://x.example/1"} }
	f := func(fields, adjusted string, change func(*sent)) {
		t.Helper()
		want := base()
		if change != nil {
			change(&want)
		}
		body := `{"n":"pageview","u":"https://x.example/1","d":"x.example",` + fields + `}`
		got, adj := one(t, &p, body)
		if len(got.Props) == 0 {
			got.Props = nil
		}
		if !reflect.DeepEqual(got, want) || adj != adjusted {
			t.Errorf("%.100s\ngot  %+v, adjusted %q\nwant %+v, adjusted %q", fields, got, adj, want, adjusted)
		}
	}
	props := func(list ...string) func(*sent) {
		return func(e *sent) {
			for i := 0; i < len(list); i += 2 {
				e.Props = append(e.Props, event.Prop{Key: list[i], Value: list[i+1]})
			}
		}
	}
	f(`"r":null`, "", nil)
	f(`"r":5`, "referrer", nil)
	f(`"r":{"a":1}`, "referrer", nil)
	f(`"r":"https://r.example/`+strings.Repeat("é", 3000)+`"`, "referrer", func(e *sent) { e.Referrer = "https://r.example/" + strings.Repeat("é", 2039) })
	f(`"r":"https://r.example/a\u0000b"`, "referrer", func(e *sent) { e.Referrer = "https://r.example/ab" })
	f(`"r":"https://r.example/","referrer":"https://s.example/"`, "referrer", func(e *sent) { e.Referrer = "https://r.example/" })
	f(`"w":1280`, "", func(e *sent) { e.Screen = "1280x0" })
	f(`"w":1280.5`, "", func(e *sent) { e.Screen = "1280x0" })
	f(`"w":0`, "", nil)
	f(`"w":-1`, "screen", nil)
	f(`"w":1e999`, "screen", nil)
	f(`"w":"wide"`, "screen", nil)
	f(`"p":{"a":"1","b":2,"c":true,"d":null}`, "", props("a", "1", "b", "2", "c", "true"))
	f(`"p":[]`, "props", nil)
	f(`"p":"no JSON"`, "props", nil)
	f(`"p":"{\"a\":01}"`, "props", nil)
	f(`"p":"{\"a\":1,\"a\":2}"`, "props", nil)
	f(`"p":"[1]"`, "props", nil)
	f(`"p":"","m":{"a":1}`, "props", nil)
	f(`"p":{"a":1},"props":{"b":1}`, "props", props("a", "1"))
	f(`"p":{"a":"1","b":{},"c":[1],"":"x","e":"2"}`, "props", props("a", "1", "e", "2"))
	f(`"p":{"`+strings.Repeat("k", 301)+`":"x","b":"y"}`, "props", props("b", "y"))
	f(`"p":{"a":"`+strings.Repeat("é", 1001)+`"}`, "props", props("a", strings.Repeat("é", 1000)))
	f(`"p":{"a":"x\ny"}`, "props", props("a", "x y"))
	f(`"p":{"a":"\tx\r\ny z\u007f"}`, "props", props("a", " x  y z "))
	f(`"p":"{\"a\":\"x\\ny\"}"`, "props", props("a", "x y"))
	many, kept := `"p":{`, []string(nil)
	for i := range 40 {
		key := string(rune('z'-i%20)) + strconv.Itoa(i)
		many += `"` + key + `":` + strconv.Itoa(i) + `,`
		if i < protocol.MaxProps {
			kept = append(kept, key, strconv.Itoa(i))
		}
	}
	f(strings.TrimSuffix(many, ",")+"}", "props", func(e *sent) {
		props(kept...)(e)
		slices.SortFunc(e.Props, func(a, b event.Prop) int { return strings.Compare(a.Key, b.Key) })
	})
	f(`"$":{"amount":1.5,"currency":"EUR"}`, "", func(e *sent) { e.Currency = "EUR" })
	f(`"$":{"amount":1.5,"currency":"eur"}`, "", func(e *sent) { e.Currency = "EUR" })
	f(`"$":"{\"amount\":1.5,\"currency\":\" Eur\"}"`, "", func(e *sent) { e.Currency = "EUR" })
	f(`"$":{"amount":1.5,"currency":"euro"}`, "revenue", nil)
	f(`"$":{"amount":"x","currency":"EUR"}`, "revenue", nil)
	f(`"$":{"currency":"EUR"}`, "revenue", nil)
	f(`"$":7`, "revenue", nil)
	f(`"$":"{"`, "revenue", nil)
	f(`"$":{"amount":1,"currency":"EUR"},"p":5,"r":5`, "referrer, props", func(e *sent) { e.Currency = "EUR" })
	f(`"e":"long","sd":1000`, "engagement", nil)
	f(`"later":{"any":["thing"]}`, "", nil)

	g := func(body, adjusted string, want sent) {
		t.Helper()
		got, adj := one(t, &p, body)
		if !reflect.DeepEqual(got, want) || adj != adjusted {
			t.Errorf("%.100s\ngot  %+v, adjusted %q\nwant %+v, adjusted %q", body, got, adj, want, adjusted)
		}
	}
	g(`{"n":"`+strings.Repeat("é", 61)+`","u":"https://x.example/"}`, "name", sent{Name: strings.Repeat("é", 60), URL: "https://x.example/"})
	g(`{"n":"Buy\nnow","u":"https://x.example/"}`, "name", sent{Name: "Buy now", URL: "https://x.example/"})
	g(`{"n":"\u0000Buy\r\nnow\t","u":"https://x.example/"}`, "name", sent{Name: "Buy  now", URL: "https://x.example/"})
	g(`{"n":"pageview\n","u":"https://x.example/","i":false}`, "name", sent{Name: "pageview", URL: "https://x.example/"})
	g(`{"n":"x","u":"https://x.example/`+strings.Repeat("é", 5000)+`"}`, "url", sent{Name: "x", URL: "https://x.example/" + strings.Repeat("é", 2039)})
	g(`{"n":"engagement","u":"https://x.example/","sd":0}`, "", sent{Name: "engagement", URL: "https://x.example/", Ping: true, NonInteractive: true, Scroll: event.PercentOf(0)})
	g(`{"n":"engagement","u":"https://x.example/","sd":100.9,"e":7}`, "engagement", sent{Name: "engagement", URL: "https://x.example/", Ping: true, NonInteractive: true, Engaged: 7})
	g(`{"n":"engagement","u":"https://x.example/","sd":"far","e":-1}`, "engagement", sent{Name: "engagement", URL: "https://x.example/", Ping: true, NonInteractive: true})
}

// Without domains the site is the host of the address, however that is written.
func TestPlausibleHost(t *testing.T) {
	var p protocol.Parser
	f := func(url, site, stored string) {
		t.Helper()
		inputs, err := parse(&p, `{"n":"pageview","u":"`+url+`"}`)
		if err != nil || len(inputs) != 1 || inputs[0].Site != site || inputs[0].URL != stored || p.Adjusted() != 0 {
			t.Errorf("%s: %+v, adjusted %q, %v", url, inputs, p.Adjusted(), err)
		}
	}
	f(` https://a.example/ `, "a.example", "https://a.example/")
	f(`\r\n\thttps://a.example/x y\n`, "a.example", "https://a.example/x y")
	f(`https://a.example./`, "a.example", "https://a.example./")
	f(`https://www.A.example.:8080?x`, "a.example", "https://www.A.example.:8080?x")
	f(`https://u:p@a.example/`, "a.example", "https://u:p@a.example/")
	f(`https://www.münchen.example/`, "xn--mnchen-3ya.example", "https://www.münchen.example/")
	f(`https://m%C3%BCnchen.example/`, "xn--mnchen-3ya.example", "https://m%C3%BCnchen.example/")
	f(`https://XN--mnchen-3ya.example./`, "xn--mnchen-3ya.example", "https://XN--mnchen-3ya.example./")
	f(`https://xn--a.example/`, "xn--a.example", "https://xn--a.example/")
}

// An address without a host counts for the domains that are named, and is refused without them.
func TestPlausibleNoHost(t *testing.T) {
	var p protocol.Parser
	f := func(url, stored string) {
		t.Helper()
		inputs, err := parse(&p, `{"n":"pageview","u":"`+url+`","d":"a.example"}`)
		if err != nil || len(inputs) != 1 || inputs[0].Site != "a.example" || inputs[0].URL != stored {
			t.Errorf("%s: %+v, %v", url, inputs, err)
		}
		if _, err = parse(&p, `{"n":"pageview","u":"`+url+`"}`); err == nil || !strings.Contains(err.Error(), "domain") {
			t.Errorf("%s without a domain: %v", url, err)
		}
	}
	f("/pricing?a=1", "/pricing?a=1")
	f("pricing", "pricing")
	f("file:///index.html", "file:///index.html")
	f("app:/start", "app:/start")
	f("", "/")
	for _, u := range []string{`"data:text/html,x"`, `"DATA:x"`, `null`, `5`} {
		if _, err := parse(&p, `{"n":"pageview","u":`+u+`,"d":"a.example"}`); err == nil || !strings.Contains(err.Error(), "url") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// In hash mode the event says that the fragment is part of the page; its address is kept as it was
// sent.
func TestPlausibleHashMode(t *testing.T) {
	var p protocol.Parser
	f := func(h string, want bool) {
		t.Helper()
		inputs, err := parse(&p, `{"n":"pageview","u":"https://a.example/#/about",`+h+`"d":"a.example"}`)
		if err != nil || inputs[0].HashRoute != want || inputs[0].URL != "https://a.example/#/about" {
			t.Errorf("%s: %+v, %v", h, inputs, err)
		}
	}
	f(``, false)
	f(`"h":1,`, true)
	f(`"h":true,`, true)
	f(`"hashMode":"1",`, true)
	f(`"h":0,`, false)
	f(`"h":false,`, false)
	f(`"h":null,`, false)
}

// An event is plain if all of its texts are, numbers and cut texts too.
func TestPlain(t *testing.T) {
	f := func(fields string, plain bool) {
		t.Helper()
		var p protocol.Parser
		inputs, err := parse(&p, `{"n":"x","u":"https://a.example/","d":"a.example,b.example",`+fields+`}`)
		if err != nil || len(inputs) != 2 {
			t.Fatalf("%s: %d inputs, %v", fields, len(inputs), err)
		}
		for i := range inputs {
			if inputs[i].Plain != plain {
				t.Errorf("%s: input %d is plain: %v", fields, i, !plain)
			}
			var x event.Encoder
			if got, want := x.Append(nil, &inputs[i].Event, inputs[i].Plain, inputs[i].PropsText), inputs[i].Append(nil); string(got) != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
	f(`"p":{"a":1.5,"b":true,"c":"d"},"w":1280`, true)
	f(`"p":"{\"a\":\"b\"}","r":" https://b.example/ "`, true)
	f(`"p":{"a":"`+strings.Repeat("x", 3000)+`"}`, true)
	f(`"p":{"a":{"b":1}}`, false)
	f(`"p":{"a":"\"b\""}`, false)
	f(`"p":{"é":1}`, false)
	f(`"r":"https://b.example/é"`, false)
	f(`"id":"a\\b"`, false)
}
