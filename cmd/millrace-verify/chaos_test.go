package main

import (
	"strings"
	"testing"

	"millrace/cmd/internal/cli"
)

// The command lists scenarios, prints the seed, starts workers of its own program, and ends with
// what it found.
func TestChaos(t *testing.T) {
	list := mustRun(t, cli.ExitOK, "chaos", "--list")
	for _, name := range []string{"kills", "points", "idle", "poison"} {
		if !strings.Contains(list, name) {
			t.Errorf("%s is not in the list\n%s", name, list)
		}
	}
	t.Setenv(asProgram, "1") // of the workers
	out := mustRun(t, cli.ExitOK, "chaos", "--scenario", "kills", "--seed", "3", "--events", "500", "--times", "1")
	for _, want := range []string{"kills, seed 3", "500 events", "self-audit     1 logs: ", "a number that was falsified found", "wrong          0"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the output\n%s", want, out)
		}
	}
	mustRun(t, cli.ExitUsage, "chaos", "--scenario", "nothing")
	mustRun(t, cli.ExitUsage, "chaos")
}
