package dedup

import (
	"math/bits"
	"math/rand/v2"
)

// table is a set of hashes that are not 0, by open addressing with linear probing: 8 bytes a place, at most three quarters
// of them taken.
type table struct {
	slots []uint64 // a power of two, 0 is free
	shift uint8
	len   int
	// spread is a secret of the process. Ids come from outside and xxHash has no key, so that without it somebody could make
	// ids that all belong in one place. It decides where a hash lies and nothing that can be seen from outside.
	spread uint64
}

const minSlots = 64

func newTable() table {
	t := table{spread: rand.Uint64() | 1}
	t.resize(minSlots)
	return t
}

// home returns the place where the search for a hash begins.
func (t *table) home(h uint64) int { return int(h * t.spread >> t.shift) }

// find returns the place of a hash, or the free one where it belongs.
func (t *table) find(h uint64) int {
	mask := len(t.slots) - 1
	i := t.home(h)
	for t.slots[i] != 0 && t.slots[i] != h {
		i = (i + 1) & mask
	}
	return i
}

func (t *table) has(h uint64) bool { return t.slots[t.find(h)] == h }

// add adds a hash. One that is there already stays.
func (t *table) add(h uint64) {
	i := t.find(h)
	if t.slots[i] == h {
		return
	}
	if (t.len+1)*4 > len(t.slots)*3 {
		t.resize(2 * len(t.slots))
		i = t.find(h)
	}
	t.slots[i] = h
	t.len++
}

// remove takes a hash out, if it is there, and moves those that were pushed on by it back.
func (t *table) remove(h uint64) {
	i := t.find(h)
	if t.slots[i] == 0 {
		return
	}
	mask := len(t.slots) - 1
	for j := (i + 1) & mask; t.slots[j] != 0; j = (j + 1) & mask {
		// What lies at j may move to i unless its home is behind i.
		if home := t.home(t.slots[j]); (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
	t.len--
}

// shrink gives memory back when little of it is used.
func (t *table) shrink() {
	n := len(t.slots)
	for n > minSlots && t.len*8 < n {
		n /= 2
	}
	if n < len(t.slots) {
		t.resize(n)
	}
}

func (t *table) resize(n int) {
	old := t.slots
	t.slots, t.shift = make([]uint64, n), uint8(64-bits.Len(uint(n-1)))
	for _, h := range old {
		if h != 0 {
			t.slots[t.find(h)] = h
		}
	}
}
