package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"millrace/engine"
)

// TestCleanStopArchivesAll: what a server of its own broker has taken in is in the archive once it has been stopped, whatever
// --archive-every is, and once only after stops and kills by turns.
func TestCleanStopArchivesAll(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	sent := 0
	serve := func() *serving {
		s := mustServe(t, at, "--archive-every", "1h")
		for range 20 {
			mustBeacon(t, s, "a.example", sent)
			sent++
		}
		return s
	}
	archived := func(want int) {
		t.Helper()
		if rows, err := archivedRows(t.Context(), at); err != nil || rows != int64(want) {
			t.Errorf("%d rows are archived, want %d: %v", rows, want, err)
		}
	}
	serve().mustStop(t)
	archived(sent)
	before := sent
	serve().kill()
	archived(before) // the rest is in the log
	serve().mustStop(t)
	archived(sent)
	serve().mustStop(t)
	archived(sent)
	lake, err := at.lake()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := lake.Check(t.Context()); err != nil || r.Rows != int64(sent) {
		t.Errorf("%+v, %v; want %d rows of %s", r, err, sent, engine.EventsTopic)
	}
}

// TestOutputIsClosed: a reader of the greeting and the log that ends, such as head, ends no server.
func TestOutputIsClosed(t *testing.T) {
	t.Parallel()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mustExecutable(t), localPlace(t).args("serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), "/api/v2/query"); { // the last of the greeting
	}
	out.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil { // which is logged
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
