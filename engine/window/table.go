package window

import (
	"math/bits"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// table holds the values of one family and what is counted for them. It hashes nothing: the hash of a value comes with
// it, computed once for all families that it counts in.
type table struct {
	slots []uint64 // hash<<32 | place in cells + 1; 0 is empty. Open addressing, at most half full.
	cells []cell   // in order of first appearance
	other *cell    // what came past the limit
	// hasOther tells whether other is in use, or kept for its memory.
	hasOther bool
}

// minSlots is the least size of a table: a cache line of slots.
const minSlots = 8

// cell is what is counted for a value. Which of the counters can be other than zero is up to the window's kind.
type cell struct {
	text string // the values of the family's dimensions, one after the other
	cut  int32  // where the second begins
	hash uint32
	counts
	visitors sketch.Sketch
}

func (c *cell) first() string  { return c.text[:c.cut] }
func (c *cell) second() string { return c.text[c.cut:] }

// holds reports whether the cell is that of a value.
func (c *cell) holds(first, second string) bool {
	return len(c.text) == len(first)+len(second) && int(c.cut) == len(first) && c.text[:len(first)] == first && c.text[len(first):] == second
}

type counts struct {
	events, pageviews               int64
	revenue                         event.Money
	visits, bounces, seconds, views int64
}

func (c *counts) add(o *counts) {
	c.events += o.events
	c.pageviews += o.pageviews
	c.revenue += o.revenue
	c.visits += o.visits
	c.bounces += o.bounces
	c.seconds += o.seconds
	c.views += o.views
}

func (c *counts) addVisits(o *counts) {
	c.visits += o.visits
	c.bounces += o.bounces
	c.seconds += o.seconds
	c.views += o.views
}

// pairHash is the hash of a value of two dimensions; the second of a family with one is the zero value.
func pairHash(first, second uint32) uint32 {
	h := first*0x9e3779b1 ^ bits.RotateLeft32(second*0x85ebca6b, 15)
	return h ^ h>>15
}

// find returns the cell of a value, or nil.
func (t *table) find(hash uint32, first, second string) *cell {
	mask := uint32(len(t.slots) - 1)
	if len(t.slots) == 0 {
		return nil
	}
	for i := hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i&mask]
		if uint32(s>>32) == hash && s != 0 {
			if c := &t.cells[uint32(s)-1]; c.holds(first, second) {
				return c
			}
		} else if s == 0 {
			return nil
		}
	}
}

// at returns the cell of a value, made if there is none and the budget allows, else that of Other.
func (t *table) at(hash uint32, first, second string, limit int, mem *arena) *cell {
	if c := t.find(hash, first, second); c != nil {
		return c
	}
	return t.add(hash, first, second, limit, mem)
}

// add makes a cell for a value that has none.
func (t *table) add(hash uint32, first, second string, limit int, mem *arena) *cell {
	if first == Other && (second == Other || second == "") || limit > 0 && len(t.cells) >= limit {
		return t.rest(second != "")
	}
	if 2*(len(t.cells)+1) > len(t.slots) {
		t.grow()
	}
	t.put(hash, len(t.cells))
	if len(t.cells) < cap(t.cells) {
		t.cells = t.cells[:len(t.cells)+1]
	} else {
		t.cells = append(t.cells, cell{})
	}
	c := &t.cells[len(t.cells)-1]
	c.reset()
	c.text, c.cut, c.hash = mem.join(first, second), int32(len(first)), hash
	return c
}

// rest returns the cell of Other.
func (t *table) rest(pair bool) *cell {
	if !t.hasOther {
		if t.other == nil {
			t.other = &cell{}
		}
		t.other.reset()
		t.other.text, t.other.cut = Other, int32(len(Other))
		if pair {
			t.other.text = Other + Other
		}
		t.hasOther = true
	}
	return t.other
}

func (c *cell) reset() {
	c.counts = counts{}
	c.visitors.Reset()
}

func (t *table) put(hash uint32, place int) {
	mask := uint32(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = uint64(hash)<<32 | uint64(place+1)
}

func (t *table) grow() {
	t.slots = make([]uint64, max(minSlots, 2*len(t.slots)))
	for i := range t.cells {
		t.put(t.cells[i].hash, i)
	}
}

// reset empties t and keeps its memory.
func (t *table) reset() {
	if len(t.cells) > 0 {
		clear(t.slots)
	}
	t.cells, t.hasOther = t.cells[:0], false
}

// each calls fn for each value in order of first appearance, Other last.
func (t *table) each(fn func(*cell)) {
	for i := range t.cells {
		fn(&t.cells[i])
	}
	if t.hasOther {
		fn(t.other)
	}
}

// len is the number of values, Other among them.
func (t *table) len() int {
	if t.hasOther {
		return len(t.cells) + 1
	}
	return len(t.cells)
}

// arena keeps the text of an Agg's values together, and its memory when the Agg is emptied.
type arena struct {
	blocks [][]byte
	at     int // the block in use; those before it are full
}

const (
	minBlock = 512
	maxBlock = 16 << 10
)

// join returns the text of a value, valid until the next reset.
func (m *arena) join(first, second string) string {
	n := len(first) + len(second)
	for ; m.at < len(m.blocks); m.at++ {
		if b := m.blocks[m.at]; cap(b)-len(b) >= n {
			return m.take(first, second)
		}
	}
	m.blocks = append(m.blocks, make([]byte, 0, max(n, min(minBlock<<min(m.at, 8), maxBlock))))
	return m.take(first, second)
}

func (m *arena) take(first, second string) string {
	b := m.blocks[m.at]
	from := len(b)
	b = append(append(b, first...), second...)
	m.blocks[m.at] = b
	return unsafe.String(unsafe.SliceData(b[from:]), len(b)-from)
}

func (m *arena) reset() {
	m.at = 0
	for i := range m.blocks {
		m.blocks[i] = m.blocks[i][:0]
	}
}
