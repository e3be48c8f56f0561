package known

import (
	"hash/crc32"
	"testing"
)

// TestKnown: the numbers of known values are part of the format of rows. A change that adds values
// at the end puts the new numbers here.
func TestKnown(t *testing.T) {
	if len(first) > OneByte || Len() > Max {
		t.Fatalf("%d values of one byte, %d in all", len(first), Len())
	}
	sum := crc32.NewIEEE()
	for i := range Len() {
		s := Value(i)
		sum.Write([]byte(s + "\n"))
		if n := Number(s); s != "" && n != i {
			t.Errorf("value %d, %q, is found as %d", i, s, n)
		}
	}
	if got := sum.Sum32(); Len() != 940 || got != 0xb7b8a010 {
		t.Errorf("%d values, checksum %#x", Len(), got)
	}
	for _, s := range []string{"", "chrome", "Chrom", "Chrome ", "(other)", "a value that is longer than any of those that are known"} {
		if n := Number(s); n >= 0 {
			t.Errorf("%q is known as %d", s, n)
		}
	}
}
