package sensors

import (
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestRefuse: a list that is refused for ever has the status at which the library lets go of it.
func TestRefuse(t *testing.T) {
	f := func(list bool, ref protocol.Refusal, want int) {
		t.Helper()
		var r protocol.Request
		r.Ctx = &fasthttp.RequestCtx{}
		if list {
			r.State = batch{}
		}
		handler{}.Refuse(&r, &ref)
		if got := r.Ctx.Response.StatusCode(); got != want {
			t.Errorf("list %v, %s %d: %d, want %d", list, ref.Reason, ref.Status, got, want)
		}
	}
	for _, list := range []bool{true, false} {
		given := 400
		if list {
			given = 200
		}
		f(list, protocol.Refusal{Reason: protocol.ReasonInvalid, Status: 400}, given)
		f(list, protocol.Refusal{Reason: protocol.ReasonSite, Status: 400}, 400)
		f(list, protocol.Refusal{Reason: protocol.ReasonTooLarge, Status: 413}, 200) // a body that is not read may be a list
		f(list, protocol.Refusal{Reason: protocol.ReasonRate, Status: 429, RetryAfter: "1"}, 429)
		f(list, protocol.Refusal{Reason: protocol.ReasonKafka, Status: 503, RetryAfter: "2"}, 503)
	}
	f(true, protocol.Refusal{Reason: protocol.ReasonBug, Status: 500}, 200)
	f(false, protocol.Refusal{Reason: protocol.ReasonBug, Status: 500}, 500)
}

// sites takes any site and has one token and a currency.
type sites struct{}

func (sites) Configured(string) bool              { return false }
func (sites) ConfiguredWWW(string) (string, bool) { return "", false }
func (sites) Any() bool                           { return true }
func (sites) Token(token string) (string, bool)   { return "a.example", token == "T" }
func (sites) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

func read(p *protocol.Parser, text string, trusted bool) ([]protocol.Input, error) {
	p.Reset()
	rd := reader{Parser: p, sites: sites{}, trusted: trusted, now: now, token: "T"}
	if err := rd.events([]byte(text)); err != nil {
		return nil, err
	}
	return p.Inputs(), nil
}

// TestID: an event that is sent again has the id that it had, another one has another.
func TestID(t *testing.T) {
	var p protocol.Parser
	id := func(fields string) string {
		t.Helper()
		inputs, err := read(&p, `{"type":"track","event":"A",`+fields+`}`, false)
		if err != nil {
			t.Fatal(err)
		}
		return string([]byte(inputs[0].ID)) // which outlives the parser's memory
	}
	first := id(`"anonymous_id":"a","distinct_id":"a","time":1796017908385,"_track_id":754258389,"_flush_time":1`)
	if again := id(`"anonymous_id":"a","distinct_id":"a","time":1796017908385,"_track_id":754258389,"_flush_time":2`); first == "" || again != first {
		t.Errorf("%q is %q when it is sent again", first, again)
	}
	for _, other := range []string{
		`"anonymous_id":"b","distinct_id":"b","time":1796017908385,"_track_id":754258389`,
		`"anonymous_id":"a","distinct_id":"a","time":1796017908386,"_track_id":754258389`,
		`"anonymous_id":"a","distinct_id":"a","time":1796017908385,"_track_id":754258380`,
	} {
		if id(other) == first {
			t.Errorf("%s has the id of another", other)
		}
	}
	for _, none := range []string{`"time":1796017908385,"_track_id":1`, `"distinct_id":"a","_track_id":1`, `"distinct_id":"a","time":1`} {
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
		if _, err := read(&p, `{"type":"track","event":"A",`+fields+`}`, false); err == nil {
			t.Errorf("sensors took %s", fields)
		}
	})
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", "eyJ0eXBlIjoidHJhY2siLCJldmVudCI6IkEifQ==", `{"type":"track"}`, `[{"type":"track","event":"A","properties":null},5,{"type":"profile_set"}]`,
		`{"type":"track","event":"$pageview","time":1772600766000,"_track_id":7,"distinct_id":"d","anonymous_id":"a","properties":{"$url":"https://a.example/?q","$referrer":"取值异常","$title":"x\n","$screen_width":1,"$screen_height":2,"$ip":"::ffff:1.2.3.4"}}`,
		`{"type":"track","event":"pageview","properties":{"a":{"b":[1]},"$x":1,"revenue":1,"currency":"eur"}}`,
		`{"type":"track","event":"$WebStay","properties":{"event_duration":1e300}}`,
		`{"type":"track","event":"$WebClick","properties":{"$element_content":"Buy","revenue":"x"}}`,
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, trusted bool) {
		var p protocol.Parser
		inputs, err := read(&p, string(text), trusted)
		if err != nil {
			protocoltest.CheckError(t, text, err)
			return
		}
		if plain, err := new(protocol.Parser).Base64(string(text)); err != nil && !protocoltest.Strict(text) {
			t.Fatalf("%q is no JSON, and was taken", text)
		} else if err == nil && !protocoltest.Strict(plain) {
			t.Fatalf("%q is no JSON, and was taken", plain)
		}
		if len(inputs) > 0 { // nothing is kept of some
			protocoltest.CheckInputs(t, inputs, trusted, now)
		}
	})
}
