package sim

import (
	"flag"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"millrace/internal/testgc"
	"millrace/internal/testtmp"
	"millrace/state"
)

// More seeds: go test ./bench/verify/sim -run Schedules -seeds 100000 -timeout 0. A seed that failed: -first SEED -seeds 1.
var (
	seeds = flag.Uint64("seeds", 12, "number of schedules; a tenth of them for the other tests, but at least a few")
	first = flag.Uint64("first", 0, "seed of the first schedule")
)

func TestMain(m *testing.M) {
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}

// Without faults the engine counts what the recount counts.
func TestCalm(t *testing.T) {
	n := max(3, *seeds/10)
	for seed := range n {
		r := mustRun(t, Options{Seed: seed, Records: 300, Calm: true})
		if len(r.Wrong) > 0 {
			t.Fatalf("seed %d: %d wrong, first %s", seed, len(r.Wrong), r.Wrong[0])
		}
	}
}

// Whatever happens to the owners, every window ends right. Every kind of fault must have happened.
func TestSchedules(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 20) // of one goroutine each, under the race detector
	}
	var sum Result
	var mu sync.Mutex
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= n || t.Failed() {
					return
				}
				seed := *first + i
				r, err := Run(Options{Seed: seed})
				if err != nil {
					t.Error(err)
					return
				}
				if len(r.Wrong) > 0 {
					t.Errorf("seed %d: %d wrong, first %s", seed, len(r.Wrong), r.Wrong[0])
				}
				mu.Lock()
				sum.Add(r)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds: %s", n, &sum)
	for what, count := range map[string]int{
		"windows": sum.Windows, "crashes": sum.Crashes, "wipes": sum.Wipes, "takeovers": sum.Takeovers,
		"failed produces": sum.Failed, "repeated produces": sum.Repeated, "expired deltas": sum.Expired,
	} {
		if count == 0 && n >= 12 && (*first == 0 || n >= 24) {
			t.Errorf("no schedule had any %s", what)
		}
	}
}

// A disk that refuses writes, at whatever the store is at, makes no window wrong.
func TestBadDisk(t *testing.T) {
	n := max(6, *seeds/10)
	if testing.Short() {
		n = 5
	}
	var sum Result
	for seed := range n {
		r := mustRun(t, Options{Seed: *first + seed, BadDisk: true})
		if len(r.Wrong) > 0 {
			t.Fatalf("seed %d: %d wrong, first %s", *first+seed, len(r.Wrong), r.Wrong[0])
		}
		sum.Add(r)
	}
	t.Logf("%d seeds: %s", n, &sum)
	if d := sum.DiskErrors; !testing.Short() && (d.Open == 0 || d.Work == 0 || d.Close == 0) {
		t.Errorf("no disk refused a write at one of these: %s", &d)
	}
}

// What a record does and the last firing of each window do not depend on what was killed, nor on the sizes of caches:
// deltas and line protocol are those of the calm run, byte for byte.
func TestSameBytes(t *testing.T) {
	n := max(1, *seeds/20)
	for seed := range n {
		calm := mustRun(t, Options{Seed: seed, Records: 300, Calm: true})
		wild := mustRun(t, Options{Seed: seed, Records: 300})
		if wrong := wild.Unlike(calm); len(wrong) > 0 {
			t.Fatalf("seed %d: %d unlike, first %s", seed, len(wrong), wrong[0])
		}
	}
}

// Each rule is needed: with any one taken out some schedule ends wrong, or is noticed as broken by the engine itself.
func TestRules(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of schedules; the full form takes the rules out")
	}
	const most = 1500
	with := allRules{}
	for _, c := range []struct {
		name    string
		inside  state.Rule
		outside Rule
		known   []uint64 // seeds that have caught it, tried first: fewer than one in a hundred does
	}{
		{"J1", state.J1, 0, nil},
		{"J2", state.J2, 0, nil},
		{"J3", state.J3, 0, []uint64{612, 1142, 1334, 1496, 1556, 900}},
		{"J4", 0, J4, nil},
		{"J5", state.J5, 0, []uint64{2}},
		{"J6", state.J6, 0, nil},
		{"J7", 0, J7, nil},
		{"J8", state.J8, 0, []uint64{0}}, // only in a long log
		{"J9", 0, J9, nil},
		{"J10", 0, J10, []uint64{35, 79, 113}},
		{"J11", state.J11, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for i := range uint64(most) {
				seed := i + 1 // the log of 0 is a long one
				if i < uint64(len(c.known)) {
					seed = c.known[i]
				}
				r, err := Run(Options{Seed: seed, Without: c.inside, WithoutOutside: c.outside})
				if err != nil {
					t.Logf("noticed by seed %d: %v", seed, err)
					return
				}
				if len(r.Wrong) > 0 {
					if wrong := with.wrong(t, seed); len(wrong) > 0 {
						t.Fatalf("seed %d is wrong with all rules too: %s", seed, wrong[0])
					}
					t.Logf("caught by seed %d: %d wrong, first %s", seed, len(r.Wrong), r.Wrong[0])
					return
				}
			}
			t.Errorf("%d schedules without the rule, and none ended wrong", most)
		})
	}
}

// allRules has what schedules end with when no rule is taken out, each played once.
type allRules struct {
	mu    sync.Mutex
	ended map[uint64][]string
}

func (a *allRules) wrong(t *testing.T, seed uint64) []string {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	wrong, ok := a.ended[seed]
	if !ok {
		wrong = mustRun(t, Options{Seed: seed}).Wrong
		if a.ended == nil {
			a.ended = map[uint64][]string{}
		}
		a.ended[seed] = wrong
	}
	return wrong
}

func mustRun(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
