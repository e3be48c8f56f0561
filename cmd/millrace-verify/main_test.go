package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"millrace/cmd/internal/cli"
	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

// asProgram makes the test binary behave as millrace-verify itself, for the workers that a scenario
// starts.
const asProgram = "MILLRACE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}

func mustRun(tb testing.TB, code int, args ...string) string {
	tb.Helper()
	var out, errs bytes.Buffer
	if got := run(tb.Context(), args, strings.NewReader(""), &out, &errs); got != code {
		tb.Fatalf("%s %s exits with %d, want %d\n%s%s", program, strings.Join(args, " "), got, code, out.String(), errs.String())
	}
	return out.String()
}

// A mistake in the flags is exit code 2, and help is none.
func TestUsage(t *testing.T) {
	mustRun(t, cli.ExitOK, "--help")
	mustRun(t, cli.ExitOK)
	for _, args := range []string{"fly", "chaos --events=-1 --scenario kills", "attack --for 90s", "attack --events 0", "sim --seeds 0", "sim --seed 1",
		"queries --events 10", "queries --queries 0", "soak", "soak --dir x --speed 0", "soak --dir x --for 1m --warm-up 1m", "soak --dir x --batch 1001"} {
		mustRun(t, cli.ExitUsage, strings.Fields(args)...)
	}
}

// The simulator's command says what it played; the attack's compares.
func TestSimAndAttack(t *testing.T) {
	out := mustRun(t, cli.ExitOK, "sim", "--seeds", "1", "--first", "40")
	for _, want := range []string{"1 seeds from 40", "wrong", "0"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the output\n%s", want, out)
		}
	}
	out = mustRun(t, cli.ExitOK, "attack", "--events", "2000", "--base", "2000", "--for", "1m")
	if !strings.Contains(out, "its recount          equal") {
		t.Errorf("no recount in the output\n%s", out)
	}
}
