package main

import (
	"os"
	"testing"

	"millrace/internal/testgc"
	"millrace/internal/testparallel"
	"millrace/internal/testtmp"
)

// asProgram makes the test binary behave as millrace itself, for tests that start and kill processes.
const asProgram = "MILLRACE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testparallel.Raise()
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}
