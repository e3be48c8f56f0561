package testgc

import (
	"flag"
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
		os.Stdout.WriteString(map[int]string{100: "100", 250: "250", percent: "300"}[was])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRelax(t *testing.T) {
	f := func(want, gogc string, args ...string) {
		t.Helper()
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), asChild+"=relax", variable+"="+gogc)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("GOGC=%q %v: %s (%v), want %s", gogc, args, out, err, want)
		}
	}
	f("300", "")
	f("250", "250")
	f("100", "", "-test.short")
	f("100", "", "-test.bench=.")
	f("300", "", "child")
	f("250", "250", "child")
}
