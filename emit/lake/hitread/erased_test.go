package hitread_test

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// erase returns erasures of some visitors of a partition, and takes what they take away out of the world: of one that has no visit
// on both sides of it up to the middle of the log, of others all.
func (w *world) erase(p int) (list []commits.Erasure) {
	end := int64(len(w.logs[p]))
	offsets := map[event.Visitor]map[visit.ID][2]bool{}
	for _, h := range w.hits[p] {
		if who := h.Row.Visitor; h.Site == sites[1] && who != 0 {
			if offsets[who] == nil {
				offsets[who] = map[visit.ID][2]bool{}
			}
			id := w.joins[p].Of(h.Visit)
			sides := offsets[who][id]
			sides[0], sides[1] = sides[0] || h.Offset < end/2, sides[1] || h.Offset >= end/2
			offsets[who][id] = sides
		}
	}
	for who, visits := range offsets {
		if who%3 == 0 {
			continue
		}
		e := commits.Erasure{Site: sites[1], Visitor: who, Before: 1, Until: end / 2}
		for _, sides := range visits {
			if sides[0] && sides[1] {
				e.Until = end
			}
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(x, y commits.Erasure) int { return cmp.Compare(x.Visitor, y.Visitor) })
	of := func(site string, who event.Visitor) *commits.Erasure {
		if i := slices.IndexFunc(list, func(e commits.Erasure) bool { return e.Site == site && e.Visitor == who }); i >= 0 {
			return &list[i]
		}
		return &commits.Erasure{}
	}
	w.hits[p] = slices.DeleteFunc(w.hits[p], func(h *hits.Hit) bool { return h.Offset < of(h.Site, h.Row.Visitor).Until })
	w.ended[p] = slices.DeleteFunc(w.ended[p], func(v endedVisit) bool { return of(v.Site, v.Visitor).OfVisit(v.ID) })
	return list
}

// TestErased: answers are those of an archive that has never had what is erased.
func TestErased(t *testing.T) {
	w := newWorld(t, 4, 200, 12)
	store, without := must(blob.OpenFolder(t.TempDir())), must(blob.OpenFolder(t.TempDir()))
	list := w.archive(t, store, 40)
	whole := newAsker(t, w, noRollups{}, openArchive(t, store, w.archive(t, store, 40)))
	a := newAsking(4, newBrute(w))
	parts := 0
	list.Erased = map[int32][]commits.Erasure{}
	for p := range partitions {
		list.Erased[int32(p)] = w.erase(p)
		for _, e := range list.Erased[int32(p)] {
			if e.Until < int64(len(w.logs[p])) {
				parts++
			}
		}
	}
	if parts == 0 || parts == len(list.Erased[0])+len(list.Erased[1]) {
		t.Fatalf("%d are erased in part, of %+v", parts, list.Erased)
	}
	erased := newAsker(t, w, noRollups{}, openArchive(t, store, list))
	never := newAsker(t, w, noRollups{}, openArchive(t, without, w.archive(t, without, 40)))
	same, others := 0, 0
	for i := range 50 {
		q := a.question(w, a.rng.IntN(3), a.rng.IntN(3))
		q.Site = sites[1]
		got, body, err := erased.ask(q)
		want, _, wantErr := never.ask(q)
		if err != nil || wantErr != nil {
			if err == nil || wantErr == nil || err.Error() != wantErr.Error() {
				t.Fatalf("query %d: %s: %v, want %v", i, body, err, wantErr)
			}
			continue
		}
		if got.Meta.Source != "lake" {
			continue
		}
		if !reflect.DeepEqual(rowsOf(got), rowsOf(want)) {
			t.Fatalf("query %d: %s in %s:\n%v\nwant\n%v", i, body, q.zone, text(got), text(want))
		}
		before, _, err := whole.ask(q)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(rowsOf(got), rowsOf(before)) {
			same++
		} else {
			others++
		}
	}
	if others < 5 {
		t.Errorf("%d answers are others than before, %d the same", others, same)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func text(v any) string { return string(must(json.Marshal(v))) }
