package window

import "unsafe"

// memo remembers under which values an Agg has counted visitors, or visits: most come again within
// the window, and most of their values are the ones they had. It is a hint only: a place is used if
// the value there is the row's.
type memo struct {
	slots   []uint64 // hash<<32 | place in entries + 1, as those of a table
	entries []memoEntry
}

// memoEntry is a cache line.
type memoEntry struct {
	key    uint64
	places [maxPicks]uint16 // by number of the pick; noPlace for none
}

const (
	maxPicks = 28
	noPlace  = 1<<16 - 1
	// maxMemo is the number of entries at which a memo begins anew: 640 KB. Few sites have as many
	// visitors in a minute.
	maxMemo = 8192
	// keptMemo is the number of entries whose memory an empty Agg keeps: 80 KB.
	keptMemo = 1024
)

// of returns the entry of a key, whose hash is hash, made if there is none. It is valid until the
// next call.
func (m *memo) of(key uint64, hash uint32) *memoEntry {
	if 2*(len(m.entries)+1) > len(m.slots) {
		m.grow()
	}
	mask := uint32(len(m.slots) - 1)
	i := hash & mask
	for ; m.slots[i] != 0; i = (i + 1) & mask {
		if s := m.slots[i]; uint32(s>>32) == hash {
			if e := &m.entries[uint32(s)-1]; e.key == key {
				return e
			}
		}
	}
	if len(m.entries) < cap(m.entries) {
		m.entries = m.entries[:len(m.entries)+1]
	} else {
		m.entries = append(m.entries, memoEntry{})
	}
	m.slots[i] = uint64(hash)<<32 | uint64(len(m.entries))
	e := &m.entries[len(m.entries)-1]
	e.key = key
	for j := range e.places {
		e.places[j] = noPlace
	}
	return e
}

func (m *memo) grow() {
	if len(m.entries) >= maxMemo {
		m.reset()
		return
	}
	m.slots = growSlots(m.slots)
}

// reset empties m and keeps its memory.
func (m *memo) reset() {
	if len(m.entries) > 0 {
		clear(m.slots)
	}
	m.entries = m.entries[:0]
}

// release empties m, and keeps its memory if it is little.
func (m *memo) release() {
	m.reset()
	if cap(m.entries) > keptMemo {
		*m = memo{}
	}
}

func (m *memo) bytes() int {
	return len(m.slots)*8 + len(m.entries)*int(unsafe.Sizeof(memoEntry{}))
}

// set notes the place of a value.
func (e *memoEntry) set(pick, place int) {
	if place < noPlace {
		e.places[pick] = uint16(place)
	}
}
