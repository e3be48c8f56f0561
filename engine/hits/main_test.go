package hits_test

import (
	"flag"
	"os"
	"testing"

	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

// seeds is how many logs of each kind of traffic are played: CI's step kills plays more.
var seeds = flag.Uint64("seeds", 4, "number of logs of each kind")

func TestMain(m *testing.M) {
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}
