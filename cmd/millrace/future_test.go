package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/emit/local"
	"millrace/engine/event"
	"millrace/engine/window"
)

// TestFutureIsNamed: where the log has been counted up to a time that lies in the future, the start
// names it, and no answer is complete.
func TestFutureIsNamed(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	store, err := local.Open(local.Options{Dir: filepath.Join(at.data, "rollups"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(2 * time.Hour).Truncate(time.Minute)
	for p := range int32(4) {
		if err := store.WriteProgress(t.Context(), []window.Progress{{Partition: p, Low: event.TimeOf(until), Offset: 1 << 40}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	s := mustServe(t, at)
	if log := s.stderr.String(); !strings.Contains(log, "the log has times that lie in the future") || !strings.Contains(log, "topic=millrace.events") {
		t.Errorf("the log has\n%s", log)
	}
	a, err := s.ask(map[string]any{"site_id": "shop.example.com", "metrics": []string{"events"}, "date_range": []string{"2024-01-01", "2024-01-02"}})
	if err != nil {
		t.Fatal(err)
	}
	if a.Meta.Complete || !a.Meta.Watermark.Equal(until) || len(a.Meta.Warnings) != 1 || !strings.Contains(a.Meta.Warnings[0], "in the future") {
		t.Errorf("%+v", a.Meta)
	}
	s.mustStop(t)
}
