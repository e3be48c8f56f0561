package hitread_test

import (
	"testing"

	"millrace/emit/lake/hitread"
	"millrace/internal/blob"
)

// TestPartitions: where the number of partitions is not known, those with a folder are found, and what is no partition is not.
func TestPartitions(t *testing.T) {
	f := func(want int64, keys ...string) {
		t.Helper()
		store, err := blob.OpenFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if err := store.Put(t.Context(), key, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		got, err := hitread.CountPartitions(t.Context(), hitread.NewPublished(store, "events", 0))
		if err != nil || got != want {
			t.Errorf("%d partitions, %v; want %d of %q", got, err, want, keys)
		}
	}
	f(0)
	f(0, "hits/other-3/a", "hits/events-x/a", "dt=2026-01-01/a")
	f(1, "hits/events-0/_delta_log/0.json", "hits/events-0/dt=2026-01-01/a.parquet")
	f(12, "hits/events-0/a", "hits/events-1/a", "hits/events-1/b", "hits/events-10/a", "hits/events-11/a", "hits/events-2/a", "hits/events-9/a")
}
