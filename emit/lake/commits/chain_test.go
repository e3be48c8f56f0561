package commits

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine/event"
)

// segment puts a file of the next n records and returns the change that adds it.
func (w *world) segment(c *Chain, n int64) Change {
	w.tb.Helper()
	change := c.State().Change()
	f := someFile(c.State().Base(), change.Next, change.Next+n)
	if err := w.store.Put(w.tb.Context(), f.Key, []byte("0123456789")); err != nil {
		w.tb.Fatal(err)
	}
	change.Add, change.Next = append(change.Add, f), change.Next+n
	return change
}

// reader returns what a process that begins now reads of the partition.
func (w *world) reader() *State {
	w.tb.Helper()
	r := NewReader(ReaderOptions{Store: w.store, Topic: event.Topic, Partitions: 4})
	s, err := r.Snapshot(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	return s.Partitions[3]
}

func TestChain(t *testing.T) {
	w := newWorld(t)
	one, two := w.mustOpen(), w.mustOpen()
	mustCommit(t, one, w.segment(one, 10))
	// Two was opened before: its commit has a base that is not the last any more.
	if counted, err := two.Commit(t.Context(), w.segment(two, 7)); err != nil || counted {
		t.Fatalf("a commit on an old base: counted %v, %v", counted, err)
	}
	if one.State().Sum != two.State().Sum {
		t.Fatal("after a commit that did not count the chain does not stand where the other one does")
	}
	mustCommit(t, two, w.segment(two, 7))
	if err := one.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]*State{"the first": one.State(), "opened again": w.mustOpen().State(), "a reader": w.reader()} {
		if s.Sum != two.State().Sum || s.Next != 17 || len(s.Files(Hits)) != 2 || s.Version != 1 {
			t.Errorf("%s has version %d, next %d and %d files", what, s.Version, s.Next, len(s.Files(Hits)))
		}
	}
	var bad Change
	if counted, err := one.Commit(t.Context(), bad); counted || !errors.Is(err, ErrChange) {
		t.Errorf("a change that goes back: counted %v, %v", counted, err)
	}
}

// mute is a log whose next write gets no answer: the record is written at once, late, or never.
type mute struct {
	Log
	now   bool
	kept  []byte
	armed bool
}

func (m *mute) Append(ctx context.Context, record []byte) (int64, error) {
	if !m.armed {
		return m.Log.Append(ctx, record)
	}
	m.armed = false
	if m.now {
		if _, err := m.Log.Append(ctx, record); err != nil {
			return 0, err
		}
	}
	m.kept = record
	return 0, errors.New("no answer")
}

// TestNoAnswer: Kafka does not acknowledge a commit.
func TestNoAnswer(t *testing.T) {
	w := newWorld(t)
	m := &mute{Log: w.topics.Partition(3)}
	o := w.options()
	o.Log = m
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	m.armed, m.now = true, true
	mustCommit(t, c, w.segment(c, 2)) // it is there
	m.armed, m.now = true, false
	late := w.segment(c, 5)
	if counted, err := c.Commit(t.Context(), late); counted || err != nil {
		t.Fatalf("a commit that is not there: counted %v, %v", counted, err)
	}
	// It comes after all, when it was taken for lost: then it is the next one on its base that does not count.
	if _, err := m.Log.Append(t.Context(), m.kept); err != nil {
		t.Fatal(err)
	}
	if counted, err := c.Commit(t.Context(), w.segment(c, 3)); counted || err != nil {
		t.Fatalf("a commit on the same base: counted %v, %v", counted, err)
	}
	if c.State().Next != 7 || w.reader().Sum != c.State().Sum {
		t.Errorf("next is %d", c.State().Next)
	}
	// A connection that breaks before the broker has the record: the client writes it again.
	var broken atomic.Bool
	w.kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, errors.New("the connection breaks"), broken.CompareAndSwap(false, true)
	})
	mustCommit(t, c, w.segment(c, 1))
	if !broken.Load() {
		t.Error("no connection was broken")
	}
}

