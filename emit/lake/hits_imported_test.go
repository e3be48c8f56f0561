package lake

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// keysOf returns the keys of all objects.
func keysOf(s *memory) (keys []string) {
	for info := range s.List(context.Background(), "", "") {
		keys = append(keys, info.Key)
	}
	return keys
}

// TestReplaceImported: days are replaced whole, the same again changes nothing, and what was replaced goes after an hour.
func TestReplaceImported(t *testing.T) {
	t.Parallel()
	store, ctx := newMemory(), t.Context()
	const first event.Time = 19_800 * day
	// replace puts n hits into each of some days, in parts of two.
	replace := func(from, to event.Time, n int, done ...string) bool {
		t.Helper()
		changed, err := ReplaceImported(ctx, ImportedOptions{
			Store: store, From: from, To: to, Rules: "r", Log: slog.New(slog.DiscardHandler),
			Covered: func(before []string) []string { return slices.Sorted(slices.Values(slices.Concat(before, done))) },
			Make: func(ctx context.Context, w *ImportedHits) error {
				w.cut = 2
				for at := from - day; at < to+day; at += day { // those around are passed over
					for i := range n {
						row := window.Row{Visitor: event.Visitor(i + 1)}
						id := visit.HashedID("import-r1", int64(at/day), i)
						w.Hit(&hits.Hit{
							Topic: "import-r1", Offset: int64(at / day), Index: int32(i), Site: "a.example", Time: at + event.Hour, Minute: at + event.Hour,
							Visit: id, VisitBegan: at + event.Hour, Row: &row,
						})
						w.Visit(&visit.Visit{ID: id, Site: "a.example", Visitor: row.Visitor, Begin: at + event.Hour, End: at + event.Hour, Events: 1})
					}
					if err := w.Done(ctx, at+day); err != nil {
						return err
					}
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	files := func() (rows []int64) {
		t.Helper()
		c, err := openImports(ctx, store, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range commits.Tables() {
			for _, f := range c.State().Files(table) {
				rows = append(rows, f.Rows)
			}
		}
		return rows
	}
	if !replace(first, first+3*day, 5, "a") || !slices.Equal(files(), []int64{5, 5, 5, 5, 5, 5}) {
		t.Errorf("files of %v rows", files())
	}
	before := len(keysOf(store))
	if replace(first, first+2*day, 5) || len(keysOf(store)) != before {
		t.Errorf("the same again has changed something: %d objects, were %d", len(keysOf(store)), before)
	}
	if !replace(first+day, first+2*day, 3, "b") || !replace(first+2*day, first+3*day, 0) || !slices.Equal(files(), []int64{5, 3, 5, 3}) {
		t.Errorf("files of %v rows after two days were replaced", files())
	}

	now := time.Unix(1_800_000_000, 0)
	a := &Archiver{o: Options{Store: store, Log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }}}
	var chain *commits.Chain
	sweeper := commits.NewSweeper(commits.SweepOptions{Now: a.o.now})
	var orphans time.Time
	for _, want := range []int{4, 4, 0} { // removed files that are there
		if err := a.sweepImportsOnce(ctx, &chain, sweeper, &orphans); err != nil {
			t.Fatal(err)
		}
		there := 0
		for _, key := range keysOf(store) {
			if _, named := commits.BaseOf(key); named && chain.State().File(key) == nil {
				there++
			}
		}
		if there != want {
			t.Errorf("%d replaced files are there, want %d", there, want)
		}
		now = now.Add(40 * time.Minute)
	}
	if r := chain.State().Removed(); len(r) > 0 || len(files()) != 4 {
		t.Errorf("after all were deleted %v are known, of files of %v rows", r, files())
	}
}
