package query

import (
	"testing"

	"go.uber.org/goleak"

	"millrace/internal/testgc"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	goleak.VerifyTestMain(m)
}
