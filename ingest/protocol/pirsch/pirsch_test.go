package pirsch

import (
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
func (sites) Token(token string) (string, bool)   { return "a.example", token == "C" }
func (sites) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, k kind, text string, server, batch bool) ([]protocol.Input, error) {
	p.Reset()
	rd := reader{Parser: p, sites: sites{}, now: now, server: server}
	if server {
		rd.keySite = "a.example"
	}
	if err := rd.body(k, []byte(text), batch); err != nil {
		return nil, err
	}
	return p.Inputs(), nil
}

func TestReferrer(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := referrer(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("news", "news")
	f("100%", "100%")
	f("https://a.example/100%25", "https://a.example/100%25")
	f("https%3A%2F%2Fwww.google.com%2F%3Fq%3Da%2520b", "https://www.google.com/?q=a%20b")
	f("https%3A%2F%2", "https%3A%2F%2")
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		if _, err := read(&p, custom, `{"identification_code":"C","event_name":"A",`+fields+`}`, false, false); err == nil {
			t.Errorf("pirsch took %s", fields)
		}
	})
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "{}", "[]", `[{"url":"https://a.example/1","ip":"1.2.3.4","user_agent":"x","accept_language":"de-AT,de","time":"2026-03-04T05:06:00Z"},5,{"event_name":"B","tags":{"a":{"b":1}}}]`,
		`{"identification_code":"C","event_name":"pageview","event_duration":12,"event_meta":{"revenue":"3.5","x":[1]},"url":"https://a.example/1?q","title":"t","referrer":"https%3A%2F%2Fb.example%2F","screen_width":800,"screen_height":600,"non_interactive":true}`,
		`{"identification_code":"C","event_name":"A","url":"x","screen_width":"1.5","event_meta":5,"tags":[]}`,
	} {
		for k := range uint8(3) {
			f.Add(k, []byte(body), false, false)
			f.Add(k, []byte(body), true, true)
		}
	}
	f.Fuzz(func(t *testing.T, k uint8, text []byte, server, batch bool) {
		var p protocol.Parser
		inputs, err := read(&p, kind(k%3), string(text), server, batch)
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Trusted: server, Now: now}.Check(t)
	})
}

// FuzzQuery: any query gives an error that names something, or an event that survives the way
// through the topic.
func FuzzQuery(f *testing.F) {
	f.Add("nc=1&code=C&url=https%3A%2F%2Fa.example%2F1&t=x&ref=y&w=1&h=2&tag_a=b&tag_=c&tag_a=d", false)
	f.Add("code=C&url=x&t=%ff%00", true)
	f.Fuzz(func(t *testing.T, text string, isPing bool) {
		var p protocol.Parser
		var args fasthttp.Args
		args.Parse(text)
		rd := reader{Parser: &p, sites: sites{}, now: now}
		k := view
		if isPing {
			k = ping
		}
		err := rd.query(k, &args)
		protocoltest.Reading{Body: []byte(text), Inputs: p.Inputs(), Err: err, Now: now, Form: true}.Check(t)
	})
}
