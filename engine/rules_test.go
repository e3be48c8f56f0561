package engine

import (
	"testing"

	"millrace/engine/event"
)

// Rules that package dedup can't keep are refused, before a state is written that no start can read.
func TestRulesOfIDs(t *testing.T) {
	for horizon, ok := range map[event.Time]bool{
		0: true, event.Minute: true, 24 * event.Hour: true, event.Second: false, 90 * event.Second: false, 25 * event.Hour: false,
	} {
		if err := (Rules{DedupHorizon: horizon}).Validate(); (err == nil) != ok {
			t.Errorf("a horizon of %d ms: %v", horizon, err)
		}
	}
}

// A start in the middle of a changelog relies on this: what is older than a life has fired for the last time.
func TestLife(t *testing.T) {
	t.Parallel()
	const minute = event.Minute
	for _, c := range []struct {
		name  string
		rules Rules
		want  event.Time
	}{
		{"visits last longest", Rules{VisitTimeout: 30 * minute, VisitLength: 12 * event.Hour, Lateness: event.Hour}, (15 + 12*60 + 30 + 60 + 2) * minute},
		{"hours do", Rules{VisitTimeout: minute, VisitLength: 8 * minute, Lateness: minute}, (60 + 1 + 2) * minute},
		{"ids do", Rules{VisitTimeout: minute, VisitLength: 8 * minute, Lateness: minute, DedupHorizon: event.Hour * 3}, (180 + 2) * minute},
	} {
		if got := c.rules.Life(); got != c.want {
			t.Errorf("%s: life is %d min, want %d", c.name, got/minute, c.want/minute)
		}
	}
}
