package plausible

import (
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	names := strings.NewReplacer(`"props"`, `"p"`, `"revenue"`, `"$"`, `"referrer"`, `"r"`, `"language"`, `"x"`, `"referre\u0072"`, `"\u0072"`)
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		fields = names.Replace(fields)
		if _, err := parse(&p, `{"n":"pageview","u":"https://a.example/",`+fields+`}`); err == nil {
			t.Errorf("plausible took %s", fields)
		}
	})
}

// FuzzParse: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", "nul", `{"site":"a.example","name":"x"}`,
		`{"n":"engagement","i":false,"u":"https://www.x.example:80/?#","d":"a,b","p":"{\"x\":1}","$":"{\"amount\":1,\"currency\":\"EUR\"}","sd":5,"w":7}`,
		`{"name":"x","url":"https://x.example/","domain":"a,b,_","props":{"b":1e5,"a":true,"c":null},"revenue":{"amount":"1.00005","currency":"eur"},` +
			`"referrer":"\ud7ff","hashMode":1,"version":3,"e":1.5,"interactive":"no"}`,
	} {
		f.Add([]byte(body))
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p protocol.Parser
		inputs, err := parse(&p, string(text))
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Now: now}.Check(t)
	})
}
