package testparallel

import (
	"flag"
	"runtime"
	"strconv"
	"testing"
)

func TestRaise(t *testing.T) {
	f := flag.Lookup("test.parallel")
	before := f.Value.String()
	given := false
	flag.Visit(func(v *flag.Flag) { given = given || v == f })
	want := strconv.Itoa(perProcessor * runtime.GOMAXPROCS(0))
	if given {
		want = before
	}
	Raise()
	if got := f.Value.String(); got != want {
		t.Errorf("%s tests at a time, want %s", got, want)
	}
}
