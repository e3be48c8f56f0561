package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
)

// fill applies n deltas to one window, with flushes in between if flush is set, and compacts.
func fill(tb testing.TB, limit, n int, flush bool) *Store {
	rng := rand.New(rand.NewPCG(3, 3))
	o := Options{Dir: "state", FS: vfs.NewMem(), Limit: limit}
	s := mustOpen(tb, o)
	for i := range n {
		pages := make([]string, 40)
		for j := range pages {
			pages[j] = fmt.Sprintf("/a/long/path/%0300d", rng.IntN(3000)) // 5 MB in all: so much is folded
		}
		edits := []func(*delta.Delta){add("a", 0, pages...)}
		if i%50 == 49 {
			edits = append(edits, fire("a", 0, false))
		}
		mustApply(tb, s, mk(int64(i)-1, int64(i), edits...))
		if flush && i%20 == 19 {
			if err := pebbleOf(s).Flush(); err != nil {
				tb.Fatal(err)
			}
		}
		if flush && i%100 == 99 {
			if err := pebbleOf(s).Compact(tb.Context(), []byte{0}, []byte{0xff}, false); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return s
}

// Whatever has been folded by flushes and compactions, and in whatever pieces, the fired window is
// the same bytes: with a budget too, whose (other) takes what comes past the first values in log
// order.
func TestFoldingChangesNothing(t *testing.T) {
	for _, limit := range []int{-1, 500, 7} {
		plain, folded := fill(t, limit, 400, false), fill(t, limit, 400, true)
		want := lines(t, plain, "a", 0)
		if got := lines(t, folded, "a", 0); got != want {
			t.Fatalf("limit %d: the window is\n%.400s\nand after compactions\n%.400s", limit, want, got)
		}
		size := func(s *Store) int {
			n, err := s.Fold(window.Minute, "a", 0, window.NewAgg(s.Limit()))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if p, f := size(plain), size(folded); f >= p {
			t.Errorf("limit %d: %d bytes of state, %d after compactions: nothing was folded", limit, p, f)
		}
		a := window.NewAgg(folded.Limit())
		if _, err := folded.Fold(window.Minute, "a", 0, a); err != nil {
			t.Fatal(err)
		}
		var total, pages, values int64
		for _, p := range a.Window("a", 0, 0, 0, true).Points {
			switch p.Family {
			case window.Totals:
				total = p.Events
			case window.Pages:
				pages += p.Events
				values++
			}
		}
		if total != 400*40 || pages != total {
			t.Errorf("limit %d: %d events, %d over the pages with (other), want %d", limit, total, pages, 400*40)
		}
		if limit > 0 && values != int64(limit)+1 {
			t.Errorf("limit %d: %d values", limit, values)
		}
	}
}

// Compact replaces the chunks by their fold: it is smaller and fires the same, whatever is added
// later.
func TestCompact(t *testing.T) {
	o := Options{Dir: "state", FS: vfs.NewMem(), Limit: testLimit}
	s := mustOpen(t, o)
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x", "/x", "/y", "/x"), fire("a", 0, false)))
	want := lines(t, s, "a", 0)
	a := window.NewAgg(s.Limit())
	if _, err := s.Fold(window.Minute, "a", 0, a); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(window.Minute, "a", 0, a, 1<<20); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, s, "a", 0); got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	err := s.Windows(func(_ window.Kind, _ string, _ event.Time, st window.Status) error {
		if st != (window.Status{FiredAt: 0}) {
			t.Errorf("status %+v", st)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, s, mk(0, 1, add("a", 0, "/x")))
	if got := events(t, s, "a", 0); got != 5 {
		t.Fatalf("%d events, want 5", got)
	}
}
