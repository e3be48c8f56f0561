package lake

import (
	"context"
	"testing"

	"millrace/emit/lake/commits"
)

// TestHitsBesideNone: a partition goes from an archiver that makes hits to one that makes none, such as one of the release before,
// and back, again and again. The one without moves the archive on and leaves the chain alone; the next makes what it lacks of the
// log, or, where the log has deleted some of that, begins anew and says so.
func TestHitsBesideNone(t *testing.T) {
	t.Parallel()
	log := hitLog(10, 400)
	f := func(name string, begin int64) {
		store, chain := newMemory(), &commitLog{}
		with := smallOptions(store)
		with.Hits = testHits([]*commitLog{chain}, [][]record{log})
		from, caughtUp, anew := int64(0), int64(0), int64(0)
		for i, to := range []int{60, 130, 190, 260, 330, 400} {
			o := smallOptions(store)
			if i%2 == 0 {
				o = with
			}
			if i == 4 && begin > 0 { // what the one before archived is not in the log any more
				o.Begin = func(context.Context, int32) (int64, error) { return begin, nil }
			}
			before := len(chain.records)
			a := mustArchiver(t, o)
			ctx, end := context.WithCancel(session(t))
			if err := feed(ctx, a, log[:to], from); err != nil {
				t.Fatalf("%s, owner %d: %v", name, i, err)
			}
			end()
			if next := a.Limit(testTopic, 0); next <= from {
				t.Fatalf("%s, owner %d: the archive ends at %d as before", name, i, next)
			} else if o.Hits == nil && len(chain.records) != before {
				t.Errorf("%s, owner %d: commits without hits", name, i)
			} else {
				from = next
			}
			s := a.HitStats()
			caughtUp, anew = caughtUp+s.CaughtUp, anew+s.Anew
			mustCheck(t, store)
		}
		a := mustArchiver(t, with)
		if begin > 0 {
			a.o.Begin = func(context.Context, int32) (int64, error) { return begin, nil }
		}
		if err := feed(session(t), a, log, from); err != nil {
			t.Fatal(name, err)
		}
		if begin == 0 {
			if s := sameHits(t, store, 0, chain, log); anew != 0 || caughtUp == 0 || s.Began != 0 {
				t.Errorf("%s: %d records were caught up, %d times begun anew, whole from %s", name, caughtUp, anew, s.Began)
			}
			return
		}
		s := stateOf(t, store, 0, chain)
		first := int64(1) << 60
		for _, f := range s.Files(commits.Hits) {
			first = min(first, f.First)
		}
		if anew != 1 || first < begin || s.Began <= t0 {
			t.Errorf("%s: %d times begun anew, hits from offset %d, whole from %s", name, anew, first, s.Began)
		}
	}
	f("the log has all", 0)
	f("the log begins behind", 240)
}
