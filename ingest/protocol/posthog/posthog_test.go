package posthog

import (
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
func (sites) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, text []byte, trusted bool) ([]protocol.Input, *protocol.FieldError) {
	rd := reader{Parser: p, sites: sites{}, trusted: trusted, now: now}
	err := rd.read(text)
	return p.Inputs(), err
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		body := `{"api_key":"u","event":"x","properties":{` + fields + `}}`
		if _, err := read(&p, []byte(body), false); err == nil {
			t.Errorf("posthog took %s", fields)
		}
	})
}

// TestCurrency: an amount without a currency is in that of the site.
func TestCurrency(t *testing.T) {
	var p protocol.Parser
	inputs, err := read(&p, []byte(`{"api_key":"u","event":"x","properties":{"revenue":12.5}}`), false)
	if err != nil || len(inputs) != 1 || inputs[0].Currency != "EUR" || inputs[0].Amount.String() != "12.5" {
		t.Errorf("%+v, %v", inputs, err)
	}
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", "5", `{"event":"x"}`, `{"api_key":"u","event":"$pageleave"}`, `[{"event":"x","properties":{"token":"u"}}]`,
		`{"api_key":"u","batch":[{"event":"x","uuid":"i","timestamp":"2026-03-04T05:06:07Z","properties":{"a":{"b":[1]},"revenue":1,"currency":"eur"}},{"event":"$identify"},7]}`,
		`{"event":"$pageview","properties":{"$current_url":"https://www.a.example/x","$referrer":"r","$screen_width":1.5,"$screen_height":9,"$lib":"web","utm_source":"s","title":"t"}}`,
		`{"event":"\u0000","properties":{"$current_url":"https://a.example/","utm_source":"s","utm_term":5,"$ip":"::1","$user_agent":"x"}}`,
		`{"api_key":"u","event":"$pageleave","properties":{"$prev_pageview_duration":4.8,"$prev_pageview_max_content_percentage":0.5}}`,
		`{"api_key":"u","event":"$exception","properties":{"$exception_list":[{"type":"E","value":"v"}]}}`,
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, trusted bool) {
		var p protocol.Parser
		inputs, err := read(&p, text, trusted)
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Trusted: trusted, Now: now, Empty: true}.Check(t)
	})
}

// FuzzDecoded: what data of a form hold is decoded or refused, and never grows.
func FuzzDecoded(f *testing.F) {
	for _, data := range []string{"", "e30=", "e30", "e3 0", "_-8", "{}", "[", "***"} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := decoded(data)
		if err != nil {
			protocoltest.CheckError(t, data, err)
		} else if len(out) > len(data) {
			t.Fatalf("%d bytes became %d", len(data), len(out))
		}
	})
}
