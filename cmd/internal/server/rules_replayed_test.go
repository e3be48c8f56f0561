package server_test

import (
	"testing"
	"time"

	"millrace/cmd/internal/rules"
	"millrace/engine"
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

	// Counted again together they are of one generation, if by what the stream counts by and all that was replayed was.
	again := func(from, to event.Time, by string) {
		if err := rules.LeaveRecounted(t.Context(), store, from, to, by, engine.Rules{}); err != nil {
			t.Fatal(err)
		}
	}
	counting := rules.Counting{By: "a", Since: event.Hour, Rules: string(engine.EncodeRules(engine.Rules{}))}
	if err := rules.PutCounting(t.Context(), store, counting); err != nil {
		t.Fatal(err)
	}
	again(0, 100*event.Hour, "a")
	f(0, false) // the replay was of all until now
	again(0, event.TimeOf(time.Now())+event.Hour, "b")
	f(15*event.Hour, true)
	again(24*event.Hour, 48*event.Hour, "a")
	f(24*event.Hour, true)
	again(10*event.Hour, 24*event.Hour, "a")
	f(10*event.Hour, true)
	counting.Since = 40 * event.Hour // later than what was counted again covers
	if err := rules.PutCounting(t.Context(), store, counting); err != nil {
		t.Fatal(err)
	}
	f(54*event.Hour, true)
	for _, r := range [][2]event.Time{{20 * event.Hour, 30 * event.Hour}, {25 * event.Hour, 60 * event.Hour}} {
		if err := rules.LeaveReplayed(t.Context(), store, r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	f(0, false)
	again(20*event.Hour, 48*event.Hour, "a")
	f(0, false)
	again(20*event.Hour, 60*event.Hour, "a")
	f(10*event.Hour, true)
}
