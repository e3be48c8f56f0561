package wire

import "testing"

func TestNewer(t *testing.T) {
	f := func(format, oldest, newest int, want string) {
		t.Helper()
		if got := Newer(format, oldest, newest).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(2, 1, 1, "data of a newer Millrace (format 2; this one reads 1): use the newer program")
	f(3, 1, 2, "data of a newer Millrace (format 3; this one reads 1 and 2): use the newer program")
	f(6, 2, 5, "data of a newer Millrace (format 6; this one reads 2 to 5): use the newer program")
}
