package query

import (
	"slices"
	"sync/atomic"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// room is how many more visitors the workers of a query may count exactly, all together.
type room struct{ left atomic.Int64 }

func newRoom(n int) *room {
	r := &room{}
	r.left.Store(int64(n))
	return r
}

// take returns how many of n there is room for, and takes it.
func (r *room) take(n int) int {
	for {
		left := r.left.Load()
		got := min(left, int64(n))
		if got <= 0 {
			return 0
		}
		if r.left.CompareAndSwap(left, left-got) {
			return int(got)
		}
	}
}

// seenVisitors are the visitors of groups: exact as long as there is room, and sketches from there on.
type seenVisitors struct {
	room  *room
	n     int
	limit int           // of n: there was room for so many
	table []seenVisitor // open addressing
	shift uint
	// sketches, by group, are in use once table is nil.
	sketches []*sketch.Sketch
}

// seenVisitor is free where the visitor is 0.
type seenVisitor struct {
	visitor event.Visitor
	group   uint32
}

const firstSeen = 10 // bits of the first table

func newSeenVisitors(r *room) *seenVisitors {
	return &seenVisitors{room: r, table: make([]seenVisitor, 1<<firstSeen), shift: 64 - firstSeen}
}

// placeOf returns where an entry is looked for first in a table of 1<<(64-shift). Visitors are hashes; the group spreads those
// that are in many.
func (e seenVisitor) placeOf(shift uint) int {
	return int((uint64(e.visitor) ^ uint64(e.group)*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93 >> shift)
}

// add adds a visitor, which is not 0, to a group.
func (s *seenVisitors) add(group uint32, v event.Visitor) {
	if s.table == nil {
		sketchOf(&s.sketches, group).Add(uint64(v))
		return
	}
	e := seenVisitor{v, group}
	if insert(s.table, s.shift, e) {
		if s.n++; s.n > s.limit {
			s.grow()
		}
	}
}

// insert adds an entry to a table that has room, and reports whether it was not there.
func insert(table []seenVisitor, shift uint, e seenVisitor) bool {
	mask := len(table) - 1
	for i := e.placeOf(shift); ; i = (i + 1) & mask {
		switch table[i] {
		case e:
			return false
		case seenVisitor{}:
			table[i] = e
			return true
		}
	}
}

// grow makes room for more, or sketches where there is none.
func (s *seenVisitors) grow() {
	full := len(s.table) / 4 * 3
	if s.limit == full {
		old := s.table
		s.table, s.shift = make([]seenVisitor, 2*len(old)), s.shift-1
		for _, e := range old {
			if e.visitor != 0 {
				insert(s.table, s.shift, e)
			}
		}
		full *= 2
	}
	got := s.room.take(full - s.limit)
	if s.limit += got; got == 0 {
		s.reduce()
	}
}

// reduce makes sketches of what there is.
func (s *seenVisitors) reduce() {
	old := s.table
	s.table = nil
	for _, e := range old {
		if e.visitor != 0 {
			sketchOf(&s.sketches, e.group).Add(uint64(e.visitor))
		}
	}
}

func sketchOf(list *[]*sketch.Sketch, group uint32) *sketch.Sketch {
	if n := int(group) + 1; n > len(*list) {
		*list = slices.Grow(*list, n-len(*list))[:n]
	}
	if (*list)[group] == nil {
		(*list)[group] = new(sketch.Sketch)
	}
	return (*list)[group]
}
