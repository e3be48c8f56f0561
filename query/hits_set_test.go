package query

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/visit"
)

// Visitors of several workers are counted exactly while there is room, and within an estimate's error beyond.
func TestDistinct(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	const groups, workers = 40, 4
	f := func(seed uint64, n, space int, exact bool) {
		t.Helper()
		rng := rand.New(rand.NewPCG(seed, 1))
		numbers := rng.Perm(groups)
		var parts []seenPart
		want, of := make([]map[event.Visitor]bool, groups), newRoom(space)
		for w := range workers {
			s := newSeenVisitors(of)
			p := seenPart{seenVisitors: s}
			if w > 0 {
				for _, g := range numbers {
					p.number = append(p.number, uint32(g))
				}
			}
			for range n {
				own, v := uint32(rng.IntN(rng.IntN(groups)+1)), event.Visitor(1+rng.IntN(n))*0x9e3779b97f4a7c15
				s.add(own, v)
				if g := p.group(own); want[g] == nil {
					want[g] = map[event.Visitor]bool{v: true}
				} else {
					want[g][v] = true
				}
			}
			parts = append(parts, p)
		}
		got, estimated := distinct(parts, groups)
		if exact == estimated {
			t.Errorf("seed %d: estimated is %v", seed, estimated)
		}
		for g, n := range got {
			if off := math.Abs(float64(n) - float64(len(want[g]))); off > 0 && (exact || off > 4*sketch.StdError*float64(len(want[g]))) {
				t.Errorf("seed %d: group %d has %d visitors, want %d", seed, g, n, len(want[g]))
			}
		}
	}
	f(1, 50, 1<<20, true)
	f(2, 30_000, 1<<20, true) // in several buckets
	f(3, 30_000, 40_000, false)
	f(4, 0, 10, true)
	f(5, 30, 10, true) // sketches of so few are exact
}

// A table of visits has what was put into it, and nothing else.
func TestVisitTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 100, fewVisits} {
		var lists []*visitList
		want := map[visit.ID][]uint64{}
		for range 3 {
			l := &visitList{}
			for range n {
				id, v := visit.IDOf(rng.Int64N(int64(n)*3), rng.IntN(2)), rng.Uint64N(3)
				l.note(id, v)
				if !slices.Contains(want[id], v) {
					want[id] = append(want[id], v)
				}
			}
			lists = append(lists, l)
		}
		table := newVisitTable(lists)
		for offset := range int64(n)*3 + 10 {
			id := visit.IDOf(offset, 0)
			var got []uint64
			table.any(id, func(v uint64) bool { got = append(got, v); return false })
			slices.Sort(got)
			slices.Sort(want[id])
			if !slices.Equal(got, want[id]) || table.has(id) != (len(want[id]) > 0) {
				t.Fatalf("of %d, visit %d has %v, want %v", n, id, got, want[id])
			}
		}
	}
	var none *visitTable
	if none.has(5) || none.any(5, func(uint64) bool { return true }) {
		t.Error("no table has a visit")
	}
}

// The first rows are those of a sort of all, whatever they are ordered by.
func TestRanking(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	page, _ := ParseDimension("event:page")
	source, _ := ParseDimension("visit:source")
	for range 60 {
		a := &aggregation{hits: &hitGroups{groups: newGroups(2)}}
		for range 300 {
			h := a.hits
			first := h.groups.columns[0].of(string(rune('a' + rng.IntN(26))))
			g := h.groups.levels[0].of(first, h.groups.columns[1].of(string(rune('a'+rng.IntN(26)))))
			if int(g) < len(h.counts) {
				continue
			}
			h.counts = append(h.counts, counts{events: rng.Int64N(4), visits: rng.Int64N(3), bounces: rng.Int64N(2)})
			h.visitors = append(h.visitors, rng.Uint64N(3))
			h.list = append(h.list, g)
		}
		q := &Query{shape: shape{metrics: []Metric{visitors, events, bounceRate}, dims: []*Dimension{page, source}}}
		for range 1 + rng.IntN(2) {
			o := Order{ByMetric: rng.IntN(3) > 0, Desc: rng.IntN(2) == 0}
			if o.Index = rng.IntN(2); o.ByMetric {
				o.Index = rng.IntN(3)
			}
			q.order = append(q.order, o)
		}
		r := newRanking(q, a, func(func(int) string) bases { return bases{} })
		all := r.first(a.size())
		r.keys = nil
		for i := 1; i < len(all); i++ {
			var c int
			for _, o := range q.order { // the same, said once more
				x, y := r.a.dim(int(all[i-1]), o.Index%2), r.a.dim(int(all[i]), o.Index%2)
				if o.ByMetric {
					nx, ny := r.metric(int(all[i-1]), o), r.metric(int(all[i]), o)
					c = map[bool]int{nx < ny: -1, nx > ny: 1}[true]
				} else if c = map[bool]int{x < y: -1, x > y: 1}[true]; o.Desc {
					c = -c
				}
				if c != 0 {
					break
				}
			}
			if c > 0 || c == 0 && slices.Compare(a.dims(int(all[i-1]), 2), a.dims(int(all[i]), 2)) >= 0 {
				t.Fatalf("%+v: %v stands before %v", q.order, a.dims(int(all[i-1]), 2), a.dims(int(all[i]), 2))
			}
		}
		r = newRanking(q, a, r.base)
		for _, n := range []int{0, 1, 7, a.size() / 3, a.size() - 1} {
			if got := r.first(n); !slices.Equal(got, all[:n]) {
				t.Fatalf("%+v: the first %d are %v, want %v", q.order, n, got, all[:n])
			}
		}
	}
}
