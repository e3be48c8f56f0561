package lake

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// importEvents is a file of two days in which some lines have no event and some have two.
func importEvents() (events []event.Event, lines []int64) {
	g := newGenerator(50)
	rng := rand.New(rand.NewPCG(5, 5))
	for line := range int64(2000) {
		g.now += event.Time(rng.IntN(150)) * event.Second
		for range []int{1, 1, 1, 0, 2}[rng.IntN(5)] {
			events, lines = append(events, g.event()), append(lines, line)
		}
	}
	return events, lines
}

func runImport(ctx context.Context, store blob.Store, topic string) (*Importer, error) {
	m := NewImporter(store, topic)
	m.cut = 500
	events, lines := importEvents()
	for i := range events {
		if err := m.Add(ctx, &events[i], lines[i]); err != nil {
			return m, err
		}
	}
	return m, m.Close(ctx)
}

func TestImport(t *testing.T) {
	t.Parallel()
	topic, err := ImportTopic([]byte{0xab, 1, 2, 3, 4, 5, 6, 7})
	if err != nil || topic != "import-rab0102030405" {
		t.Fatal(topic, err)
	}
	ctx := context.Background()
	store := newMemory()
	if has, err := HasImports(ctx, store); has || err != nil {
		t.Errorf("imports before the first: %v, %v", has, err)
	}
	m, err := runImport(ctx, store, topic)
	if err != nil {
		t.Fatal(err)
	}
	if has, err := HasImports(ctx, store); !has || err != nil {
		t.Errorf("imports after one: %v, %v", has, err)
	}
	if err := m.Close(ctx); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := m.Add(ctx, &event.Event{}, 9999); !errors.Is(err, ErrClosed) {
		t.Errorf("Add after Close: %v", err)
	}
	r := mustCheck(t, store)
	events, lines := importEvents()
	if r.Rows != int64(len(events)) || m.Stats().Rows != r.Rows || m.Stats().Segments < 3 || r.Unfinished != 0 {
		t.Errorf("%+v, %+v, want %d rows", r, m.Stats(), len(events))
	}
	got := readAll(t, store, "")
	var want []placed
	index := int32(0)
	for i, e := range events {
		if i > 0 && lines[i] == lines[i-1] {
			index++
		} else {
			index = 0
		}
		want = append(want, placed{e, Source{topic, 0, lines[i], index}})
	}
	sameRows(t, got, want)

	// The same again changes nothing; an import cut short anywhere is completed by the next.
	before := contents(t, store)
	if _, err := runImport(ctx, store, topic); err != nil {
		t.Fatal(err)
	}
	sameContents(t, contents(t, store), before)
	for _, n := range []int{0, 1, 12, 25} {
		inner := newMemory()
		crashing := &faultyStore{Store: inner}
		cut, kill := context.WithCancel(ctx)
		crashing.set(n, kill, n%2 == 0)
		if _, err := runImport(cut, crashing, topic); err == nil {
			t.Fatal("it was not cut short")
		}
		if r := mustCheck(t, inner); r.Unfinished == 0 && n > 0 || r.Rows != 0 {
			t.Errorf("cut short after %d objects: %+v", n, r)
		}
		if _, err := runImport(ctx, inner, topic); err != nil {
			t.Fatal(err)
		}
		sameContents(t, contents(t, inner), before)
	}
	// Imports have no watermark to wait for.
	if _, err := NewReader(store).CompleteUntil(ctx, testTopic); !errors.Is(err, ErrIncomplete) {
		t.Errorf("CompleteUntil: %v", err)
	}
}

func TestImportBad(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	if _, err := ImportTopic([]byte{1, 2}); err == nil {
		t.Error("a short hash: no error")
	}
	store := newMemory()
	m := NewImporter(store, "import-000000000000")
	e := newGenerator(1).event()
	if err := m.Add(ctx, &e, 5); err != nil {
		t.Fatal(err)
	}
	if err := m.Add(ctx, &e, 4); err == nil {
		t.Error("lines go back: no error")
	}
	if err := m.Close(ctx); err == nil || !strings.Contains(err.Error(), "line 4 after 5") {
		t.Errorf("Close after an error: %v", err)
	}
	if all := contents(t, store); len(all) != 0 {
		t.Errorf("a failed import left %d objects", len(all))
	}
	// An empty file is complete at once.
	if err := NewImporter(store, "import-000000000001").Close(ctx); err != nil {
		t.Error(err)
	}
	mustCheck(t, store)
}
