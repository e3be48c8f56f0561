package main

import (
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
