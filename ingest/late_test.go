package ingest

import (
	"fmt"
	"testing"

	"millrace/engine/event"
)

func TestLateEvents(t *testing.T) {
	const now = 1_700_000_040_000
	var l lateEvents
	f := func(site string, since, before event.Time, want bool) {
		t.Helper()
		if at, got := l.since(site, now+since*event.Minute, now+before*event.Minute); got != want || at > now+before*event.Minute {
			t.Errorf("%s since %d before %d: %t", site, since, before, got)
		}
	}
	f("a", 0, 0, false)
	l.note("a", now, now)
	f("a", 0, 1, false)
	l.note("a", now-2*event.Hour, now)
	l.note("a", now-event.Hour, now+event.Second)
	f("a", 0, 0, true)
	f("a", 0, -119, true)
	f("a", 0, -120, false)
	f("b", 0, 0, false)
	f("a", 1, 0, false)
	l.note("a", now-event.Minute, now+event.Minute)
	f("a", 1, 0, true)
	f("a", 1, -1, false)

	// What is bounded forgets nothing.
	for i := range 3 * mostLateTimes {
		at := now + event.Time(i+2)*event.Minute
		l.note("a", at-event.Hour, at)
	}
	f("a", 0, -119, true)
	f("a", 3*mostLateTimes, 3*mostLateTimes, true)
	if n := len(l.sites["a"]); n > mostLateTimes {
		t.Errorf("%d times", n)
	}
	for i := range 2 * mostLateSites {
		l.note(fmt.Sprint("s", i), now-event.Hour, now)
	}
	f(fmt.Sprint("s", 2*mostLateSites-1), 0, 0, true)
	if n := len(l.sites); n > mostLateSites+1 {
		t.Errorf("%d sites", n)
	}
}
