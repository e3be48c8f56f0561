package state

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
)

func mem() Options { return Options{Dir: "state", FS: vfs.NewMem(), Life: event.Hour} }

func wantOutbox(t *testing.T, s *Store, offset int64, want []byte) {
	t.Helper()
	got, err := s.Outbox(offset)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("outbox of %d is %x, %v; want %x", offset, got, err, want)
	}
}

func wantEvents(t *testing.T, s *Store, start event.Time, want int64) {
	t.Helper()
	if got := events(t, s, "a", start); got != want {
		t.Fatalf("window %d has %d events, want %d", start, got, want)
	}
}

// J1: a record that is delivered again is not counted again, after a restart neither.
func TestAppliedOnce(t *testing.T) {
	o := mem()
	s := mustOpen(t, o)
	d := mk(-1, 0, add("a", 0, "/x"))
	mustApply(t, s, d, d)
	wantEvents(t, s, 0, 1)
	mustClose(t, s)
	s = mustOpen(t, o)
	mustApply(t, s, d)
	wantEvents(t, s, 0, 1)
}

// A delta that does not follow is an error, and changes nothing.
func TestChain(t *testing.T) {
	s := mustOpen(t, mem())
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x")))
	if err := s.Apply(mk(1, 2, add("a", 0, "/x"))); !errors.Is(err, ErrChain) {
		t.Fatalf("a delta with a gap before it: %v", err)
	}
	wantEvents(t, s, 0, 1)
	if s.Last() != 0 || string(s.Meta()) != "0" || s.OutboxLen() != 1 {
		t.Fatalf("last %d, meta %s, outbox %d after an error", s.Last(), s.Meta(), s.OutboxLen())
	}
}

// J2: what is not known to be in the changelog is kept verbatim, over a restart too.
func TestOutboxVerbatim(t *testing.T) {
	o := mem()
	s := mustOpen(t, o)
	d := [][]byte{mk(-1, 3, add("a", 0, "/x")), mk(3, 5, add("a", 0, "/y"))}
	mustApply(t, s, d...)
	for range 2 {
		wantOutbox(t, s, 3, d[0])
		wantOutbox(t, s, 5, d[1])
		wantOutbox(t, s, 4, nil)
		mustClose(t, s)
		s = mustOpen(t, o)
	}
	s.Acked(3, 0)
	wantOutbox(t, s, 3, nil)
	wantOutbox(t, s, 5, d[1])
}

// J3: an acknowledgement that overtakes another frees nothing yet.
func TestAcksOutOfOrder(t *testing.T) {
	o := mem()
	s := mustOpen(t, o)
	d := [][]byte{mk(-1, 0), mk(0, 1), mk(1, 2)}
	mustApply(t, s, d...)
	s.Acked(1, 1)
	s.Acked(2, 2)
	wantOutbox(t, s, 1, d[1])
	wantOutbox(t, s, 2, d[2])
	if s.OutboxLen() != 3 {
		t.Fatalf("%d deltas wait, want 3", s.OutboxLen())
	}
	s.Acked(0, 0)
	if s.OutboxLen() != 0 {
		t.Fatalf("%d deltas wait after all were acknowledged", s.OutboxLen())
	}
	// The next batch carries the deletions; without one, a restart goes by what it reads in the changelog.
	mustApply(t, s, mk(2, 3))
	mustClose(t, s)
	s = mustOpen(t, o)
	if s.OutboxLen() != 1 {
		t.Fatalf("%d deltas wait after a restart, want the last one", s.OutboxLen())
	}
}

