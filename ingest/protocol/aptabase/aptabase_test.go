package aptabase

import (
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestRefuse: what is to be sent again has a status at which apps do so, and what is not has none.
func TestRefuse(t *testing.T) {
	f := func(ref protocol.Refusal, want int) {
		t.Helper()
		var r protocol.Request
		r.Ctx = &fasthttp.RequestCtx{}
		handler{}.Refuse(&r, &ref)
		if got := r.Ctx.Response.StatusCode(); got != want {
			t.Errorf("%d with retry %q: %d, want %d", ref.Status, ref.RetryAfter, got, want)
		}
	}
	f(protocol.Refusal{Status: 400}, 400)
	f(protocol.Refusal{Status: 413}, 413)
	f(protocol.Refusal{Status: 500}, 400)
	f(protocol.Refusal{Status: 429, RetryAfter: "1"}, 503)
	f(protocol.Refusal{Status: 503, RetryAfter: "2"}, 503)
}

// sites has one site with a token.
type sites struct{}

func (sites) Configured(site string) bool         { return site == "a.example" }
func (sites) ConfiguredWWW(string) (string, bool) { return "", false }
func (sites) Any() bool                           { return false }
func (sites) Token(token string) (string, bool)   { return "a.example", token == "A-SH-1" }
func (sites) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, text string, batch, trusted bool) ([]protocol.Input, error) {
	p.Reset()
	var head fasthttp.RequestHeader
	head.Set("App-Key", "A-SH-1")
	rd := reader{Parser: p, sites: sites{}, trusted: trusted, now: now, head: &head}
	if err := rd.body([]byte(text), batch); err != nil {
		return nil, err
	}
	return p.Inputs(), nil
}

// TestID: an event that is sent again has the id that it had, another one has another.
func TestID(t *testing.T) {
	var p protocol.Parser
	id := func(fields string) string {
		t.Helper()
		inputs, err := read(&p, `{"eventName":"A",`+fields+`}`, false, false)
		if err != nil {
			t.Fatal(err)
		}
		return string([]byte(inputs[0].ID)) // which outlives the parser's memory
	}
	first := id(`"sessionId":"1","timestamp":"2026-03-04T05:06:07.123Z","props":{"a":1}`)
	if again := id(`"sessionId":"1","timestamp":"2026-03-04T05:06:07.123Z","props":{"a":1},"systemProps":{}`); first == "" || again != first {
		t.Errorf("%q is %q when it is sent again", first, again)
	}
	for _, other := range []string{
		`"sessionId":"2","timestamp":"2026-03-04T05:06:07.123Z","props":{"a":1}`,
		`"sessionId":"1","timestamp":"2026-03-04T05:06:07.124Z","props":{"a":1}`,
		`"sessionId":"1","timestamp":"2026-03-04T05:06:07.123Z","props":{"a":2}`,
	} {
		if id(other) == first {
			t.Errorf("%s has the id of another", other)
		}
	}
	for _, none := range []string{`"sessionId":"1"`, `"timestamp":"2026-03-04T05:06:07.123Z"`} {
		if got := id(none); got != "" {
			t.Errorf("%s: %q", none, got)
		}
	}
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		if _, err := read(&p, `{"eventName":"A",`+fields+`}`, false, false); err == nil {
			t.Errorf("aptabase took %s", fields)
		}
	})
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "{}", "[]", `[{"eventName":"A"},5,{"eventName":"B","props":"{\"a\":{\"b\":1}}"},{"eventName":"C","props":"{\"a\":2}"}]`,
		`{"eventName":"pageview","sessionId":17,"timestamp":"2026-03-04T05:06:07Z","systemProps":{"locale":"de","isDebug":true,"appVersion":"1\n2","osName":"iOS"},"props":{"revenue":1.5,"x":null}}`,
		`{"eventName":"A","sessionId":"1","timestamp":"2099-03-04T05:06:07Z","props":[],"systemProps":[]}`,
	} {
		f.Add([]byte(body), false, false)
		f.Add([]byte(body), true, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, batch, trusted bool) {
		var p protocol.Parser
		inputs, err := read(&p, string(text), batch, trusted)
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Trusted: trusted, Now: now}.Check(t)
	})
}
