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