// J5: recovery takes a delta only if it follows; one that is early comes again.
func TestRecoverEarlyAndDouble(t *testing.T) {
	o := mem()
	s := mustOpen(t, o)
	d0, d1, d2 := mk(-1, 0, add("a", 0, "/x")), mk(0, 1, add("a", 0, "/x")), mk(1, 2, add("a", 0, "/x"))
	for i, b := range [][]byte{d0, d2, d0, d1, d1, d2, d1} { // d2 is early; its writer wrote it again
		mustRecover(t, s, int64(i), b)
	}
	wantEvents(t, s, 0, 3)
	if s.Last() != 2 || s.Position() != 7 || s.OutboxLen() != 0 {
		t.Fatalf("last %d, position %d, outbox %d", s.Last(), s.Position(), s.OutboxLen())
	}
	// Position moves on disk only with a batch: what was passed over since is read once more.
	mustClose(t, s)
	s = mustOpen(t, o)
	if s.Position() != 6 {
		t.Fatalf("position %d after a restart, want that behind the last delta taken", s.Position())
	}
	mustRecover(t, s, 6, d1)
	wantEvents(t, s, 0, 3)
}

// J5: what the store has applied live and then meets in the changelog counts once, and leaves the outbox.
func TestRecoverOwn(t *testing.T) {
	s := mustOpen(t, mem())
	d0, d1 := mk(-1, 0, add("a", 0, "/x")), mk(0, 1, add("a", 0, "/x"))
	mustApply(t, s, d0, d1)
	mustRecover(t, s, 0, d0)
	wantOutbox(t, s, 0, nil)
	wantOutbox(t, s, 1, d1)
	mustRecover(t, s, 1, d1)
	wantEvents(t, s, 0, 2)
	mustRecover(t, s, 2, mk(1, 2, add("a", 0, "/x"))) // a successor went on
	wantEvents(t, s, 0, 3)
}

// The changelog's beginning has expired: the chain begins with what is left, and with nothing of before.
func TestRecoverExpired(t *testing.T) {
	s := mustOpen(t, mem())
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x"), fire("a", 0, false)))
	mustRecover(t, s, 50, mk(99, 100, add("a", event.Hour, "/x"), watermark(event.Hour)))
	if s.Last() != 100 || s.Position() != 51 {
		t.Fatalf("last %d, position %d", s.Last(), s.Position())
	}
	wantEvents(t, s, 0, 0)
	wantEvents(t, s, event.Hour, 1)
	if list, _, err := s.Fired(0); err != nil || len(list) > 0 {
		t.Fatalf("still fired %v, %v", list, err)
	}
}

// What is left of an expired changelog may begin with a delta that a zombie wrote once more, long after its like. The chain
// begins again at the gap behind it; a small gap is an early delta and no beginning.
func TestRecoverStaleBeginning(t *testing.T) {
	const life = event.Hour
	s := mustOpen(t, mem())
	mustRecover(t, s, 10, mk(4, 5, add("a", 0, "/x"), watermark(life)))
	mustRecover(t, s, 11, mk(199, 200, add("a", life, "/x"), watermark(life+life/2+1)))
	if s.Last() != 200 {
		t.Fatalf("last %d: the chain did not begin again behind a stale delta", s.Last())
	}
	wantEvents(t, s, 0, 0)
	wantEvents(t, s, life, 1)
	mustRecover(t, s, 12, mk(201, 202, watermark(2*life))) // early
	if s.Last() != 200 {
		t.Fatalf("last %d: an early delta was taken for a beginning", s.Last())
	}
	mustRecover(t, s, 13, mk(200, 201, watermark(2*life)))
	mustRecover(t, s, 14, mk(201, 202, watermark(3*life))) // the chain has held for a Life: warm
	mustRecover(t, s, 15, mk(300, 301, watermark(9*life)))
	if s.Last() != 202 {
		t.Fatalf("last %d: a chain that had held began again at a gap", s.Last())
	}
}

// A changelog that is read from its very beginning begins with the first delta there is, or not at all: one whose forerunner
// is nowhere is not taken for it.
func TestRecoverNoBeginning(t *testing.T) {
	s := mustOpen(t, mem())
	mustRecover(t, s, 0, mk(7, 8, add("a", 0, "/x")))
	if s.Last() != delta.None {
		t.Fatalf("last %d", s.Last())
	}
}

