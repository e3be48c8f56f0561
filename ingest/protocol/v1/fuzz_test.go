package v1

import (
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

const oneEvent = `{"site":"a.example","name":"x"}`

// FuzzParse: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		oneEvent, "[" + oneEvent + "]", oneEvent + "\n" + oneEvent, "", "[]", "{", "nul", `[[[[`,
		`{"site":"a.example","name":"x","ts":1700000000000,"ip":"1.2.3.4","ua":"u","visitor":"v","props":{"b":1e5,"a":true},` +
			`"revenue":{"amount":"1.00005","currency":"EUR"},"screen":"1x1","language":"de","id":"1","url":"a://b","referrer":"\ud800"}`,
		`{"site":"a.example","name":"x","revenue":{"amount":"99999999999999.99999","currency":"EUR"}}`, // rounded it is too long to be read
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, body []byte, trusted bool) {
		var p protocol.Parser
		inputs, err := Parse(&p, body, trusted, now)
		if err != nil {
			protocoltest.CheckError(t, body, err)
			return
		}
		if !protocoltest.Strict(body) {
			t.Fatalf("%q is no JSON, and was taken", body)
		}
		protocoltest.CheckInputs(t, inputs, trusted, now)
	})
}
