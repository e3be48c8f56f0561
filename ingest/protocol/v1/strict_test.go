package v1

import (
	"testing"

	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		if _, err := Parse(&p, []byte(`{"site":"a.example","name":"x",`+fields+`}`), true, 1_700_000_000_000); err == nil {
			t.Errorf("v1 took %s", fields)
		}
		if _, err := Parse(&p, []byte("{\"site\":\"a.example\",\"name\":\"x\"}\n{\"site\":\"a.example\",\"name\":\"x\","+fields+"}"), true, 1_700_000_000_000); err == nil {
			t.Errorf("v1 took in a line %s", fields)
		}
	})
}

// Around a value there are the blanks of JSON, and no others.
func TestBlanks(t *testing.T) {
	var p protocol.Parser
	const event = `{"site":"a.example","name":"x"}`
	f := func(body string, taken bool) {
		t.Helper()
		if _, err := Parse(&p, []byte(body), true, 1_700_000_000_000); (err == nil) != taken {
			t.Errorf("%q: %v", body, err)
		}
	}
	f(" \t\r\n"+event+" \t\r\n", true)
	f(event+"\r\n\r\n\t"+event+"\r\n", true)
	for _, blank := range []string{"\v", "\f", "\u00a0", "\u0085", "\u2028", "\ufeff"} {
		f(blank+event, false)
		f(event+blank, false)
		f(event+"\n"+event+blank, false)
	}
}
