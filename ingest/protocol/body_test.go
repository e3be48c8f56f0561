package protocol

import "testing"

// TestPacking: gzip is what begins like it, whatever is said of it.
func TestPacking(t *testing.T) {
	f := func(raw, said, want string) {
		t.Helper()
		if got := packing([]byte(raw), said); got != want {
			t.Errorf("%q, said to be %q: %q, want %q", raw, said, got, want)
		}
	}
	f("\x1f\x8b\x08", "", "gzip")
	f("\x1f\x8b", "br", "gzip")
	f("\x1f", "gzip", "")
	f("{}", "gzip", "")
	f("{}", "x-gzip", "")
	f("{}", "", "")
	f("\x8b\x1f", "br", "br")
	f("", "identity", "identity")
}
