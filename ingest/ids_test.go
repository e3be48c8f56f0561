package ingest

import (
	"math"
	"strconv"
	"testing"
)

// Numbers are written as package strconv writes them, and no two partitions have one.
func TestSerials(t *testing.T) {
	for _, n := range []uint64{0, 1, 9, 10, 35, 36, 37, 1295, 1296, 1297, 46655, 46656, 1e12, math.MaxUint64 - 1, math.MaxUint64} {
		if got, want := string(appendBase36(nil, n)), strconv.FormatUint(n, 36); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
	var s idSource
	var a, b serials
	seen := map[uint64]bool{}
	for range 3 * serialBlock {
		for _, n := range []*serials{&a, &b} {
			if got := n.next(&s); got == 0 || seen[got] {
				t.Fatalf("%d is given twice, or is none", got)
			} else {
				seen[got] = true
			}
		}
	}
}
