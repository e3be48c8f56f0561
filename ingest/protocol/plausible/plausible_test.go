package plausible

import (
	"testing"

	"millrace/ingest/protocol/protocoltest"
)

func TestScripts(t *testing.T) { protocoltest.Run(t, "testdata", Protocol()) }
