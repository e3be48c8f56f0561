package hitread

import (
	"cmp"
	"slices"
	"sort"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/visit"
)

// erased returns the erasures of a site in a partition.
func (s *snapshot) erased(partition int32, site string) []commits.Erasure {
	list := s.list.Erased[partition]
	from := sort.Search(len(list), func(i int) bool { return list[i].Site >= site })
	n := sort.Search(len(list)-from, func(i int) bool { return list[from+i].Site > site })
	return list[from : from+n]
}

// ofRecord and ofVisit are what an erasure takes away of a visitor: hits by their record, visits by their name.
func ofRecord(e *commits.Erasure, place int64) bool { return e.OfRecord(place) }
func ofVisit(e *commits.Erasure, place int64) bool  { return e.OfVisit(visit.ID(place)) }

// gone returns the bits of rows that are erased, nil if there are none. The place of a row is read only if one may be.
func (b *block) gone(column string, of func(e *commits.Erasure, place int64) bool) ([]uint64, error) {
	if b.knows || len(b.erasures) == 0 {
		return b.hidden, nil
	}
	visitors, err := b.Visitors()
	if err != nil {
		return nil, err
	}
	var places []int64
	for i := range b.erasures {
		e := &b.erasures[i]
		// Within a site and a row group, which a block is of, rows are in the order of visitors.
		from := sort.Search(len(visitors), func(i int) bool { return visitors[i] >= e.Visitor })
		for row := from; row < len(visitors) && visitors[row] == e.Visitor; row++ {
			if places == nil {
				if places, err = b.piece.ints(column, b.m, nil); err != nil {
					return nil, err
				}
				b.hidden = b.bits()
			}
			if of(e, places[row]) {
				b.hidden[row/64] |= 1 << (row % 64)
			}
		}
	}
	b.m.giveInts(places)
	b.knows = true
	return b.hidden, nil
}

// without takes bits away.
func (b *block) without(list, gone []uint64) {
	for i := range gone {
		list[i] &^= gone[i]
	}
}

// erasedVisit reports whether a visit is erased.
func (b *block) erasedVisit(who event.Visitor, id visit.ID) bool {
	i, found := slices.BinarySearchFunc(b.erasures, who, func(e commits.Erasure, who event.Visitor) int { return cmp.Compare(e.Visitor, who) })
	return found && id != 0 && b.erasures[i].OfVisit(id)
}
