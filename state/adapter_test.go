package state

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"millrace/engine/event"
	"millrace/engine/window"
)

func newTable(dir string) *Table {
	return NewTable(func(p int32) Options { return Options{Dir: filepath.Join(dir, fmt.Sprint(p)), Limit: testLimit} })
}

func mustBuild(t *testing.T, table *Table, p int32) storage.Storage {
	t.Helper()
	st, err := table.Builder("table", p)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// updateContext is what goka hands to an UpdateCallback.
type updateContext struct {
	goka.UpdateContext
	partition int32
	offset    int64
}

func (c updateContext) Partition() int32         { return c.partition }
func (c updateContext) Offset() int64            { return c.offset }
func (c updateContext) Context() context.Context { return context.Background() }

// The adapter does what goka asks of a storage.
func TestAdapter(t *testing.T) {
	dir := t.TempDir()
	table := newTable(dir)
	st := mustBuild(t, table, 3)
	if _, ok := table.Store(2); ok {
		t.Error("a partition that was not opened has a store")
	}
	offset := func(want int64) {
		t.Helper()
		if got, err := st.GetOffset(-1); err != nil || got != want {
			t.Fatalf("offset %d, %v; want %d", got, err, want)
		}
	}
	offset(-1)
	// Recovery.
	if err := table.Update(updateContext{partition: 3}, st, "#3", mk(-1, 0, add("a", 0, "/x"))); err != nil {
		t.Fatal(err)
	}
	offset(0)
	if err := errors.Join(st.SetOffset(77), st.MarkRecovered()); err != nil {
		t.Fatal(err)
	}
	offset(0)
	// Live.
	if err := st.Set("#3", mk(0, 1, add("a", 0, "/x"))); err != nil {
		t.Fatal(err)
	}
	offset(0)
	table.Acked(3, 1, 1)
	offset(1)
	table.Acked(9, 1, 1) // a partition lost since
	table.Committed(9, 1)
	s, ok := table.Store(3)
	if !ok {
		t.Fatal("no store")
	}
	if got := events(t, s, "a", 0); got != 2 {
		t.Fatalf("%d events, want 2", got)
	}
	// It is no table.
	if v, err := st.Get("#3"); v != nil || err != nil {
		t.Errorf("get: %x, %v", v, err)
	}
	if has, err := st.Has("#3"); has || err != nil {
		t.Errorf("has: %v, %v", has, err)
	}
	it, err := st.Iterator()
	if err != nil || it.Next() {
		t.Errorf("iterator: %v", err)
	}
	it.Release()
	if it, err = st.IteratorWithRange(nil, nil); err != nil || it.Next() {
		t.Errorf("iterator with range: %v", err)
	}
	it.Release()
	if st.Delete("#3") == nil {
		t.Error("a journal deletes")
	}
	// It is closed and opened again, by goka's next session: the position of the last batch.
	if err := errors.Join(st.Set("#3", mk(1, 2)), st.Close(), st.Close()); err != nil {
		t.Fatal(err)
	}
	if _, ok := table.Store(3); ok {
		t.Error("a closed partition has a store")
	}
	st = mustBuild(t, table, 3)
	offset(1)
}

// Two owners on one folder: the second gets an error that names it, and the first goes on.
func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	first := mustBuild(t, newTable(dir), 0)
	second, err := newTable(dir).Builder("table", 0)
	if err != nil {
		t.Fatal(err)
	}
	err = second.Open()
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("a second owner: %v", err)
	}
	if err := errors.Join(second.Close(), first.Set("", mk(-1, 0)), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := second.Open(); err != nil {
		t.Fatalf("after the first has closed: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

// A call that comes after Close, or races it, gets ErrClosed.
func TestClosed(t *testing.T) {
	calls := map[string]func(*Store) error{
		"Apply":   func(s *Store) error { return s.Apply(mk(0, 1)) },
		"Recover": func(s *Store) error { return s.Recover(0, mk(0, 1)) },
		"Outbox":  func(s *Store) error { _, err := s.Outbox(0); return err },
		"Fired":   func(s *Store) error { _, _, err := s.Fired(0); return err },
		"Fold":    func(s *Store) error { _, err := s.Fold(window.Minute, "a", 0, window.NewAgg(0)); return err },
		"Compact": func(s *Store) error { return s.Compact(window.Minute, "a", 0, window.NewAgg(0), 1<<20) },
		"Sync":    func(s *Store) error { return s.Sync() },
		"Windows": func(s *Store) error {
			return s.Windows(func(window.Kind, string, event.Time, window.Status) error { return nil })
		},
	}
	s := mustOpen(t, mem())
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x")))
	mustClose(t, s)
	mustClose(t, s)
	for name, call := range calls {
		if err := call(s); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), `"state"`) {
			t.Errorf("%s of a closed store: %v", name, err)
		}
	}
	s.Acked(0, 0)
	s.Committed(1)
	if s.SizeBytes() != 0 || s.Last() != 0 || s.OutboxLen() != 0 {
		t.Errorf("%d bytes, last %d, outbox %d", s.SizeBytes(), s.Last(), s.OutboxLen())
	}
}

// The partition's goroutine works, acknowledgements come and metrics are asked for while somebody
// closes the store.
func TestCloseRaces(t *testing.T) {
	for range 5 {
		s := mustOpen(t, Options{Dir: "state", FS: vfs.NewMem(), Limit: testLimit})
		var wg sync.WaitGroup
		begun := make(chan struct{})
		wg.Go(func() {
			for i := int64(0); ; i++ {
				err := s.Apply(mk(i-1, i, add("a", 0, "/x")))
				if err == nil {
					_, err = s.Fold(window.Minute, "a", 0, window.NewAgg(0))
				}
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				if i == 20 {
					close(begun)
				}
			}
		})
		<-begun
		wg.Go(func() {
			for i := range int64(100) {
				s.Acked(i, i)
				s.SizeBytes()
			}
		})
		wg.Go(func() { s.Close() })
		wg.Wait()
		mustClose(t, s)
	}
}

// Arbitrary bytes are taken or refused; refused, they change nothing.
func FuzzDeltas(f *testing.F) {
	f.Add(mk(-1, 0), false)
	f.Add(mk(0, 1, add("a", 0, "/x"), fire("a", 0, true), horizon(event.Minute)), true)
	f.Add(mk(5, 6, add("a", 0, "/x")), true)
	f.Add([]byte{1}, false)
	f.Add([]byte(nil), true)
	f.Fuzz(func(t *testing.T, b []byte, recovered bool) {
		s := mustOpen(t, mem())
		mustApply(t, s, mk(-1, 0, add("a", 0, "/x")))
		before, position, waiting := fingerprint(t, s), s.Position(), s.OutboxLen()
		var err error
		if recovered {
			err = s.Recover(0, b)
		} else {
			err = s.Apply(b)
		}
		if err == nil {
			return
		}
		if after := fingerprint(t, s); after != before || s.Position() != position || s.OutboxLen() != waiting {
			t.Fatalf("%v, and the store is\n%s\nit was\n%s", err, after, before)
		}
	})
}
