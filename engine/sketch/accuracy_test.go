package sketch

import (
	"math"
	"testing"
)

// TestGrowth follows 324 sketches as they grow to up to a million visitors: exact up to the threshold, and from there
// on, at sizes a quarter apart, never more than three standard errors off. Of so many a normal error would be
// now and then (once in 370); below 100,000 the estimate is better than its name.
func TestGrowth(t *testing.T) {
	f := func(seeds uint64, largest int) {
		t.Helper()
		worst := 0.0
		for seed := range seeds {
			r := newRand(1_000_003*seed + uint64(largest))
			s := new(Sketch)
			next := maxSparse + 1
			for n := 1; n <= largest; n++ {
				s.Add(r.Uint64())
				switch {
				case n < 40, n%97 == 0 && n < maxSparse, n == maxSparse:
					if got := s.Estimate(); got != uint64(n) {
						t.Fatalf("seed %d: estimate %d of %d", seed, got, n)
					}
				case n == next, n == largest:
					next += next / 4
					e := math.Abs(float64(s.Estimate())/float64(n)-1) / StdError
					if worst = max(worst, e); e > 3 {
						t.Errorf("seed %d: estimate %d of %d, %.2f standard errors off", seed, s.Estimate(), n, e)
					}
				}
			}
		}
		t.Logf("%d sketches up to %d: at worst %.2f standard errors off", seeds, largest, worst)
	}
	f(300, 60_000)
	f(24, 1_000_000)
}
