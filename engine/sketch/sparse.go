package sketch

import (
	"math/bits"
	"slices"
)

// The table of a sparse sketch is a hash table that is always sorted, so that a sketch can be added to and
// encoded in turn without a sort in between. An entry's home slot is its top bits, linear probing goes to the
// right and never around the end, and entries of a run stand in ascending order: then the whole table does, with
// zeros for the empty slots (an entry of zero has no tail and lives in long).
//
// Invariants, while the table has a slot at all: an entry is at or right of its home; no slot between the two is
// empty; the last slot is empty, so that no loop needs to look for the end. Up to 15 entries there is one
// home slot, and the table is a plain sorted list. From then on it has 2^bits, filled to 3/4 at most, and an eighth
// more for the last runs to end in. Should that not do (forged entries can bring it about), the end moves right.
//
// Not a list with an unsorted part: that needs a sort before it can be encoded or counted, and a visitor who is
// seen again lengthens it. The price is up to twice the memory for each entry.

const maxList = 15 // entries in a table of one home slot: 64 bytes

// insert adds an entry and makes the sketch dense if that is one too many.
//
// REQUIRES: not dense, e&tailMask != 0.
func (s *Sketch) insert(e uint32) {
	if len(s.tab) == 0 {
		s.grow()
	}
	tab := s.tab
	i := s.home(e)
	for tab[i]-1 < e-1 { // neither empty, as 0-1 is the greatest number, nor e, nor beyond
		i++
	}
	if tab[i] == e {
		return
	}
	for e != 0 { // the rest of the run moves one to the right
		tab[i], e = e, tab[i]
		i++
	}
	s.n++
	if s.n > s.limit || tab[len(tab)-1] != 0 {
		s.grow()
	}
}

func (s *Sketch) home(e uint32) int {
	return int(uint64(e) >> ((32 - s.bits) & 63))
}

// insertLong is insert for an entry that does not tell its rank: the greatest rank counts. In a sketch
// of 1,536 hashes there is one in 170 times, so a sorted list does.
//
// REQUIRES: not dense, e&tailMask == 0, rank > tailBits.
func (s *Sketch) insertLong(e uint32, rank uint8) {
	i, _ := slices.BinarySearch(s.long, uint64(e)<<8)
	if i < len(s.long) && uint32(s.long[i]>>8) == e {
		s.long[i] = max(s.long[i], uint64(e)<<8|uint64(rank))
		return
	}
	s.long = slices.Insert(s.long, i, uint64(e)<<8|uint64(rank))
	if s.count() > maxSparse {
		s.densify()
		return
	}
	s.limit = min(s.limit, uint16(maxSparse-len(s.long)))
}

// grow makes room for one more entry, or makes the sketch dense if it has too many. It restores the invariants
// after an insertion that exceeded the limit or filled the last slot.
func (s *Sketch) grow() {
	switch {
	case s.count() > maxSparse:
		s.densify()
	case s.bits == 0 && s.n <= maxList:
		s.tab = extend(s.tab, max(4, int(s.n)*2))
		s.setLimit()
	case s.n > s.limit:
		s.rehash(tableBits(int(s.n)))
	default:
		s.tab = extend(s.tab, len(s.tab)+len(s.tab)/8)
	}
}

// tableBits is the smallest size of a table in which n entries fill no more than three quarters of the slots.
func tableBits(n int) uint8 {
	b := uint8(5)
	for n > 3<<b>>2 {
		b++
	}
	return b
}

func (s *Sketch) setLimit() {
	n := len(s.tab) - 1
	if s.bits > 0 {
		n = 3 << s.bits >> 2
	}
	s.limit = uint16(min(n, maxSparse-len(s.long)))
}

// rehash gives the table 2^b home slots, in the memory that it has if that is enough.
func (s *Sketch) rehash(b uint8) {
	var buf [maxSparse]uint32
	sorted := buf[:0]
	for _, e := range s.tab {
		if e != 0 {
			sorted = append(sorted, e)
		}
	}
	s.bits = b
	s.tab = extend(s.tab[:0], 1<<b+1<<b/8)
	s.place(sorted)
}

// fill makes a table of those of the sorted entries that tell their rank, at once, where growing would come there
// in steps.
//
// REQUIRES: s is empty, len(sorted) <= maxSparse.
func (s *Sketch) fill(sorted []uint32) {
	if n := len(sorted); n > maxList {
		s.bits = tableBits(n)
		s.tab = extend(s.tab[:0], 1<<s.bits+1<<s.bits/8)
	} else {
		s.tab = extend(s.tab[:0], max(4, 1<<bits.Len(uint(n))))
	}
	s.place(sorted)
}

// place puts sorted entries into a table of empty slots.
func (s *Sketch) place(sorted []uint32) {
	s.n = 0
	s.setLimit()
	free := 0
	for _, e := range sorted {
		if e&tailMask == 0 {
			continue
		}
		i := max(free, s.home(e))
		if i+1 >= len(s.tab) {
			s.tab = extend(s.tab, i+2+i/8)
		}
		s.tab[i] = e
		s.n++
		free = i + 1
	}
}

// extend lengthens tab to n slots, the new ones empty.
func extend(tab []uint32, n int) []uint32 {
	if n <= cap(tab) {
		clear(tab[len(tab):n])
		return tab[:n]
	}
	t := make([]uint32, n)
	copy(t, tab)
	return t
}
