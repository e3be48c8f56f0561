package window

import (
	"testing"

	"pgregory.net/rapid"
)

// TestMemo: a key finds what was noted for it, among others of the same hash, until the memo is
// full.
func TestMemo(t *testing.T) {
	var m memo
	const n = maxMemo/2 + 100 // the table grows on the way
	for key := range uint64(n) {
		m.of(key, uint32(key)%1000).set(3, int(key))
	}
	for key := range uint64(n) {
		if got := m.of(key, uint32(key)%1000).places[3]; got != uint16(key) {
			t.Fatalf("key %d: %d", key, got)
		}
	}
	for key := range uint64(2 * maxMemo) {
		m.of(n+key, uint32(key)).set(0, noPlace+1)
		if len(m.entries) > maxMemo {
			t.Fatalf("%d entries", len(m.entries))
		}
	}
	if got := m.of(3, 3).places; got[3] != noPlace || got[0] != noPlace {
		t.Errorf("forgotten key has %v", got)
	}
}

// TestMemoOfVisitsIsAHint mixes up what is remembered of visits, as colliding keys would: the
// rollups stay right.
func TestMemoOfVisitsIsAHint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(drawVisit), 1, 10).Draw(t, "rows")
		var want tally
		a := NewAgg(0)
		mixUp := func() {
			for e := range a.memo.entries {
				for p := range visitPicks {
					if n := len(a.fams[visitPicks[p].family].cells); n > 0 {
						a.memo.entries[e].places[p] = uint16(rapid.IntRange(0, n-1).Draw(t, "place"))
					}
				}
			}
		}
		for range 2 {
			for i := range rows {
				want.visit(&rows[i])
				a.AddVisitRow(&rows[i])
			}
			mixUp()
		}
		diffPoints(t, a, Visits, &want)
	})
}
