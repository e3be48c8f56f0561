package commits

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/wire"
)

func erasureOf(who event.Visitor, before event.Time) Erasure {
	return Erasure{Site: "a.example", Visitor: who, Before: before}
}

// mustApply applies a change to the state that it was made for.
func mustApply(tb testing.TB, s *State, c Change) {
	tb.Helper()
	r := &Commit{Version: erasingVersion, Kind: Changes, Epoch: s.Base().Epoch, Base: s.Offset, Change: c}
	if counted, why, err := s.Apply(s.Offset+1, r.Encode(), noFold); !counted {
		tb.Fatal(why, err)
	}
}

// TestErasures: an erasure is of all records before its commit, and files are unclean until they are written again or looked through.
func TestErasures(t *testing.T) {
	s := NewState(event.Topic, 3)
	one := s.Change()
	a, b := someFile(s.Base(), 0, 10, "a"), someFile(s.Base(), 10, 20, "b")
	a.MaxSite, b.MaxSite, b.MinSite = "b.example", "b.example", "b"
	one.Next, one.Add = 20, []File{a, b}
	mustApply(t, s, one)
	before := s.Clone()

	two := s.Change()
	c := someFile(s.Base(), 20, 30, "c")
	c.MaxSite = "b.example"
	two.Next, two.Add, two.Erase = 30, []File{c}, []Erasure{erasureOf(7, 1000), erasureOf(1<<63+5, 2000)}
	mustApply(t, s, two)
	e := s.Erased("a.example", 1<<63+5)
	if e == nil || e.Until != 20 || e.Version != 1 || e.Before != 2000 || s.Erased("a.example", 8) != nil || len(before.Erasures()) != 0 {
		t.Fatalf("%+v, and before %+v", s.Erasures(), before.Erasures())
	}
	if !e.OfRecord(19) || e.OfRecord(20) || !e.OfVisit(visit.IDOf(19, 3)) || e.OfVisit(visit.IDOf(20, 0)) {
		t.Errorf("%+v is of others than the records up to 20", e)
	}
	if list := s.Unclean(); len(list) != 1 || list[0].Key != a.Key {
		t.Errorf("unclean are %v", list)
	}

	// It was looked through under the state before, which does not help, and then under this one.
	for _, want := range []int{1, 0} {
		c := s.Change()
		c.Clean, c.CleanOf = []string{a.Key, "gone"}, int64(1-want)
		mustApply(t, s, c)
		if list := s.Unclean(); len(list) != want {
			t.Errorf("unclean are %v, want %d", list, want)
		}
	}
	// A merge that was made before the erasure, and counts after it.
	merge := s.Change()
	m := someFile(s.Base(), 0, 20, "m")
	m.Level, m.MaxSite = Hourly, "b.example"
	merge.Remove, merge.Add = []string{a.Key, b.Key}, []File{m}
	mustApply(t, s, merge)
	if list := s.Unclean(); len(list) != 1 || list[0].Key != m.Key {
		t.Errorf("unclean are %v", list)
	}
	sum := s.ErasedSum()
	again := s.Change()
	again.Erase = []Erasure{erasureOf(7, 500)}
	mustApply(t, s, again)
	if e := s.Erased("a.example", 7); e.Before != 1000 || e.Until != 30 || s.ErasedSum() == sum || len(s.Erasures()) != 2 {
		t.Errorf("erased again: %+v", e)
	}
	if at, err := decodeFold(encodeFold(s)); err != nil || fmt.Sprint(at.Erasures()) != fmt.Sprint(s.Erasures()) || at.File(m.Key).Clean != 0 {
		t.Errorf("the fold has %+v, %v", at.Erasures(), err)
	}
	// Made anew, of a log whose offsets may begin again, there are none of the records before.
	anew := s.Change()
	anew.Anew, anew.Next = true, 5
	mustApply(t, s, anew)
	if e := s.Erased("a.example", 7); e == nil || e.Until != 0 || e.Before != 1000 || len(s.Unclean()) != 0 {
		t.Errorf("made anew: %+v", s.Erasures())
	}
}

// TestErasureForm: what is no erasure does not count, and a release that knows of none refuses the others.
func TestErasureForm(t *testing.T) {
	for _, e := range []Erasure{{Visitor: 1, Before: 1}, {Site: "a", Before: 1}, {Site: "a", Visitor: 1}} {
		s := NewState(event.Topic, 3)
		c := s.Change()
		c.Erase = []Erasure{e}
		if err := s.Check(&c); !errors.Is(err, ErrChange) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	w := newWorld(t)
	c := w.mustOpen()
	change := c.State().Change()
	change.Next, change.Erase = 5, []Erasure{erasureOf(1, 2)}
	mustCommit(t, c, change)
	entry, err := w.store.Get(t.Context(), c.at.entryKey(Hits, 0))
	if err != nil {
		t.Fatal(err)
	}
	e, err := readEntry(entry)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode([]byte(e.Record))
	if err != nil || r.Version != erasingVersion || r.Change.Erase[0] != erasureOf(1, 2) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Decode([]byte(`{"version":3,"kind":"change","epoch":1}`)); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("%v", err)
	}
}

// TestErasedOutlivesRestore: an archive that is put back lacks the erasures of after. Those that the topic still has come with the epoch.
func TestErasedOutlivesRestore(t *testing.T) {
	w := newWorld(t)
	c := w.mustOpen()
	change := c.State().Change()
	change.Next = 10
	mustCommit(t, c, change)
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	for i, who := range []event.Visitor{7, 8} {
		change = c.State().Change()
		change.Next, change.Erase = int64(20+i), []Erasure{erasureOf(who, 1000)}
		mustCommit(t, c, change)
	}
	if err := errors.Join(os.RemoveAll(w.dir), os.CopyFS(w.dir, os.DirFS(backup))); err != nil {
		t.Fatal(err)
	}
	s := w.mustOpen().State()
	for _, who := range []event.Visitor{7, 8} {
		if e := s.Erased("a.example", who); e == nil || e.Until != 10 || e.Version != s.Version {
			t.Errorf("after the restore %d is erased: %+v", who, s.Erasures())
		}
	}
	if s.Epoch != 2 || s.Next != 10 {
		t.Errorf("%+v", s)
	}
	published, err := NewReader(ReaderOptions{Store: w.store, Topic: event.Topic, Partitions: 4}).Snapshot(t.Context())
	if err != nil || fmt.Sprint(published.Partitions[3].Erasures()) != fmt.Sprint(s.Erasures()) {
		t.Errorf("published is %+v, %v", published, err)
	}
}
