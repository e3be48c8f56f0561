package testgc

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"testing"
)

// asChild makes the test binary print what its collector is set to, after Relax where it is "relax".
const asChild = "MILLRACE_TEST_GC"

func TestMain(m *testing.M) {
	if mode := os.Getenv(asChild); mode != "" {
		if mode == "relax" {
			Relax()
		}
		was := debug.SetGCPercent(-1)
		if mode == "relax" && len(flag.Args()) > 0 { // a child of its own
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), asChild+"=plain")
			cmd.Stdout = os.Stdout
			if err := cmd.Run(); err != nil {
				panic(err)
			}
			os.Exit(0)
		}
		fmt.Print(was, " ", debug.SetMemoryLimit(-1)>>20)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRelax(t *testing.T) {
	f := func(want, gogc, limit string, args ...string) {
		t.Helper()
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), asChild+"=relax", variable+"="+gogc, limitVariable+"="+limit)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("GOGC=%q GOMEMLIMIT=%q %v: %s (%v), want %s", gogc, limit, args, out, err, want)
		}
	}
	const none = math.MaxInt64 >> 20
	relaxed, plain := fmt.Sprint(percent, " ", limit>>20), fmt.Sprint("100 ", none)
	f(relaxed, "", "")
	f(fmt.Sprint("250 ", none), "250", "")
	f("100 64", "", "64MiB")
	f(plain, "", "", "-test.short")
	f(plain, "", "", "-test.bench=.")
	f(relaxed, "", "", "child")
	f(fmt.Sprint("250 ", none), "250", "", "child")
}