// J6: an acknowledgement for another position than the next shows that somebody else wrote. The position stays, so that
// the next start reads what he wrote.
func TestForeignWriteFreezesPosition(t *testing.T) {
	o := mem()
	s := mustOpen(t, o)
	mustApply(t, s, mk(-1, 0))
	s.Acked(0, 0)
	mustApply(t, s, mk(0, 1))
	s.Acked(1, 2) // a stranger has position 1
	if s.Position() != 1 {
		t.Fatalf("position %d, want 1", s.Position())
	}
	mustApply(t, s, mk(1, 2))
	s.Acked(2, 3)
	mustApply(t, s, mk(2, 3))
	if s.Position() != 1 {
		t.Fatalf("position %d after more acknowledgements, want 1", s.Position())
	}
	mustClose(t, s)
	s = mustOpen(t, o)
	if s.Position() != 1 {
		t.Fatalf("position %d after a restart, want 1", s.Position())
	}
	// The stranger was a zombie: it wrote what everybody would have written for 1.
	for i, b := range [][]byte{mk(0, 1), mk(0, 1), mk(1, 2)} {
		mustRecover(t, s, int64(i+1), b)
	}
	if s.Position() != 4 || s.Last() != 3 || s.OutboxLen() != 1 {
		t.Fatalf("position %d, last %d, outbox %d", s.Position(), s.Last(), s.OutboxLen())
	}
}

// J8: a closed window goes only when the commit has passed the record that closed it.
func TestDeletedOnlyPastCommit(t *testing.T) {
	s := mustOpen(t, mem())
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x")), mk(0, 1, add("a", 5*event.Minute, "/x"), horizon(event.Minute)))
	s.Committed(1)
	mustApply(t, s, mk(1, 2))
	wantEvents(t, s, 0, 1) // 1 may come again, and fire the window again
	s.Committed(2)
	mustApply(t, s, mk(2, 3))
	wantEvents(t, s, 0, 0)
	wantEvents(t, s, 5*event.Minute, 1)
}

// J11: what a record fired is known until the commit has passed the record, over a restart too.
func TestFiredUntilCommit(t *testing.T) {
	o := mem()
	s := mustOpen(t, o)
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x"), fire("a", 0, true), horizon(event.Minute)), mk(0, 1))
	for range 2 {
		list, progress, err := s.Fired(0)
		if err != nil || len(list) != 1 || list[0] != (delta.Fired{Site: "a", Final: true}) || event.Time(progress) != event.Minute {
			t.Fatalf("fired %v, progress %d, %v", list, progress, err)
		}
		mustClose(t, s)
		s = mustOpen(t, o)
	}
	if list, progress, err := s.Fired(1); err != nil || list != nil || progress != 0 {
		t.Fatalf("a record that fired nothing fired %v, %d, %v", list, progress, err)
	}
	s.Committed(1)
	mustApply(t, s, mk(1, 2))
	if list, _, err := s.Fired(0); err != nil || list != nil {
		t.Fatalf("fired %v, %v behind the commit", list, err)
	}
}

// A window's status follows its rows and firings.
func TestStatus(t *testing.T) {
	s := mustOpen(t, mem())
	want := func(st window.Status) {
		t.Helper()
		err := s.Windows(func(_ window.Kind, _ string, _ event.Time, got window.Status) error {
			if got != st {
				t.Errorf("status %+v, want %+v", got, st)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x")))
	want(window.Status{FiredAt: window.NeverFired, Dirty: true})
	mustApply(t, s, mk(0, 1, fire("a", 0, false)))
	want(window.Status{FiredAt: 1})
	mustApply(t, s, mk(1, 2, add("a", 0, "/x"), fire("a", 0, true)))
	want(window.Status{FiredAt: 2, Final: true})
	mustApply(t, s, mk(2, 3, add("a", 0, "/x")))
	want(window.Status{FiredAt: 2, Final: true, Dirty: true})
}
