package lake

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"millrace/engine/event"
)

// dayLog is an archive of six hours of one partition, in many segments.
func dayLog(t *testing.T) (store *memory, objects []Key, end event.Time) {
	t.Helper()
	store = newMemory()
	events := 2000
	if testing.Short() { // the race detector takes its time with Parquet
		events = 500
	}
	log := newGenerator(3).log(events, 6*event.Hour)
	if err := feed(session(t), mustArchiver(t, smallOptions(store)), log, 0); err != nil {
		t.Fatal(err)
	}
	for key := range contents(t, store) {
		if isObject(key) {
			objects = append(objects, must(ParseKey(key)))
		}
	}
	slices.SortFunc(objects, compareKeys)
	return store, objects, t0 + 6*event.Hour
}

// TestWhole: an object of the archive is missed in the ranges that its segment touches, wherever it lies, and none in
// the archive as it was made.
func TestWhole(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, objects, end := dayLog(t)
	l := NewReader(store)
	first := t0.Floor(event.Hour) - 2*event.Hour
	for from := first; from < end; from += 2 * event.Hour {
		if err := l.Whole(ctx, from, from+2*event.Hour); err != nil {
			t.Fatalf("%s: %v", from, err)
		}
	}
	if len(objects) < 20 {
		t.Fatalf("%d objects", len(objects))
	}
	some := 31
	if *thorough {
		some = 7
	}
	for i, gone := range objects {
		if i%some != 0 {
			continue
		}
		body := must(store.Get(ctx, gone.String()))
		if err := store.Delete(ctx, gone.String()); err != nil {
			t.Fatal(err)
		}
		if err := l.Whole(ctx, gone.Hour-3*event.Hour, gone.Hour+4*event.Hour); !errors.Is(err, ErrNotWhole) {
			t.Errorf("%s is gone: %v", gone, err)
		}
		if err := store.Put(ctx, gone.String(), body); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWholeAfterRetention: a rule that deletes what was written first leaves the hours whole whose
// segments come later.
func TestWholeAfterRetention(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, objects, end := dayLog(t)
	l := NewReader(store)
	cut := objects[len(objects)/2].First
	var kept event.Time
	for _, k := range objects {
		if k.First < cut {
			kept = max(kept, k.Hour+event.Hour)
			if err := store.Delete(ctx, k.String()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Whole(ctx, kept-2*event.Hour, kept); !errors.Is(err, ErrNotWhole) {
		t.Errorf("hours that were deleted: %v", err)
	}
	if err := l.Whole(ctx, kept+event.Hour, end); err != nil {
		t.Errorf("hours that are left: %v", err)
	}
}

// TestWholeImport: an import without its progress was cut short.
func TestWholeImport(t *testing.T) {
	t.Parallel()
	ctx, store := t.Context(), newMemory()
	if _, err := runImport(ctx, store, "import-r0102030405ab"); err != nil {
		t.Fatal(err)
	}
	l := NewReader(store)
	from, to := t0, t0+48*event.Hour
	if err := l.Whole(ctx, from, to); err != nil {
		t.Error(err)
	}
	for key := range contents(t, store) {
		if isProgress(key) {
			if err := store.Delete(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Whole(ctx, from, to); !errors.Is(err, ErrNotWhole) {
		t.Errorf("without progress: %v", err)
	}
	if err := l.Whole(ctx, from-100*event.Hour, from-99*event.Hour); err != nil {
		t.Errorf("another time: %v", err)
	}
}

func TestHourStarts(t *testing.T) {
	t.Parallel()
	store, objects, end := dayLog(t)
	var want []event.Time
	for _, k := range objects {
		if !slices.Contains(want, k.Hour) && k.Hour >= t0 && k.Hour < end-event.Hour {
			want = append(want, k.Hour)
		}
	}
	slices.Sort(want)
	got, err := NewReader(store).HourStarts(t.Context(), t0+10*event.Minute, end-event.Hour)
	if err != nil || !slices.Equal(got, want) || len(got) < 4 {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	ctx, store := t.Context(), newMemory()
	l := NewReader(store)
	if text, found, err := l.Note(ctx, "counting"); text != "" || found || err != nil {
		t.Errorf("%q, %v, %v", text, found, err)
	}
	for _, name := range []string{"busy.1a", "busy.2b", "counting"} {
		if err := PutNote(ctx, store, name, "text of "+name); err != nil {
			t.Fatal(err)
		}
		if text, found, err := l.Note(ctx, name); text != "text of "+name || !found || err != nil {
			t.Errorf("%q, %v, %v", text, found, err)
		}
	}
	if names, err := l.Notes(ctx, "busy."); err != nil || fmt.Sprint(names) != "[busy.1a busy.2b]" {
		t.Errorf("%v, %v", names, err)
	}
	for _, bad := range []string{"", "a/b", "a-0", "A", "rules.parquet/"} {
		if err := PutNote(ctx, store, bad, ""); err == nil {
			t.Errorf("%q is taken for a name", bad)
		}
	}
	// A note is no row and no progress.
	if all, err := l.Progress(ctx); len(all) != 0 || err != nil {
		t.Errorf("progress %v, %v", all, err)
	}
	if hours, err := l.Hours(ctx, 0, 1<<50); len(hours) != 0 || err != nil {
		t.Errorf("hours %v, %v", hours, err)
	}
	if err := DeleteNote(ctx, store, "busy.1a"); err != nil {
		t.Error(err)
	}
	key := must(noteObject("busy.2b"))
	if err := store.Put(ctx, key, []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Note(ctx, "busy.2b"); !errors.Is(err, ErrNote) {
		t.Error(err)
	}
}
