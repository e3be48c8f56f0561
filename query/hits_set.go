package query

import (
	"slices"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// seenVisitors are the visitors of groups: exact as long as there are no more than a number of them in all groups together,
// and sketches from there on.
type seenVisitors struct {
	most  int
	n     int
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

func newSeenVisitors(most int) *seenVisitors {
	return &seenVisitors{most: most, table: make([]seenVisitor, 1<<firstSeen), shift: 64 - firstSeen}
}

// place returns where an entry is looked for first. Visitors are hashes; the group spreads those that are in many.
func (s *seenVisitors) place(e seenVisitor) int {
	return int((uint64(e.visitor) ^ uint64(e.group)*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93 >> s.shift)
}

// add adds a visitor, which is not 0, to a group.
func (s *seenVisitors) add(group uint32, v event.Visitor) {
	if s.table == nil {
		s.sketch(group).Add(uint64(v))
		return
	}
	e := seenVisitor{v, group}
	mask := len(s.table) - 1
	for i := s.place(e); ; i = (i + 1) & mask {
		switch s.table[i] {
		case e:
			return
		case seenVisitor{}:
			s.table[i] = e
			if s.n++; s.n > len(s.table)/4*3 {
				s.grow()
			}
			return
		}
	}
}

func (s *seenVisitors) grow() {
	if s.n > s.most {
		s.reduce()
		return
	}
	old := s.table
	s.table, s.shift = make([]seenVisitor, 2*len(old)), s.shift-1
	mask := len(s.table) - 1
	for _, e := range old {
		if e.visitor == 0 {
			continue
		}
		i := s.place(e)
		for s.table[i].visitor != 0 {
			i = (i + 1) & mask
		}
		s.table[i] = e
	}
}

// reduce makes sketches of what there is.
func (s *seenVisitors) reduce() {
	old := s.table
	s.table = nil
	for _, e := range old {
		if e.visitor != 0 {
			s.sketch(e.group).Add(uint64(e.visitor))
		}
	}
}

func (s *seenVisitors) sketch(group uint32) *sketch.Sketch {
	if n := int(group) + 1; n > len(s.sketches) {
		s.sketches = slices.Grow(s.sketches, n-len(s.sketches))[:n]
	}
	if s.sketches[group] == nil {
		s.sketches[group] = new(sketch.Sketch)
	}
	return s.sketches[group]
}

// merge adds those of another one, whose groups have other numbers.
func (s *seenVisitors) merge(o *seenVisitors, number []uint32) {
	for _, e := range o.table {
		if e.visitor != 0 {
			s.add(number[e.group], e.visitor)
		}
	}
	for group, sk := range o.sketches {
		if sk == nil {
			continue
		}
		if s.table != nil {
			s.reduce()
		}
		s.sketch(number[group]).Merge(sk)
	}
}

// counts returns the number of visitors of each of n groups, and whether some of them are estimates.
func (s *seenVisitors) counts(n int) (list []uint64, estimated bool) {
	list = make([]uint64, n)
	for _, e := range s.table {
		if e.visitor != 0 {
			list[e.group]++
		}
	}
	for group, sk := range s.sketches {
		if sk != nil {
			list[group] = sk.Estimate()
			estimated = estimated || sk.Dense()
		}
	}
	return list, estimated
}
