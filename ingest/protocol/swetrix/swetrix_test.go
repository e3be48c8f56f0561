package swetrix

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// sites has one site with a token.
type sites struct{}

func (sites) Configured(site string) bool         { return site == "a.example" }
func (sites) ConfiguredWWW(string) (string, bool) { return "", false }
func (sites) Any() bool                           { return false }
func (sites) Token(token string) (string, bool)   { return "a.example", token == "P" }
func (sites) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, k kind, text string, trusted bool) ([]protocol.Input, error) {
	p.Reset()
	root, err := p.Document([]byte(text))
	if err != nil {
		return nil, err
	}
	var head fasthttp.RequestHeader
	head.Set("X-Client-IP-Address", "198.51.100.9")
	rd := reader{Parser: p, sites: sites{}, trusted: trusted, head: &head}
	if err := rd.event(k, root); err != nil {
		return nil, err
	}
	return p.Inputs(), nil
}

// TestURL: a page is a path, beside which its query is sent.
func TestURL(t *testing.T) {
	var p protocol.Parser
	f := func(fields, want string) {
		t.Helper()
		inputs, err := read(&p, view, `{"pid":"P",`+fields+`}`, false)
		if err != nil || inputs[0].URL != want {
			t.Errorf("%s: %v %v, want %s", fields, inputs, err, want)
		}
	}
	f(`"pg":null`, "")
	f(`"pg":"/1"`, "https://a.example/1")
	f(`"pg":"/1","qs":"utm_source=news","so":"news"`, "https://a.example/1?utm_source=news")
	f(`"pg":"/1?a=b","qs":"a=b"`, "https://a.example/1?a=b")
	f(`"pg":"/#/x","qs":"a=b"`, "https://a.example/?a=b#/x")
	f(`"pg":"/1","so":"a%20b","me":"<gclid>","ca":"x"`, "https://a.example/1?utm_source=a+b&utm_medium=cpc&utm_campaign=x")
	f(`"pg":"https://b.example/1"`, "https://b.example/1")
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		body := `{"pid":"P","ev":"x",` + strings.Replace(fields, `"props"`, `"meta"`, 1) + `}`
		if _, err := read(&p, custom, body, false); err == nil {
			t.Errorf("swetrix took %s", fields)
		}
	})
}

// FuzzRead: any body gives an error that names something, or an event that survives the way through
// the topic.
func FuzzRead(f *testing.F) {
	for k, body := range []string{
		`{"pid":"P","pg":"/1","lc":"de","ref":"https://b.example/","so":"a","qs":"b=c","meta":{"a":1},"perf":{}}`,
		`{"pid":"P","ev":"pageview","pg":"x#y","meta":{"revenue":"1.5","currency":"eur","a":null,"b":{"c":[1]}}}`,
		`{"pid":"P","name":"TypeError","message":"x\ny","lineno":3,"colno":null,"stackTrace":["a"]}`,
		`{"pid":"P","profileId":"u"}`,
	} {
		f.Add(uint8(k), []byte(body), false)
		f.Add(uint8(k), []byte(body), true)
	}
	f.Add(uint8(0), []byte(`{"pg":"/"}`), false)
	f.Add(uint8(0), []byte(`[]`), false)
	f.Fuzz(func(t *testing.T, k uint8, text []byte, trusted bool) {
		var p protocol.Parser
		inputs, err := read(&p, kind(k%4), string(text), trusted)
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Trusted: trusted, Now: now}.Check(t)
	})
}
