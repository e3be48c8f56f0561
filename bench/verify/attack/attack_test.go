package attack

import (
	"errors"
	"testing"

	"millrace/engine"
	"millrace/engine/event"
)

// The short forms of an attack by random paths, and of one by random visitors.
func TestAttack(t *testing.T) {
	t.Parallel()
	f := func(events, visitors int) {
		t.Helper()
		r, err := Run(t.Context(), Options{Events: events, Base: 2000, Visitors: visitors, Length: event.Minute, Seed: 1, Dir: t.TempDir()})
		if err != nil {
			t.Fatalf("%v\n%v", err, r)
		}
		t.Logf("\n%v", r)
		if r.Most != limit+1 || r.Others == 0 || r.With.Counters.Duplicates == 0 || r.With.Counters.Events != r.Without.Counters.Events+uint64(events) {
			t.Errorf("no attack: %+v", r)
		}
	}
	f(4000, 1000)
	f(2000, -1)
}

// An attack that brings more ids within the horizon than a partition remembers makes nobody else's
// be forgotten: the other sites' retries count once, as without it. Its own site's may count twice.
func TestAttackOnIDs(t *testing.T) {
	t.Parallel()
	o := Options{
		Events: 30_000, Base: 10_000, Visitors: 2000, Length: event.Minute, Seed: 1, Dir: t.TempDir(), rules: engine.Rules{MaxIDs: 15_000},
	}
	r, err := Run(t.Context(), o)
	if r == nil || r.Others == 0 || r.Differing > 0 {
		t.Fatalf("%v\n%v", err, r)
	}
	if r.With.IDs > o.rules.MaxIDs || len(r.Wrong) == 0 || !errors.Is(err, ErrChanged) {
		t.Errorf("nothing was forgotten: %v\n%v", err, r)
	}
	// The comparison sees what it is there to see: with less room than the other sites' own ids
	// need, they differ.
	o.rules.MaxIDs = 6000
	if r, err = Run(t.Context(), o); !errors.Is(err, ErrChanged) || r.Differing == 0 {
		t.Errorf("no difference was seen: %v\n%v", err, r)
	}
}
