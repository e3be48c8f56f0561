package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyNothing: a verification that compared nothing has an exit code of its own, of whatever reason.
func TestVerifyNothing(t *testing.T) {
	at := localPlace(t)
	log := filepath.Join(t.TempDir(), "access.log")
	line := `192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] "GET /a HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"` + "\n"
	if err := os.WriteFile(log, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, exitOK, at.args("import", "--format", "combined", "--site", "a.example", log)...)
	mustRun(t, exitOK, at.args("replay", "--verify")...)
	mustRun(t, exitOK, at.args("replay", "--verify", "--site", "a.example")...)
	mustRun(t, exitNone, at.args("replay", "--verify", "--site", "b.example")...)
	mustRun(t, exitNone, at.args("replay", "--verify", "--from", "2023-11-01", "--to", "2023-11-02")...)
	mustRun(t, exitNone, at.args("replay", "--verify", "--json", "--from", "2023-11-01", "--to", "2023-11-02")...)
	mustRun(t, exitOK, at.args("replay", "--from", "2023-11-01", "--to", "2023-11-02")...)
	mustRun(t, exitUsage, at.args("replay", "--verify", "--from", "yesterday")...)

	empty := localPlace(t)
	if err := os.MkdirAll(filepath.Join(empty.data, "lake"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustRun(t, exitNone, empty.args("replay", "--verify")...)

	if err := at.loseRollups(); err != nil {
		t.Fatal(err)
	}
	mustRun(t, exitError, at.args("replay", "--verify")...)
}

// mustNotDiffer verifies what a server has left behind that may not have run for a whole minute: then there
// is nothing to compare yet.
func mustNotDiffer(t *testing.T, at place) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), at.args("replay", "--verify"), strings.NewReader(""), &out, &errs); code != exitOK && code != exitNone {
		t.Fatalf("replay --verify exits with %d\n%s%s", code, out.String(), errs.String())
	}
}
