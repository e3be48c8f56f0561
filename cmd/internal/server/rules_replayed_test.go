package server_test

import (
	"testing"

	"millrace/cmd/internal/rules"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// Rollups and hits are of one generation since what counts is what it is, until a replay.
func TestAlikeSince(t *testing.T) {
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := func(wantSince event.Time, want bool) {
		t.Helper()
		if since, ok, err := rules.AlikeSince(t.Context(), store); since != wantSince || ok != want || err != nil {
			t.Errorf("alike since %d: %v, %v; want %d, %v", since, ok, err, wantSince, want)
		}
	}
	put := func(since event.Time) {
		if err := rules.PutCounting(t.Context(), store, rules.Counting{By: "a", Since: since}); err != nil {
			t.Fatal(err)
		}
	}
	f(0, false)
	put(0)
	f(0, true)
	put(event.Hour)
	f(15*event.Hour, true)
	if err := rules.LeaveReplayed(t.Context(), store, 0, 0); err != nil {
		t.Fatal(err)
	}
	f(0, false)
}
