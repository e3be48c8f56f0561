package visit

import (
	"math/bits"

	"millrace/engine/event"
)

// visitors finds the first visits of a site's visitors: an open-addressing table with linear probing, 8 bytes a place, at most
// three quarters of them taken. A place holds half of the visitor's hash, of which the place follows too, and the
// number of the slot; the visitor itself stands in the slot, which whoever looks for it reads next anyway.
type visitors struct {
	places []uint64 // a power of two: hash<<32 | slot; 0 is free
	len    int
	shift  uint8 // a hash's place is hash >> shift
	spread spread
}

// spread is a secret of the process. Visitors are hashes, but a trusted client may send any, and without it ones that all
// belong in one place. It decides where a visitor lies and nothing that can be seen from outside.
type spread [2]uint64

// hash returns the hash of a visitor.
func (s *spread) hash(v event.Visitor) uint32 {
	hi, lo := bits.Mul64(uint64(v)^s[0], s[1])
	return uint32((hi ^ lo) >> 32)
}

const minPlaces = 8

func newVisitors(s spread) visitors {
	t := visitors{spread: s}
	t.resize(minPlaces)
	return t
}

// find returns the place of a visitor, or the free one where it belongs.
func (t *visitors) find(visits *slab, v event.Visitor) (place uint32) {
	h := t.spread.hash(v)
	mask := uint32(len(t.places) - 1)
	for i := h >> t.shift; ; i = (i + 1) & mask {
		p := t.places[i&mask]
		if p == 0 || uint32(p>>32) == h && visits.at(int32(p)).visitor == v {
			return i
		}
	}
}

// first returns the first visit of a visitor, 0 if there is none.
func (t *visitors) first(visits *slab, v event.Visitor) int32 {
	return int32(t.places[t.find(visits, v)])
}

// guess is first without a look at the slot: it may be that of another visitor with the same hash.
func (t *visitors) guess(h uint32) int32 {
	mask := uint32(len(t.places) - 1)
	for i := h >> t.shift; ; i = (i + 1) & mask {
		if p := t.places[i&mask]; p == 0 || uint32(p>>32) == h {
			return int32(p)
		}
	}
}

// put makes a visit the first of its visitor, whose place find has returned.
func (t *visitors) put(visits *slab, place uint32, i int32) {
	v := visits.at(i).visitor
	if t.places[place] == 0 {
		if (t.len+1)*4 > len(t.places)*3 {
			t.resize(2 * len(t.places))
			place = t.find(visits, v)
		}
		t.len++
	}
	t.places[place] = uint64(t.spread.hash(v))<<32 | uint64(i)
}

// remove takes a visitor out, who has a visit in the table, and moves those that were pushed on by him back.
func (t *visitors) remove(visits *slab, v event.Visitor) {
	mask := uint32(len(t.places) - 1)
	i := t.find(visits, v)
	for j := (i + 1) & mask; t.places[j] != 0; j = (j + 1) & mask {
		// What lies at j may move to i unless it belongs behind i.
		if home := uint32(t.places[j]>>32) >> t.shift; (j-home)&mask >= (j-i)&mask {
			t.places[i] = t.places[j]
			i = j
		}
	}
	t.places[i] = 0
	t.len--
	if len(t.places) > minPlaces && t.len*8 < len(t.places) {
		t.resize(len(t.places) / 2)
	}
}

func (t *visitors) resize(n int) {
	old := t.places
	t.places, t.shift = make([]uint64, n), uint8(32-bits.Len(uint(n-1)))
	mask := uint32(n - 1)
	for _, p := range old {
		if p == 0 {
			continue
		}
		i := uint32(p>>32) >> t.shift
		for t.places[i] != 0 {
			i = (i + 1) & mask
		}
		t.places[i] = p
	}
}

func (t *visitors) bytes() int { return 8 * len(t.places) }
