package main

import (
	"os"
	"testing"
)

// asProgram makes the test binary behave as millrace itself, for tests that start and kill processes.
const asProgram = "MILLRACE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}
