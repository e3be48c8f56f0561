package server_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"millrace/cmd/internal/stores"
	"millrace/internal/deadletter"
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
	s, err := stores.OpenLocal(dir, slog.New(slog.DiscardHandler))
	if err == nil {
		s.Close()
		t.Fatal("the store opens")
	}
	if got := err.Error(); strings.Count(got, "the folder") != 2 || strings.Count(got, "replay") != 1 {
		t.Error(got)
	}
}

// TestRefusedPointIsNotLogged: a point has what visitors sent, and so has InfluxDB's reason.
func TestRefusedPointIsNotLogged(t *testing.T) {
	const secret = "hush-hush"
	var log bytes.Buffer
	letter := deadletter.Letter{Reason: "InfluxDB: 400 Bad Request: unable to parse 'page,value=" + secret + "'", Value: []byte("page,value=/" + secret + " n=1i 0")}
	if err := stores.LogDead(slog.New(slog.NewTextHandler(&log, nil)))(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Contains(text, secret) || !strings.Contains(text, "measurement=page") {
		t.Error(text)
	}
}
