package window

import (
	"testing"
	"unsafe"

	"millrace/engine/window/internal/known"
)

// TestKnownValues: each known value is found with its number and its hash, and is one that Clean
// leaves.
func TestKnownValues(t *testing.T) {
	if len(knownValues) != known.Len() {
		t.Fatalf("%d values, package known has %d", len(knownValues), known.Len())
	}
	for i, v := range knownValues {
		if v.s == "" {
			if v != (value{}) {
				t.Errorf("number %d is free, and has %+v", i, v)
			}
			continue
		}
		if valueOf(v.s) != v || int(v.id) != i+1 || v.hash != hashOf(v.s) {
			t.Errorf("value %d, %q: %+v, found as %+v", i, v.s, v, valueOf(v.s))
		}
		if Clean(v.s) != v.s {
			t.Errorf("value %d, %q, is not clean", i, v.s)
		}
	}
}

// TestOrderOfDims: each dimension of a row is in the order of the codec once, and behind the one it
// may copy.
func TestOrderOfDims(t *testing.T) {
	var seen dimSet
	for _, d := range codecOrder {
		if seen.has(d) {
			t.Errorf("%s twice", d)
		}
		if from := copiedFrom[d]; from != d && !seen.has(from) {
			t.Errorf("%s before %s, which it may copy", d, from)
		}
		seen |= setOf(d)
	}
	for _, d := range originOrder {
		if seen.has(d) {
			t.Errorf("%s twice", d)
		}
		seen |= setOf(d)
	}
	if want := rowDims | visitDims; seen != want {
		t.Errorf("dimensions %b, want %b", seen, want)
	}
}

// TestSizes: what is touched for each event and family is cut to cache lines.
func TestSizes(t *testing.T) {
	if s := unsafe.Sizeof(cell{}); s != 128 {
		t.Errorf("a cell has %d bytes", s)
	}
	if s := unsafe.Sizeof(memoEntry{}); s != 64 {
		t.Errorf("an entry of a memo has %d bytes", s)
	}
	for _, list := range [][]pick{rowPicks[human], visitPicks} {
		if len(list) > maxPicks {
			t.Errorf("%d picks, a memo has room for %d", len(list), maxPicks)
		}
	}
}
