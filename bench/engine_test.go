package bench

import (
	"context"
	"testing"
	"time"
)

// A short run of the whole harness: it checks its own windows against the recount.
func TestEngine(t *testing.T) {
	for _, early := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := Engine(ctx, EngineOptions{Events: 6000, Seed: 1, Rate: 60, Early: early, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if r.Windows == 0 || r.Firings < r.Windows || early != (r.Firings > r.Windows) {
			t.Errorf("early %v: %d windows in %d firings", early, r.Windows, r.Firings)
		}
	}
}

// The stream is a pure function of its seed.
func TestWorkload(t *testing.T) {
	a, b, c := NewWorkload(WorkloadOptions{Seed: 7}), NewWorkload(WorkloadOptions{Seed: 7}), NewWorkload(WorkloadOptions{Seed: 8})
	same := true
	for range 1000 {
		x, y := a.Next().Append(nil), b.Next().Append(nil)
		if string(x) != string(y) {
			t.Fatalf("one seed, two events:\n%s\n%s", x, y)
		}
		same = same && string(x) == string(c.Next().Append(nil))
	}
	if same {
		t.Error("two seeds, one stream")
	}
}
