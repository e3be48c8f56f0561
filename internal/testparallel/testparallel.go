package testparallel

import (
	"flag"
	"runtime"
	"strconv"
)

// perProcessor is how many tests of a package run at a time for each processor.
const perProcessor = 4

// Raise is called by TestMain before it runs the tests. What -parallel says on the command line stays.
func Raise() {
	if !flag.Parsed() {
		flag.Parse()
	}
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(perProcessor*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
}
