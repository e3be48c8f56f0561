package umami

import (
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// sites has one site with a token.
type sites struct{}

func (sites) Configured(site string) bool         { return site == "a.example" }
func (sites) ConfiguredWWW(string) (string, bool) { return "", false }
func (sites) Any() bool                           { return false }
func (sites) Token(token string) (string, bool)   { return "a.example", token == "u" }
func (sites) Currency(string) string              { return "" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, text string, trusted bool) ([]protocol.Input, error) {
	p.Reset()
	root, err := p.Document([]byte(text))
	if err != nil {
		return nil, err
	}
	rd := reader{Parser: p, sites: sites{}, trusted: trusted, now: now}
	if err := rd.add(root); err != nil {
		return nil, err
	}
	return p.Inputs(), nil
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		body := `{"type":"event","payload":{"website":"u",` + strings.Replace(fields, `"props"`, `"data"`, 1) + `}}`
		if _, err := read(&p, body, false); err == nil {
			t.Errorf("umami took %s", fields)
		}
	})
}

// TestData: what data may hold.
func TestData(t *testing.T) {
	var p protocol.Parser
	f := func(data, want, adjusted string) {
		t.Helper()
		inputs, err := read(&p, `{"type":"event","payload":{"website":"u","name":"x","data":`+data+`}}`, false)
		if err != nil || len(inputs) != 1 {
			t.Errorf("%s: %d inputs, %v", data, len(inputs), err)
			return
		}
		var got strings.Builder
		for _, p := range inputs[0].Props {
			got.WriteString(p.Key + "=" + p.Value + ";")
		}
		if inputs[0].Currency != "" {
			got.WriteString(inputs[0].Amount.String() + " " + inputs[0].Currency)
		}
		if got.String() != want || p.Adjusted().String() != adjusted {
			t.Errorf("%.80s\ngot  %s, adjusted %q\nwant %s, adjusted %q", data, got.String(), p.Adjusted(), want, adjusted)
		}
	}
	f(`{}`, "", "")
	f(`null`, "", "")
	f(`[]`, "", "props")
	f(`5`, "", "props")
	f(`{"b":"1","a":2.50,"c":true,"d":null}`, "a=2.50;b=1;c=true;", "")
	f(`{"deep":{"a":[1,"x"],"b":{"c":1}}}`, `deep.a=[1,"x"];deep.b.c=1;`, "")
	f(`{"revenue":12.5,"currency":"eur","plan":"pro"}`, "plan=pro;12.5 EUR", "")
	f(`{"revenue":"12.5","currency":"EUR"}`, "12.5 EUR", "")
	f(`{"revenue":12.5}`, "revenue=12.5;", "")
	f(`{"currency":"EUR"}`, "currency=EUR;", "")
	f(`{"revenue":"much","currency":"EUR"}`, "currency=EUR;revenue=much;", "revenue")
	f(`{"revenue":1,"currency":"EURO"}`, "currency=EURO;revenue=1;", "revenue")
	f(`{"order":{"revenue":1,"currency":"EUR"},"revenue":2,"currency":"USD"}`, "order.currency=EUR;order.revenue=1;2 USD", "")
	const maxDepth = 8
	f(strings.Repeat(`{"a":`, maxDepth)+`1`+strings.Repeat(`}`, maxDepth), strings.Repeat("a.", maxDepth-1)+"a=1;", "")
	f(strings.Repeat(`{"a":`, maxDepth+1)+`1`+strings.Repeat(`}`, maxDepth+1), "", "props")
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", `{"type":"event"}`, `{"type":"event","payload":{"website":"u"}}`,
		`{"type":"event","payload":{"hostname":"www.a.example","url":"/x#y","referrer":"r","title":"t","tag":"g","name":"pageview","screen":"1x1","language":"de"}}`,
		`{"type":"event","payload":{"website":"u","url":"https://b.example/","name":"\u0000","data":{"a":{"b":[1]},"revenue":1,"currency":"eur"}}}`,
		`{"type":"event","payload":{"website":"u","title":"%00%e2%82%ac"}}`,
		`{"type":"identify","payload":{"website":"u","id":"x","data":{}}}`,
		`{"type":"performance","payload":{"website":"u","lcp":1.5,"cls":0,"duration":7}}`,
		`{"type":"engagement","payload":{"website":"u","engagement":5000}}`,
		`{"type":"event","payload":{"website":"u","timestamp":1772600000,"ip":"::ffff:1.2.3.4","userAgent":"x"}}`,
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, trusted bool) {
		var p protocol.Parser
		inputs, err := read(&p, string(text), trusted)
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Trusted: trusted, Now: now, Empty: true}.Check(t)
	})
}
