package hitread_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"millrace/emit/lake/hitread"
	"millrace/engine/hits"
	"millrace/engine/window"
	"millrace/internal/blob"
)

// remote is a store that is no folder, as far as one can see.
type remote struct{ blob.Store }

// TestCache: of a store in the network what was read once is not read again, as long as there is room, and the rows are those that
// a folder gives.
func TestCache(t *testing.T) {
	w := newWorld(t, 5, 300, 12)
	folder, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list := w.archive(t, folder, 20)
	pages := func(a *hitread.Archive) (all []string) {
		t.Helper()
		s, err := a.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		sel := &hits.Selection{Site: sites[1], From: 0, To: w.low * 2, Workers: 4}
		err = s.Hits(t.Context(), sel, func(_ int, b hits.Block) error {
			times, err := b.Times()
			if err != nil {
				return err
			}
			text, err := b.Text(window.Page)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range b.Len() {
				all = append(all, fmt.Sprint(times[i], text.Values[text.Codes[i]]))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(all)
		return all
	}
	open := func(store blob.Store, most int64) *hitread.Archive {
		a, err := hitread.New(hitread.Options{Store: store, Lister: list, CacheBytes: most})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	want := pages(open(folder, 0))
	large, small := open(remote{folder}, 1<<30), open(remote{folder}, 2<<20)
	for range 2 {
		for name, a := range map[string]*hitread.Archive{"large": large, "small": small} {
			if got := pages(a); len(want) < 100 || !slices.Equal(got, want) {
				t.Fatalf("%s cache: %d rows, want %d, or they differ", name, len(got), len(want))
			}
		}
	}
	requests, _, footers := large.Reads()
	if requests != int64(len(list.Hits)) || footers != requests {
		t.Errorf("%d requests were made for %d small files, %d footers", requests, len(list.Hits), footers)
	}
	if again, _, _ := small.Reads(); again <= requests {
		t.Errorf("a cache of 4 blocks has made %d requests", again)
	}
}
