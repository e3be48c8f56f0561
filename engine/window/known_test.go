package window

import (
	"hash/crc32"
	"testing"
	"unsafe"
)

// TestKnown: the numbers of known values are part of the format of rows. Whoever adds values at the end puts the new
// numbers here.
func TestKnown(t *testing.T) {
	if len(knownFirst) > oneByte || len(known.values) > maxKnown {
		t.Fatalf("%d values of one byte, %d in all", len(knownFirst), len(known.values))
	}
	sum := crc32.NewIEEE()
	for i, v := range known.values {
		sum.Write([]byte(v.s + "\n"))
		if v.s == "" {
			continue
		}
		if n := known.number(v.s); n != i || valueOf(v.s) != v || v.hash != hashOf(v.s) {
			t.Errorf("value %d, %q, is found as %d", i, v.s, n)
		}
		if Clean(v.s) != v.s {
			t.Errorf("value %d, %q, is not clean", i, v.s)
		}
	}
	if got := sum.Sum32(); len(known.values) != 940 || got != 0xb7b8a010 {
		t.Errorf("%d values, checksum %#x", len(known.values), got)
	}
	for _, s := range []string{"", "chrome", "Chrom", "Chrome ", Other, "a value that is longer than any of those that are known"} {
		if n := known.number(s); n >= 0 {
			t.Errorf("%q is known as %d", s, n)
		}
	}
}

// TestOrderOfDims: each dimension of a row is in the order of the codec once, and behind the one it may copy.
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
