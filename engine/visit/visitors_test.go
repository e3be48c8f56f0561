package visit

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
)

// TestVisitorsAreAMap holds the table against a map, with hashes that meet often and about as many removals as additions.
func TestVisitorsAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// With these the hash is a few of the upper bits of the visitor, so that visitors push each other around, over the end too,
		// and some have the same hash.
		bits := rapid.SampledFrom([]int{1, 3, 5, 32}).Draw(t, "bits")
		tab, visits, want := newVisitors(spread{0, 1 << bits}), &slab{}, map[event.Visitor]int32{}
		var visitors []event.Visitor // those in want, so that they can be drawn
		add := func(v event.Visitor) {
			i := visits.take()
			visits.at(i).visitor = v
			tab.put(visits, tab.find(visits, v), i)
			if old := want[v]; old != 0 {
				visits.release(old)
			} else {
				visitors = append(visitors, v)
			}
			want[v] = i
		}
		remove := func(at int) {
			v := visitors[at]
			visitors = slices.Delete(visitors, at, at+1)
			tab.remove(visits, v)
			visits.release(want[v])
			delete(want, v)
		}
		check := func() {
			if tab.len != len(want) {
				t.Fatalf("%d visitors, want %d", tab.len, len(want))
			}
			taken := 0
			for _, p := range tab.places {
				if p != 0 {
					taken++
				}
			}
			if taken != len(want) || taken*4 > len(tab.places)*3 || len(tab.places) > max(minPlaces, taken*8) {
				t.Fatalf("%d of %d places taken by %d visitors", taken, len(tab.places), len(want))
			}
			for v, i := range want {
				if got := tab.first(visits, v); got != i {
					t.Fatalf("visitor %s: got %d, want %d", v, got, i)
				}
				if tab.guess(tab.spread.hash(v)) == 0 {
					t.Fatalf("visitor %s: no guess", v)
				}
			}
		}
		visitor := rapid.Custom(func(t *rapid.T) event.Visitor {
			return event.Visitor(rapid.Uint64Range(0, 63).Draw(t, "high")<<58 | rapid.Uint64Range(1, 4).Draw(t, "low"))
		})
		for range rapid.IntRange(1, 10).Draw(t, "phases") {
			for range rapid.IntRange(0, 60).Draw(t, "additions") {
				add(visitor.Draw(t, "visitor"))
			}
			check()
			for range rapid.IntRange(0, len(visitors)).Draw(t, "removals") {
				remove(rapid.IntRange(0, len(visitors)-1).Draw(t, "which"))
				if v := visitor.Draw(t, "stranger"); tab.first(visits, v) != want[v] {
					t.Fatalf("stranger %s found", v)
				}
			}
			check()
		}
		for len(visitors) > 0 {
			remove(0)
		}
		check()
	})
}