// TestOldRecords: folds take the place of old records, old entries and old folds, and what was removed goes when its time has come.
func TestOldRecords(t *testing.T) {
	w := newWorld(t)
	c := w.mustOpen()
	at := time.Unix(0, 0)
	now := func() time.Time { return at }
	sweeper := NewSweeper(SweepOptions{Grace: time.Hour, Now: now})
	old := NewReader(ReaderOptions{Store: w.store, Topic: event.Topic, Partitions: 4, Now: now})
	for i := range 5*foldEvery + 3 {
		change := w.segment(c, 1)
		if live := c.State().Files(Hits); len(live) > 1 {
			change.Remove = []string{live[0].Key}
		}
		var err error
		if change.Deleted, err = sweeper.Sweep(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		mustCommit(t, c, change)
		if i == 0 {
			if _, err := old.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if i%foldEvery == 0 {
			if _, err := sweeper.Orphans(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			at = at.Add(time.Hour)
		}
	}
	start, _, err := c.o.Log.Bounds(t.Context())
	if err != nil || start < 3*foldEvery {
		t.Errorf("the topic begins at %d, %v", start, err)
	}
	left := map[string]int{}
	for info, err := range w.store.List(t.Context(), Dir(Hits, event.Topic, 3), "") {
		if err != nil {
			t.Fatal(err)
		}
		left[filepath.Ext(info.Key)+" "+filepath.Base(filepath.Dir(info.Key))]++
	}
	if left[".parquet dt=1970-01-01"] > 2*foldEvery || left[".json _fold"] > 2*keepFolds || left[".json _delta_log"] > 5*foldEvery-10 {
		t.Errorf("left are %v", left)
	}
	s, err := old.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]*State{"opened again": w.mustOpen().State(), "a reader": w.reader(), "a reader that has slept": s.Partitions[3]} {
		if s.Sum != c.State().Sum || len(s.Files(Hits)) != 2 {
			t.Errorf("%s has version %d and %d files, want version %d", what, s.Version, len(s.Files(Hits)), c.State().Version)
		}
	}
}

// TestTopicLost: the topic is lost, and made anew; the tables go on from what is published.
func TestTopicLost(t *testing.T) {
	w := newWorld(t)
	c := w.mustOpen()
	for range 5 {
		mustCommit(t, c, w.segment(c, 10))
	}
	w.startKafka()
	zombie := c
	zombie.o.Log = w.topics.Partition(3)
	if err := zombie.refresh(t.Context()); !errors.Is(err, ErrLog) {
		t.Errorf("the chain that was open: %v", err)
	}
	next := w.mustOpen()
	if s := next.State(); s.Next != 50 || len(s.Files(Hits)) != 5 || s.Epoch != 2 || s.Version != 5 {
		t.Fatalf("it goes on at %d in epoch %d, with %d files", s.Next, s.Epoch, len(s.Files(Hits)))
	}
	for range 5 { // as long as the old one
		mustCommit(t, next, w.segment(next, 10))
	}
	if counted, err := zombie.Commit(t.Context(), w.segment(zombie, 1)); counted {
		t.Errorf("a commit on the old topic counts: %v", err)
	}
	if err := zombie.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	for what, s := range map[string]*State{"opened again": w.mustOpen().State(), "a reader": w.reader(), "the old one": zombie.State()} {
		if s.Sum != next.State().Sum {
			t.Errorf("%s has version %d, want %d", what, s.Version, next.State().Version)
		}
	}
}

// TestPutBack: the archive of yesterday is put back, or lost.
func TestPutBack(t *testing.T) {
	w := newWorld(t)
	c := w.mustOpen()
	commit := func(n int) {
		for range n {
			mustCommit(t, c, w.segment(c, 10))
		}
	}
	commit(foldEvery + 3)
	must := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", name, err, out)
		}
	}
	backup := filepath.Join(t.TempDir(), "backup")
	must("cp", "-a", w.dir, backup)
	for range 2 {
		commit(foldEvery + 5)
		must("rm", "-r", w.dir)
		must("cp", "-a", backup, w.dir)
		before := c.State()
		c = w.mustOpen()
		if s := c.State(); s.Next != 10*(foldEvery+3) || s.Epoch != before.Epoch+1 {
			t.Fatalf("it goes on at %d in epoch %d", s.Next, s.Epoch)
		}
		commit(3)
		if got, want := w.reader().Sum, c.State().Sum; got != want {
			t.Error("a reader has something else than the chain")
		}
	}
	for _, table := range []Table{Visits, Hits} { // in this order a half is refused
		if err := os.RemoveAll(filepath.Join(w.dir, Dir(table, event.Topic, 3))); err != nil {
			t.Fatal(err)
		}
	}
	c = w.mustOpen()
	if s := c.State(); s.Next != 0 || s.NumFiles() != 0 || s.Version != 0 {
		t.Fatalf("with nothing left it goes on at %d with %d files", s.Next, s.NumFiles())
	}
	commit(4)
	if got, want := w.reader().Sum, c.State().Sum; got != want {
		t.Error("a reader has something else than the chain")
	}
	if err := os.RemoveAll(filepath.Join(w.dir, Dir(Hits, event.Topic, 3))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), w.options()); !errors.Is(err, ErrPublished) || !strings.Contains(fmt.Sprint(err), "delete the folders") {
		t.Errorf("with half of the tables: %v", err)
	}
}

// TestUnpublished: a process dies between a commit that counts and its publication.
func TestUnpublished(t *testing.T) {
	w := newWorld(t)
	c := w.mustOpen()
	for i := range 3 {
		change := w.segment(c, 10)
		base := c.State().Base()
		record := c.record(&Commit{Kind: Changes, Epoch: base.Epoch, Base: base.Offset, Change: change})
		if _, err := c.o.Log.Append(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			if err := w.store.Delete(t.Context(), change.Add[0].Key); err != nil {
				t.Fatal(err)
			}
		}
		c = w.mustOpen()
		wantNext, wantEpoch := int64(10*(i+1)), int64(1)
		if i == 2 { // its file is lost
			wantNext, wantEpoch = 20, 2
		}
		if s := c.State(); s.Next != wantNext || s.Epoch != wantEpoch || w.reader().Sum != s.Sum {
			t.Fatalf("after %d it goes on at %d in epoch %d", i, s.Next, s.Epoch)
		}
	}
}
