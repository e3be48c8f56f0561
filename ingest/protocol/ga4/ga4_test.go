package ga4

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// anySite is an installation that takes any site and has one token.
type anySite struct{}

func (anySite) Configured(string) bool              { return false }
func (anySite) ConfiguredWWW(string) (string, bool) { return "", false }
func (anySite) Any() bool                           { return true }
func (anySite) Token(token string) (string, bool) {
	return "a.example", token == "G-A"
}
func (anySite) Currency(string) string { return "" }

// FuzzRead: any query and body give an error that names something, or events that survive the way
// through the topic; and the twin of the Measurement Protocol takes whatever it is.
func FuzzRead(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{"tid=G-A&en=page_view&dl=https://a.example/&dr=%ff&ul=de&sr=1x1&dt=T&cs=a&cm=b", "en=x&ep.a=%00&epn.value=1&cu=eur\r\n\nen=scroll&_et=5"},
		{"tid=G-A&dl=about:blank", "en=purchase&epn.value=1e9&cu=EUR&pr1=ids1~nmA~pr3.5~qt2~k0a~v0b&pr2=~\nen=user_engagement&_et=-1\nep.a=1"},
		{"measurement_id=G-A", `{"client_id":"1.2","timestamp_micros":1772600767000000,"ip_override":"::1","user_agent":"x","user_properties":{"a":{"value":1},"b":"c"},` +
			`"device":{"language":"de"},"events":[{"name":"page_view","params":{"page_location":"https://a.example/","items":[{"price":1.5,"quantity":2}],"value":true}},{"name":"refund","params":{"items":[{"price":"1"}],"currency":"EUR"}}]}`},
		{"measurement_id=G-A", `{"events":[{"name":"_x","params":{"gtag.a":[],"":null}}],"validation_behavior":"ENFORCE_RECOMMENDATIONS"}`},
	} {
		f.Add(seed[0], []byte(seed[1]), false)
		f.Add(seed[0], []byte(seed[1]), true)
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text string, body []byte, trusted bool) {
		var query fasthttp.Args
		query.Parse(text)
		var p protocol.Parser
		check := func(read func(*reader) *protocol.FieldError) {
			r := reader{Parser: &p, sites: anySite{}, trusted: trusted, now: now}
			err := read(&r)
			protocoltest.Reading{Body: body, Inputs: p.Inputs(), Err: err, Trusted: trusted, Now: now, Empty: true, Form: true}.Check(t)
		}
		check(func(r *reader) *protocol.FieldError { return r.hits(&query, body) })
		check(func(r *reader) *protocol.FieldError { return r.measurement(stream(&query), body) })
		v := validation{Parser: &p, now: now}
		v.body(body)
		v.site(anySite{}, stream(&query))
		if len(v.messages) > maxMessages {
			t.Fatalf("%d messages", len(v.messages))
		}
	})
}
