package testgc

import (
	"flag"
	"os"
	"runtime/debug"
	"strconv"
)

// percent is what GOGC is set to. At 300 a quarter of the processor time of these tests is gone; above it there is
// little left to gain, and two packages at a time should not need gigabytes.
const percent = 300

// variable is read by the runtime of each process as it starts.
const variable = "GOGC"

// Relax is called by TestMain before it runs the tests. A GOGC of the environment stays.
func Relax() {
	if !flag.Parsed() {
		flag.Parse()
	}
	short, bench := flag.Lookup("test.short").Value.String(), flag.Lookup("test.bench").Value.String()
	if os.Getenv(variable) != "" || short == "true" || bench != "" {
		return
	}
	if err := os.Setenv(variable, strconv.Itoa(percent)); err != nil {
		panic(err)
	}
	debug.SetGCPercent(percent)
}
