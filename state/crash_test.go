package state

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// The model agrees with the store where nothing goes wrong, after each delta and after a clean
// restart.
func TestScript(t *testing.T) {
	for seed := range uint64(5) {
		sc := newScript(t, seed, 60, 6)
		fs := vfs.NewMem()
		s := mustOpen(t, small(fs))
		for i, d := range sc.deltas {
			s.Committed(sc.committed[i])
			mustApply(t, s, d)
			sc.check(t, s)
		}
		mustClose(t, s)
		s = mustOpen(t, small(fs))
		if last := s.Last(); last != lastOf(sc) {
			t.Fatalf("a clean restart ends at %d, want %d", last, lastOf(sc))
		}
		sc.check(t, s)
	}
}

func lastOf(sc *script) int64 {
	last := int64(-1)
	for o := range sc.want {
		last = max(last, o)
	}
	return last
}

// Power fails before each single change of the disk in turn, and none, half or all of what was not
// synced survives. The store is always what it was after some delta.
func TestCrashAtEveryWrite(t *testing.T) {
	sc := newScript(t, 7, 120, 50)
	disk := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex // Pebble writes in the background too
	var clones []*vfs.MemFS
	armed := false
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if armed && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose {
			clones = append(clones, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[len(clones)%3], RNG: rng}))
		}
		return nil
	}))
	mu.Lock()
	armed = true
	mu.Unlock()
	mustClose(t, mustOpen(t, small(fs)))
	s := mustOpen(t, small(fs)) // of a folder that is there
	if err := sc.run(s); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	mu.Lock()
	defer mu.Unlock()
	ends := map[int64]bool{}
	for _, c := range clones {
		s := mustOpen(t, small(c))
		sc.check(t, s)
		ends[s.Last()] = true
		mustClose(t, s)
	}
	t.Logf("%d crashes ended at %d different deltas of %d", len(clones), len(ends), len(sc.deltas))
	if len(clones) < 100 || len(ends) < 15 {
		t.Errorf("%d crashes at %d deltas are too few to show anything", len(clones), len(ends))
	}
}

// Each single change of the disk fails in turn, once or from then on, as on a full disk. Nothing
// panics or hangs; the error comes out of a method; and what is opened afterwards is the state
// after some delta.
func TestErrorAtEveryWrite(t *testing.T) {
	sc := newScript(t, 8, 50, 60)
	f := func(at int, forEver bool) (hit bool) {
		t.Helper()
		disk := vfs.NewMem()
		var mu sync.Mutex
		n := 0
		fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			// Locks are not held over a restart here, and an error of Close has closed nonetheless.
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpLock || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpFilePreallocate {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			n++
			if n == at || forEver && n > at {
				hit = true
				return errorfs.ErrInjected
			}
			return nil
		}))
		done := make(chan error, 1)
		go func() {
			s, err := Open(small(fs))
			if err != nil {
				done <- err
				return
			}
			err = sc.run(s)
			done <- errors.Join(err, s.Close())
		}()
		select {
		case err := <-done:
			mu.Lock()
			defer mu.Unlock()
			if hit && !errors.Is(err, errorfs.ErrInjected) {
				t.Errorf("write %d failed, and the store said %v", at, err)
			}
			if hit && !strings.Contains(err.Error(), `state "state"`) {
				t.Errorf("write %d: %q does not name the folder", at, err)
			}
			if !hit && err != nil {
				t.Errorf("no write failed, and the store said %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the store hangs after write %d has failed", at)
		}
		s, err := Open(small(disk))
		if err != nil {
			t.Fatalf("open after write %d has failed: %v", at, err)
		}
		sc.check(t, s)
		mustClose(t, s)
		return hit
	}
	total := 0
	for at := 1; f(at, at%2 == 0); at++ {
		total++
	}
	t.Logf("%d writes failed", total)
	if total < 100 {
		t.Errorf("%d failing writes are too few to show anything", total)
	}
}

// What Sync has returned for survives a loss of power.
func TestSync(t *testing.T) {
	sc := newScript(t, 9, 40, 20)
	disk := vfs.NewCrashableMem()
	s := mustOpen(t, small(disk))
	for i, d := range sc.deltas {
		s.Committed(sc.committed[i])
		mustApply(t, s, d)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		after := mustOpen(t, small(disk.CrashClone(vfs.CrashCloneCfg{})))
		if after.Last() != s.Last() {
			t.Fatalf("synced after delta %d, and after the crash the store ends at %d", s.Last(), after.Last())
		}
		sc.check(t, after)
		mustClose(t, after)
	}
}
