package commits

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"millrace/internal/blob"
)

// TestStoredLog: a chain without Kafka is a chain: of two writers on one base one counts, old records go, and so do files.
func TestStoredLog(t *testing.T) {
	t.Parallel()
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	mustOpen := func() *Chain {
		t.Helper()
		c, err := Open(t.Context(), Options{
			Topic: ImportsTopic, Log: NewStoredLog(store, ImportsTopic, 0), Store: store, Now: func() time.Time { return now }, FoldEvery: 4,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := mustOpen(), mustOpen()
	if s := a.State(); s.Version != none || s.Base() != (Base{1, none}) {
		t.Errorf("before the first: %+v", s)
	}
	counted := 0
	for i := range 10 {
		for _, c := range []*Chain{a, b} {
			change := c.State().Change()
			change.Next, change.Imports = 1, []string{fmt.Sprint("import-r", i)}
			ok, err := c.Commit(t.Context(), change)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				counted++
			}
		}
		// Each has seen what the other did.
		if err := errors.Join(a.Refresh(t.Context()), b.Refresh(t.Context())); err != nil {
			t.Fatal(err)
		}
		if a.State().Sum != b.State().Sum || a.State().Version != int64(i) || counted != i+1 {
			t.Fatalf("%d have counted, the states are %+v and %+v", counted, a.State(), b.State())
		}
	}
	s := mustOpen().State()
	if s.Sum != a.State().Sum || s.Imports[0] != "import-r9" {
		t.Errorf("opened again: %+v", s)
	}
	start, end, err := NewStoredLog(store, ImportsTopic, 0).Bounds(t.Context())
	if err != nil || start == 0 || end != 20 {
		t.Errorf("the log goes from %d to %d, %v", start, end, err)
	}
	err = NewStoredLog(store, ImportsTopic, 0).Read(t.Context(), 0, end, func(int64, []byte) error { return nil })
	if !errors.Is(err, ErrTrimmed) {
		t.Errorf("read from before its beginning: %v", err)
	}
}
