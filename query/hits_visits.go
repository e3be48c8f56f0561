package query

import (
	"errors"
	"math/bits"
	"runtime"
	"slices"
	"sync/atomic"

	"millrace/engine/visit"
)

// visitList are visits that a worker has found in a partition, each with a value; some may be there several times. Sets have no values.
type visitList struct {
	ids    []visit.ID
	values []uint64
}

// visitTable finds values of the visits of a partition: a table with open addressing for each share of the names.
type visitTable struct {
	shares []visitShare
	// more are further values, of visits that have several.
	more map[visit.ID][]uint64
}

type visitShare struct {
	ids    []visit.ID // 0 is free
	values []uint64   // nil of a set
	shift  uint
	more   map[visit.ID][]uint64
}

// visitShares is how many tables there are, so that several goroutines can make them.
const visitShares = 1 << 3

func hashOf(id visit.ID) uint64 { return uint64(id) * 0x9e3779b97f4a7c15 }

// The first bits of a hash say which share a visit is of, those behind them where it is looked for.
func shareOf(hash uint64) uint64 { return hash >> (64 - 3) }

func (t *visitTable) share(hash uint64) *visitShare { return &t.shares[shareOf(hash)] }

// place returns where a visit stands, or would.
func (s *visitShare) place(id visit.ID, hash uint64) int {
	mask := len(s.ids) - 1
	i := int(hash << 3 >> s.shift)
	for s.ids[i] != id && s.ids[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

// has reports whether a visit is there. A nil table has none.
func (t *visitTable) has(id visit.ID) bool {
	if t == nil || id == 0 {
		return false
	}
	hash := hashOf(id)
	s := t.share(hash)
	return s.ids[s.place(id, hash)] == id
}

// value returns the first value of a visit, and whether it is there.
func (t *visitTable) value(id visit.ID) (uint64, bool) {
	if t == nil || id == 0 {
		return 0, false
	}
	hash := hashOf(id)
	s := t.share(hash)
	if i := s.place(id, hash); s.ids[i] == id {
		return s.values[i], true
	}
	return 0, false
}

// any reports whether fn is true of a value of a visit.
func (t *visitTable) any(id visit.ID, fn func(uint64) bool) bool {
	first, ok := t.value(id)
	return ok && (fn(first) || slices.ContainsFunc(t.more[id], fn))
}

// fewVisits is how many one goroutine puts into a table.
const fewVisits = 32 << 10

// visitTables makes tables of what workers have found, by partition.
func visitTables(found []foundVisits) map[int32]*visitTable {
	by := map[int32][]*visitList{}
	for _, of := range found {
		for partition, list := range of.of {
			by[partition] = append(by[partition], list)
		}
	}
	tables := map[int32]*visitTable{}
	for partition, lists := range by {
		tables[partition] = newVisitTable(lists)
	}
	return tables
}

func newVisitTable(lists []*visitList) *visitTable {
	n := 0
	for _, l := range lists {
		n += len(l.ids)
	}
	goroutines := runtime.GOMAXPROCS(0)
	if n <= fewVisits {
		goroutines = 1
	}
	t := &visitTable{shares: make([]visitShare, visitShares)}
	parallel(visitShares, goroutines, func(_ int, next func() (int, bool)) {
		for k, ok := next(); ok; k, ok = next() {
			t.shares[k].fill(uint64(k), lists)
		}
	})
	for i := range t.shares {
		for id, values := range t.shares[i].more {
			if t.more == nil {
				t.more = map[visit.ID][]uint64{}
			}
			t.more[id] = values
		}
	}
	return t
}

// fill takes the visits of a share from the lists.
func (s *visitShare) fill(share uint64, lists []*visitList) {
	n := 0
	for _, l := range lists {
		for _, id := range l.ids {
			if shareOf(hashOf(id)) == share {
				n++
			}
		}
	}
	width := max(bits.Len(uint(n+n/2)), 2)
	s.ids, s.shift = make([]visit.ID, 1<<width), 64-uint(width)
	for _, l := range lists {
		if l.values != nil && s.values == nil {
			s.values = make([]uint64, 1<<width)
		}
		for k, id := range l.ids {
			if hash := hashOf(id); shareOf(hash) == share {
				s.put(id, hash, l, k)
			}
		}
	}
}

func (s *visitShare) put(id visit.ID, hash uint64, l *visitList, k int) {
	i := s.place(id, hash)
	if s.ids[i] == 0 {
		s.ids[i] = id
		if s.values != nil {
			s.values[i] = l.values[k]
		}
		return
	}
	if s.values == nil || s.values[i] == l.values[k] || slices.Contains(s.more[id], l.values[k]) {
		return
	}
	if s.more == nil {
		s.more = map[visit.ID][]uint64{}
	}
	s.more[id] = append(s.more[id], l.values[k])
}

// foundVisits are those that a worker has found, by partition.
type foundVisits struct {
	of    map[int32]*visitList
	bound *foundBound
}

// foundBound bounds what all workers find.
type foundBound struct {
	found atomic.Int64
	most  int64
}

// errManyVisits says that more visits were found than are kept at once.
var errManyVisits = errors.New("too many visits")

func newFound(b *foundBound) foundVisits { return foundVisits{map[int32]*visitList{}, b} }

// gather calls fn to add to the list of a partition, and returns errManyVisits if there are too many then.
func (f foundVisits) gather(partition int32, fn func(l *visitList)) error {
	l := f.of[partition]
	if l == nil {
		l = &visitList{}
		f.of[partition] = l
	}
	before := len(l.ids)
	fn(l)
	if f.bound.found.Add(int64(len(l.ids)-before)) > f.bound.most {
		return errManyVisits
	}
	return nil
}

// add adds a visit, unless it is the last one.
func (l *visitList) add(id visit.ID) {
	if n := len(l.ids); n == 0 || l.ids[n-1] != id {
		l.ids = append(l.ids, id)
	}
}

// note adds a value of a visit, unless it is among its last ones.
func (l *visitList) note(id visit.ID, value uint64) {
	for i := len(l.ids) - 1; i >= max(0, len(l.ids)-8) && l.ids[i] == id; i-- {
		if l.values[i] == value {
			return
		}
	}
	l.ids, l.values = append(l.ids, id), append(l.values, value)
}
