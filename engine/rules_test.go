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
