package lake

import (
	"errors"
	"strings"
	"testing"

	"millrace/engine/event"
)

// TestLost: an object that is gone from the midst of the archive is missed and named; what a rule of
// retention deletes is not, nor is a log without progress or with one that began anew.
func TestLost(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, objects, _ := dayLog(t)
	l := NewReader(store)
	whole := func(want error, what string) {
		t.Helper()
		if err := l.Lost(ctx, 0, event.Time(1)<<60); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	whole(nil, "as it was made")
	firsts := map[int64]int{} // objects by segment
	least, most := objects[0].First, int64(0)
	for _, k := range objects {
		firsts[k.First]++
		least, most = min(least, k.First), max(most, k.First)
	}
	remove := func(which func(Key) bool) (back func()) {
		t.Helper()
		bodies := map[string][]byte{}
		for _, k := range objects {
			if which(k) {
				bodies[k.String()] = must(store.Get(ctx, k.String()))
				if err := store.Delete(ctx, k.String()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(bodies) == 0 {
			t.Fatal("nothing to remove")
		}
		return func() {
			for key, body := range bodies {
				if err := store.Put(ctx, key, body); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i, gone := range objects {
		if i%31 != 0 || gone.First == least && firsts[least] == 1 {
			continue
		}
		back := remove(func(k Key) bool { return k == gone })
		whole(ErrLost, "without "+gone.String())
		if firsts[gone.First] > 1 { // its segment is within reach of the hour and of what may be late
			if err := l.Lost(ctx, gone.Hour-event.Hour, gone.Hour+2*event.Hour); err == nil || !strings.Contains(err.Error(), "test-0-") && !strings.Contains(err.Error(), gone.Topic) {
				t.Errorf("%s is not named: %v", gone, err)
			}
		}
		back()
	}
	back := remove(func(k Key) bool { return k.First == most })
	whole(ErrLost, "without the last segment")
	back()
	middle := objects[len(objects)/2].First
	back = remove(func(k Key) bool { return k.First < middle })
	whole(nil, "with the first segments expired")
	back()
	remove(func(Key) bool { return true })
	whole(nil, "with everything expired")
}
