package window

import (
	"cmp"
	"slices"
	"strings"
)

// An hour keeps those values of its minutes that count most, whenever they came: six hundred pages
// of one view leave room for the one that everybody reads half an hour later. So an hour under way
// holds more values than its budget, and chooses among them when it is written.
//
// What it holds is bounded too, because each of its minutes may bring a budget of values that no
// other has. Past hourRoom budgets a family is cut down to half of that, by what its values count
// so far. Hours are merged minute by minute in ascending order, by the stream and by a replay
// alike, so they are cut down at the same minutes. A value that was cut and comes again counts from
// then on: only what it counted before stays in Other.

// hourRoom is how many budgets of values a family of an hour under way holds at most, but for those
// of its last minute. At 16 an attack takes 8,000 values a family, some two megabytes; ordinary
// sites are far below, and exact.
const hourRoom = 16

// weight is a place and what decides whether it stays.
type weight struct {
	count int64
	place int32
}

// choose makes each family keep the limit of its values that count most events, of equals those
// that are first in the order of values; the others are added to Other.
//
// REQUIRES: the sketches are settled.
func (a *Agg) choose(limit int) {
	if limit <= 0 {
		return
	}
	for f := range a.fams {
		if a.fams[f].kept() > limit {
			a.chooseOf(Family(f), limit)
		}
	}
}

func (a *Agg) chooseOf(f Family, limit int) {
	a.enc.drop()
	a.memo.reset() // it knows places
	t := &a.fams[f]
	list := make([]weight, 0, t.kept())
	for i := range t.cells {
		if i+1 != int(t.other) {
			list = append(list, weight{t.cells[i].events.events, int32(i)})
		}
	}
	slices.SortFunc(list, func(x, y weight) int {
		if c := cmp.Compare(y.count, x.count); c != 0 {
			return c
		}
		return t.compareValues(int(x.place), int(y.place))
	})
	goes := make([]bool, len(t.cells)+1) // by place; Other may be made
	for _, w := range list[limit:] {
		goes[w.place] = true
	}
	a.intoOther(t, len(families[f].dims), goes)
	t.remove(goes)
}

// intoOther adds what is counted at places to Other.
func (a *Agg) intoOther(t *table, dims int, goes []bool) {
	if t.other == 0 {
		second := ""
		if dims > 1 {
			second = Other
		}
		t.add(0, Other, second, 0, 0, &a.text)
	}
	at := int(t.other - 1)
	for i := range t.cells {
		if !goes[i] {
			continue
		}
		t.cells[at].events.add(&t.cells[i].events)
		t.cells[at].visitors.Merge(&t.cells[i].visitors)
		if v := t.visitsAt(i); v != (visits{}) {
			t.visitsOf(at).add(&v)
		}
	}
}

// remove takes cells out. The others keep their order.
func (t *table) remove(gone []bool) {
	if len(t.visits) > 0 {
		t.visitsOf(len(t.cells) - 1)
	}
	other := int(t.other) - 1
	n := 0
	for i := range t.cells {
		if gone[i] {
			continue
		}
		// An exchange, because the memory of a sketch belongs to one cell.
		t.cells[n], t.cells[i] = t.cells[i], t.cells[n]
		t.hashes[n] = t.hashes[i]
		if len(t.visits) > 0 {
			t.visits[n] = t.visits[i]
		}
		if i == other {
			t.other = int32(n + 1)
		}
		n++
	}
	t.cells, t.hashes, t.visits = t.cells[:n], t.hashes[:n], t.visits[:min(n, len(t.visits))]
	clear(t.slots)
	for i := range t.cells {
		if i+1 != int(t.other) {
			putSlot(t.slots, uint64(t.hashes[i])<<32|uint64(i+1))
		}
	}
}

// compareValues is the order of the values at two places.
func (t *table) compareValues(i, j int) int {
	x, y := &t.cells[i], &t.cells[j]
	return cmp.Or(strings.Compare(x.first(), y.first()), strings.Compare(x.second(), y.second()))
}
