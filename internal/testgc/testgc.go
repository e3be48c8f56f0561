package testgc

import (
	"errors"
	"flag"
	"os"
	"runtime/debug"
	"strconv"
)

const (
	// percent is what GOGC is set to: tests that throw away less than that many times four megabytes are never collected.
	percent = 1000
	// limit bounds what a process may grow to by it: near it the collector runs as often as it has to.
	limit = 512 << 20
)

// Both are read by the runtime of each process as it starts.
const (
	variable      = "GOGC"
	limitVariable = "GOMEMLIMIT"
)

// Relax is called by TestMain before it runs the tests. A GOGC or a GOMEMLIMIT of the environment stays, and nothing is
// changed then.
func Relax() {
	if !flag.Parsed() {
		flag.Parse()
	}
	short, bench := flag.Lookup("test.short").Value.String(), flag.Lookup("test.bench").Value.String()
	if os.Getenv(variable) != "" || os.Getenv(limitVariable) != "" || short == "true" || bench != "" {
		return
	}
	if err := errors.Join(os.Setenv(variable, strconv.Itoa(percent)), os.Setenv(limitVariable, strconv.Itoa(limit))); err != nil {
		panic(err)
	}
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(limit)
}
