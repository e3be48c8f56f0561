package query

import (
	"testing"

	"millrace/engine/event"
)

// TestRatio: halves are rounded to the even digit, and are halves, which floating point gets wrong if it
// divides first (51/80 is 0.6375).
func TestRatio(t *testing.T) {
	f := func(part, of int64, scale, precision float64, want any) {
		t.Helper()
		var got any
		if n, ok := ratio(part, of, scale, precision); ok {
			got = n
		}
		if got != want {
			t.Errorf("%d of %d: %v, want %v", part, of, got, want)
		}
	}
	f(51, 80, 100, 10, 63.8)
	f(1, 3, 100, 10, 33.3)
	f(7, 7, 100, 10, 100.)
	f(0, 7, 100, 10, 0.)
	f(129, 8, 1, 100, 16.12)
	f(17, 8, 1, 100, 2.12)
	f(1, 8, 100, 1, 12.)
	f(3, 8, 100, 1, 38.)
	f(100_000, 3, 1./event.MoneyScale, event.MoneyScale, 3.3333)
	f(-25_000, 2, 1./event.MoneyScale, event.MoneyScale, -1.25)
	f(5, 0, 100, 10, nil)
}
