package sketch

import (
	"slices"
)

// The table of a sparse sketch is a hash table that is always sorted, so that a sketch can be added to and
// encoded in turn without a sort in between. An entry's home slot is its top bits, linear probing goes to the
// right and never around the end, and entries of a run stand in ascending order: then the whole table does, with
// zeros for the empty slots (an entry of zero has no tail and lives in long).
//
// Invariants, while the table has a slot at all: an entry is at or right of its home; no slot between the two is
// empty; the last slot is empty, so that no loop needs to look for the end. Up to 15 entries there is one
// home slot, and the table is a plain sorted list; up to 7 it lies in the sketch itself. From then on it has 2^bits,
// filled to 3/4 at most, and an eighth more for the last runs to end in. Should that not do (forged entries can bring
// it about), the end moves right.
//
// Tried and dropped: to sort many new entries by their top bits and make the table anew. Inserting them into a table that has
// room is as fast.
//
// Not a list with an unsorted part: that needs a sort before it can be encoded or counted, and a visitor who is
// seen again lengthens it. The price is up to twice the memory for each entry.

const (
	listLen = 8  // slots of the list in the sketch itself: up to 7 entries need no memory besides
	maxList = 15 // entries in a table of one home slot: 64 bytes
)

// slots is the table, wherever it is.
//
// REQUIRES: not dense.
func (s *Sketch) slots() []uint32 {
	if len(s.tab) == 0 {
		return s.list[:]
	}
	return s.tab
}

// longs are the entries that do not tell their rank, each as entry<<8 | rank, ascending.
func (s *Sketch) longs() []uint64 {
	if s.long == nil {
		return nil
	}
	return *s.long
}

// packed is how many slots are packed at a time.
const packed = 64

// pack returns the entries of the first slots, in buf, and the other slots. A table is half empty without a pattern, and
// a processor that guesses which slots are pays for each wrong guess more than for a slot.
func pack(buf *[packed]uint32, slots []uint32) (entries, rest []uint32) {
	first := slots[:min(packed, len(slots))]
	n := 0
	for _, e := range first {
		buf[n&(packed-1)] = e
		if e != 0 {
			n++
		}
	}
	return buf[:n], slots[len(first):]
}

// copyTable takes over the table of o.
//
// REQUIRES: s has no entry in its own, neither is dense.
func (s *Sketch) copyTable(o *Sketch) {
	s.n, s.bits, s.list = o.n, o.bits, o.list
	s.tab = extend(s.tab[:0], len(o.tab))
	copy(s.tab, o.tab)
	s.setLimit()
	if s.count() > maxSparse {
		s.densify()
	}
}

