package visit

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
)

// watched is a Watcher that keeps what it is told.
type watched struct {
	joined map[ID]ID
	ended  map[ID]Visit
	order  []ID // in which they ended
}

func newWatched() *watched { return &watched{map[ID]ID{}, map[ID]Visit{}, nil} }

func (w *watched) Joined(j Join) { w.joined[j.Visit] = j.Into }

func (w *watched) Ended(v *Visit) {
	w.ended[v.ID] = *v // Dims are views: not compared
	w.order = append(w.order, v.ID)
}

// names returns the names that a table has given, with their visits.
func names(t *Table) (list []string) {
	for _, s := range t.names {
		for visitor, i := range firsts(t, s) {
			for ; i != 0; i = t.visits.at(i).next {
				n := t.naming.list[i-1]
				list = append(list, fmt.Sprintf("%s %s %d %s %d", s.name, visitor, t.visits.at(i).first, name64(n.id), n.events))
			}
		}
	}
	slices.Sort(list)
	return list
}

func name64(id ID) string {
	offset, index := id.Place()
	return fmt.Sprintf("%d.%d", offset, index)
}

// TestNames holds a table that names its visits against one that does not, which must count the same; the names and numbers of
// events against the model; and what its journals and its checkpoints make of other tables against itself.
func TestNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		plain, tab, m, w := NewTable(rules), NewTable(rules), &model{rules: rules}, newWatched()
		tab.Watch(w)
		byJournal, byCheckpoint := NewTable(rules), NewTable(rules)
		byJournal.Watch(nil)
		byCheckpoint.Watch(nil)
		l := &log{rules: rules, now: origin, watermark: origin - event.Hour}
		taken := map[ID]int{}
		for range rapid.IntRange(1, 15).Draw(t, "records") {
			for range rapid.IntRange(0, 6).Draw(t, "events") {
				e := l.draw(t)
				observe(plain, e)
				tab.Name(IDOf(int64(e.seq), 0))
				observe(tab, e)
				id := tab.Taker(nil)
				switch v := m.observe(e); {
				case v == nil && id != 0 || v != nil && v.id != id:
					t.Fatalf("event %+v is of visit %s, by the model of %+v", e, name64(id), v)
				case v != nil && !e.ping:
					taken[id]++
				}
			}
			want, got := flush(plain), flush(tab)
			if want.chunks() != got.chunks() {
				t.Fatalf("changes\n%s\nand of a table without names\n%s", got.chunks(), want.chunks())
			}
			if err := byJournal.Apply(got.journal); err != nil {
				t.Fatal(err)
			}
			l.low(t)
			before := len(w.order)
			for _, tab := range []*Table{plain, tab, byJournal} {
				tab.Expire(l.watermark)
			}
			if !slices.IsSorted(w.order[before:]) {
				t.Fatalf("they have ended in the order %v", w.order[before:])
			}
			audit(t, tab)
			if rapid.IntRange(0, 3).Draw(t, "checkpoint") == 0 {
				blob, _ := tab.Checkpoint(nil)
				if err := byCheckpoint.Apply(blob); err != nil {
					t.Fatal(err)
				}
				byCheckpoint.Expire(l.watermark)
				if got, want := names(byCheckpoint), names(tab); !slices.Equal(got, want) || dump(byCheckpoint) != dump(tab) {
					t.Fatalf("by checkpoints\n%q\nwant\n%q", got, want)
				}
			}
			if got, want := names(byJournal), names(tab); !slices.Equal(got, want) {
				t.Fatalf("by journals\n%q\nwant\n%q", got, want)
			}
		}
		tab.Expire(l.watermark + 1000*event.Hour)
		for id, into := range w.joined {
			for w.joined[into] != 0 {
				into = w.joined[into]
			}
			taken[into] += taken[id]
			delete(taken, id)
		}
		got := map[ID]int{}
		for id, v := range w.ended {
			got[id] = int(v.Events)
		}
		if !maps.Equal(got, taken) || len(w.order) != len(got) {
			t.Fatalf("visits have ended %d times, with so many events\n%v\nwant\n%v", len(w.order), got, taken)
		}
	})
}

// TestNamedCheckpointOrder: the order of events, and so of slots, is not that of a checkpoint.
func TestNamedCheckpointOrder(t *testing.T) {
	other := pageview(0, "/").of(5, 0)
	other.site = "b.example"
	events := []seen{pageview(0, "/").of(9, 0), other, pageview(0, "/").of(3, 0), pageview(1, "/a").of(7, 9)}
	f := func(order ...int) string {
		tab := NewTable(Rules{})
		tab.Watch(nil)
		for _, i := range order {
			tab.Name(IDOf(int64(i), 0))
			observe(tab, events[i])
			tab.EndRecord()
		}
		blob, _ := tab.Checkpoint(nil)
		return fmt.Sprintf("%x", blob)
	}
	want := f(0, 1, 2, 3)
	for _, got := range []string{f(0, 2, 1, 3), f(1, 2, 0, 3), f(2, 0, 3, 1)} {
		if got != want {
			t.Errorf("checkpoint\n%s\nwant\n%s", got, want)
		}
	}
}

// TestIDs: an ID has room for each place in a log.
func TestIDs(t *testing.T) {
	f := func(offset int64, index int) {
		t.Helper()
		id := IDOf(offset, index)
		if o, i := id.Place(); id == 0 || o != offset || i != index {
			t.Errorf("%d.%d comes back as %d.%d", offset, index, o, i)
		}
	}
	f(0, 0)
	f(0, 1<<20-2)
	f(1<<43-1, 99)
}
