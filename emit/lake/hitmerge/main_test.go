package hitmerge

import (
	"os"
	"testing"

	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}