// insert adds an entry and makes the sketch dense if that is one too many.
//
// REQUIRES: not dense, e&tailMask != 0.
func (s *Sketch) insert(e uint32) {
	tab := s.slots()
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

// insertAll inserts entries and returns those left when the sketch becomes dense.
//
// REQUIRES: not dense, of all e&tailMask != 0.
func (s *Sketch) insertAll(list []uint32) (left []uint32) {
	s.reserve(int(s.n) + len(list))
	for i, e := range list {
		if s.insert(e); s.dense {
			return list[i+1:]
		}
	}
	return nil
}

// reserve makes room for n entries in the table, or for as many as a table can have.
//
// REQUIRES: not dense.
func (s *Sketch) reserve(n int) {
	n = min(n, maxSparse)
	switch {
	case n < listLen || n <= int(s.limit):
	case n <= maxList && len(s.tab) == 0:
		s.tab = extend(s.tab, maxList+1)
		copy(s.tab, s.list[:])
		s.setLimit()
	case tableBits(n) > s.bits:
		s.rehash(s.roomFor(n))
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
	if s.long == nil {
		s.long = new([]uint64)
	}
	long := *s.long
	i, _ := slices.BinarySearch(long, uint64(e)<<8)
	if i < len(long) && uint32(long[i]>>8) == e {
		long[i] = max(long[i], uint64(e)<<8|uint64(rank))
		return
	}
	long = slices.Insert(long, i, uint64(e)<<8|uint64(rank))
	*s.long = long
	if s.count() > maxSparse {
		s.densify()
		return
	}
	s.limit = min(s.limit, uint16(maxSparse-len(long)))
}

// grow makes room for one more entry, or makes the sketch dense if it has too many. It restores the invariants
// after an insertion that exceeded the limit or filled the last slot.
func (s *Sketch) grow() {
	switch {
	case s.count() > maxSparse:
		s.densify()
	case s.n < listLen && len(s.tab) == 0:
		s.setLimit() // the first entry: the zero value has no limit
	case s.n <= maxList && len(s.tab) == 0:
		s.tab = extend(s.tab, maxList+1)
		copy(s.tab, s.list[:])
		s.setLimit()
	case s.n > s.limit:
		s.rehash(s.roomFor(int(s.n)))
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

// roomFor is the size of a table for n entries and more to come: the smallest that will do, or one of up to four times
// that size if s has the memory, so that a sketch that is used again grows in fewer steps.
func (s *Sketch) roomFor(n int) uint8 {
	b := tableBits(n)
	for range 2 {
		if b < maxBits && tableSlots(b+1) <= cap(s.tab) {
			b++
		}
	}
	return b
}

// maxBits is the size of the table of a sketch that is about to become dense.
const maxBits = 11

// tableSlots is the number of slots of a table with 2^b homes.
func tableSlots(b uint8) int { return 1<<b + 1<<b/8 }

func (s *Sketch) setLimit() {
	n := len(s.slots()) - 1
	if s.bits > 0 {
		n = 3 << s.bits >> 2
	}
	s.limit = uint16(min(n, maxSparse-len(s.longs())))
}

// rehash gives the table 2^b home slots, in the memory that it has if that is enough.
func (s *Sketch) rehash(b uint8) {
	if s.n <= rehashFew {
		var buf [rehashFew]uint32
		s.rehashIn(buf[:0], b)
	} else {
		s.rehashMany(b)
	}
}

// rehashFew is up to how many entries are sorted in a small buffer, which costs less to clear.
const rehashFew = 96

// rehashMany is a function of its own so that only sketches of many pay for its 6 KB on the stack.
//
//go:noinline
func (s *Sketch) rehashMany(b uint8) {
	var buf [maxSparse]uint32
	s.rehashIn(buf[:0], b)
}

func (s *Sketch) rehashIn(sorted []uint32, b uint8) {
	for slots := s.slots(); len(slots) > 0; {
		var buf [packed]uint32
		var list []uint32
		list, slots = pack(&buf, slots)
		sorted = append(sorted, list...)
	}
	s.bits = b
	s.tab = extend(s.tab[:0], tableSlots(b))
	s.place(sorted)
}

// fill makes a table of those of the sorted entries that tell their rank, at once, where growing would come there
// in steps.
//
// REQUIRES: s is empty, len(sorted) <= maxSparse.
func (s *Sketch) fill(sorted []uint32) {
	switch n := len(sorted); {
	case n > maxList:
		s.bits = tableBits(n)
		s.tab = extend(s.tab[:0], tableSlots(s.bits))
	case n >= listLen:
		s.tab = extend(s.tab[:0], maxList+1)
	}
	s.place(sorted)
}

// place puts sorted entries into a table of empty slots.
func (s *Sketch) place(sorted []uint32) {
	s.n = 0
	s.setLimit()
	tab, free := s.slots(), 0
	for _, e := range sorted {
		if e&tailMask == 0 {
			continue
		}
		i := max(free, s.home(e))
		if i+1 >= len(tab) {
			s.tab = extend(s.tab, i+2+i/8)
			tab = s.tab
		}
		tab[i] = e
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
