package main

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// asProgram makes the test binary behave as millrace itself, for tests that start and kill processes.
const asProgram = "MILLRACE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	flag.Parse()
	moreAtATime()
	os.Exit(m.Run())
}

// moreAtATime runs three tests at a time for each processor, unless -parallel says otherwise. These
// tests mostly wait: for a minute's numbers, a time-out, a process.
func moreAtATime() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
}
