package lake

import (
	"testing"

	"millrace/engine/event"
)

// TestSupersede: the objects and the progress of one import of a build before go, and nothing else
// does.
func TestSupersede(t *testing.T) {
	t.Parallel()
	ctx, store := t.Context(), newMemory()
	topic := func(of func([]byte) (string, error), hash ...byte) string {
		name, err := of(append(hash, 0, 0, 0, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := runImport(ctx, store, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	old, other := topic(PlacedTopic, 0xab), topic(PlacedTopic, 0xcd)
	topic(ImportTopic, 0xab)
	rows := mustCheck(t, store).Rows
	l := NewReader(store)
	placed, err := l.FindPlaced(ctx)
	if err != nil || len(placed) != 2 || len(placed[old]) == 0 || len(placed[old]) != len(placed[other]) {
		t.Fatalf("%d imports of builds before, %v", len(placed), err)
	}
	events, _ := importEvents()
	from, to, err := l.Supersede(ctx, placed, old)
	if err != nil || from != events[0].Time.Floor(event.Hour) || to < events[len(events)-1].Time {
		t.Errorf("[%s, %s) was superseded: %v", from, to, err)
	}
	if r := mustCheck(t, store); r.Rows != rows/3*2 || r.Unfinished != 0 {
		t.Errorf("%+v of %d rows are left", r, rows)
	}
	if from, to, err := l.Supersede(ctx, placed, "import-0"); from != 0 || to != 0 || err != nil {
		t.Errorf("nothing: [%s, %s), %v", from, to, err)
	}
	if p, err := l.ProgressOf(ctx, old); err != nil || len(p) != 0 {
		t.Errorf("its progress is there: %+v %v", p, err)
	}
}
