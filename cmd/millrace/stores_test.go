package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// A rollup store that another build has made: the way out is said, and once.
func TestOpenLocalOfAnotherLayout(t *testing.T) {
	dir := t.TempDir()
	db, err := pebble.Open(dir, &pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("\x00format"), []byte("1"), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := openLocal(dir, slog.New(slog.DiscardHandler))
	if err == nil {
		s.Close()
		t.Fatal("the store opens")
	}
	if got := err.Error(); strings.Count(got, "the folder") != 2 || strings.Count(got, "replay") != 1 {
		t.Error(got)
	}
}
