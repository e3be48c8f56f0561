package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/internal/blob"
)

// TestCleanStopArchivesAll: what a server of its own broker has taken in is in the archive once it has been stopped, whatever
// --archive-every is, and once only after stops and kills by turns. So are its hits, also of what was taken in without them.
func TestCleanStopArchivesAll(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	sent := 0
	serve := func(flags ...string) *serving {
		s := mustServe(t, at, append(flags, "--archive-every", "1h")...)
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
	hits := func(want int) {
		t.Helper()
		if rows := mustCountHits(t, at); rows != int64(want) {
			t.Errorf("%d hits, want %d", rows, want)
		}
	}
	serve("--no-hits").mustStop(t)
	archived(sent)
	hits(0)
	serve().mustStop(t)
	archived(sent)
	hits(sent)
	before := sent
	serve().kill()
	archived(before) // the rest is in the log
	serve().mustStop(t)
	archived(sent)
	hits(sent)
	serve("--no-hits").mustStop(t)
	hits(sent - 20)
	serve().mustStop(t)
	archived(sent)
	hits(sent)
	lake, err := at.lake()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := lake.Check(t.Context()); err != nil || r.Rows != int64(sent) {
		t.Errorf("%+v, %v; want %d rows of %s", r, err, sent, engine.EventsTopic)
	}
}

// mustCountHits returns how many hits the archive of a place has, by what is published of it.
func mustCountHits(t *testing.T, at place) (rows int64) {
	t.Helper()
	store, err := blob.OpenFolder(filepath.Join(at.data, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := commits.NewReader(commits.ReaderOptions{Store: store, Topic: engine.EventsTopic, Partitions: 4}).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Partitions {
		if p.Began != 0 {
			t.Errorf("partition %d: hits are whole from %s", p.Partition, p.Began)
		}
		for _, f := range p.Files(commits.Hits) {
			rows += f.Rows
		}
	}
	return rows
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
