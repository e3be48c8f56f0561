package window

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// table holds the values of one family and what is counted for them. It hashes nothing: the hash of
// a value comes with it, computed once for all families that it counts in.
type table struct {
	slots  []uint64 // hash<<32 | place in cells + 1; 0 is empty. Open addressing, at most half full.
	cells  []cell   // in order of first appearance
	hashes []uint32 // of the values of the cells, see pairHash
	visits []visits // of the cells of the same places, up to the last one that has any
	fresh  []fresh  // visitors who are not in the sketches yet
	other  int32    // place + 1 of what came past the limit, 0 if nothing did
}

// minSlots is the least size of a table: a cache line of slots.
const minSlots = 8

// cell is what is counted for a value, in two cache lines.
type cell struct {
	text string // the values of the family's dimensions, one after the other
	cut  int32  // where the second begins
	ids  uint32 // of the two, see pairIDs
	events
	visitors sketch.Sketch
}

// events is what is counted of events. The partition that a window is of would have to take 1.2
// million events a second to have more pageviews in an hour than 32 bits hold.
type events struct {
	events          int64
	pageviews, paid uint32 // paid: events with an amount
	revenue         event.Money
}

// visits is what is counted of visits.
type visits struct{ visits, bounces, seconds, views int64 }

func (e *events) add(o *events) {
	e.events += o.events
	e.pageviews += o.pageviews
	e.revenue += o.revenue
	e.paid += o.paid
}

func (v *visits) add(o *visits) {
	v.visits += o.visits
	v.bounces += o.bounces
	v.seconds += o.seconds
	v.views += o.views
}

func (c *cell) first() string  { return c.text[:c.cut] }
func (c *cell) second() string { return c.text[c.cut:] }

// is reports whether the cell is that of a value.
func (c *cell) is(x, y *value) bool {
	if ids := pairIDs(x, y); ids != 0 && c.ids != 0 {
		return ids == c.ids
	}
	return int(c.cut) == len(x.s) && len(c.text) == len(x.s)+len(y.s) && c.text[:len(x.s)] == x.s && c.text[len(x.s):] == y.s
}

// same reports whether the cell is of the value of another.
func (c *cell) same(o *cell) bool {
	if c.ids != 0 && o.ids != 0 {
		return c.ids == o.ids
	}
	return c.cut == o.cut && c.text == o.text
}

// pairIDs separates a value of one or two known values, noValue among them, from others like it; it
// is 0 for other values.
func pairIDs(x, y *value) uint32 {
	if x.id == 0 || y.id == 0 {
		return 0
	}
	return uint32(x.id)<<16 | uint32(y.id)
}

func pairHash(x, y *value) uint32 {
	h := x.hash*0x9e3779b1 ^ bits.RotateLeft32(y.hash*0x85ebca6b, 15)
	return h ^ h>>15
}

// at returns the place of a value, made if there is none and the budget allows, else that of Other.
func (t *table) at(x, y *value, limit int, mem *arena) int {
	hash := pairHash(x, y)
	if len(t.slots) > 0 {
		mask := uint32(len(t.slots) - 1)
		for i := hash & mask; t.slots[i] != 0; i = (i + 1) & mask {
			if s := t.slots[i]; uint32(s>>32) == hash && t.cells[uint32(s)-1].is(x, y) {
				return int(uint32(s) - 1)
			}
		}
	}
	return t.add(hash, x.s, y.s, pairIDs(x, y), limit, mem)
}

// atCell is at for the value of a cell of another table.
func (t *table) atCell(from *table, place, limit int, mem *arena) int {
	c, hash := &from.cells[place], from.hashes[place]
	if len(t.slots) > 0 && place+1 != int(from.other) {
		mask := uint32(len(t.slots) - 1)
		for i := hash & mask; t.slots[i] != 0; i = (i + 1) & mask {
			if s := t.slots[i]; uint32(s>>32) == hash && t.cells[uint32(s)-1].same(c) {
				return int(uint32(s) - 1)
			}
		}
	}
	return t.add(hash, c.first(), c.second(), c.ids, limit, mem)
}

// add makes a cell for a value that has none.
func (t *table) add(hash uint32, first, second string, ids uint32, limit int, mem *arena) int {
	other := first == Other && (second == Other || second == "")
	if !other && limit > 0 && t.kept() >= limit {
		other = true
		if first = Other; second != "" {
			second = Other
		}
	}
	switch {
	case !other:
		if 2*(len(t.cells)+1) > len(t.slots) {
			t.slots = growSlots(t.slots)
		}
		putSlot(t.slots, uint64(hash)<<32|uint64(len(t.cells)+1))
	case t.other > 0:
		return int(t.other - 1)
	default: // in no slot
		t.other, ids = int32(len(t.cells)+1), 0
	}
	if len(t.cells) < cap(t.cells) {
		t.cells = t.cells[:len(t.cells)+1]
	} else {
		t.cells = append(t.cells, cell{})
	}
	c := &t.cells[len(t.cells)-1]
	c.text, c.cut, c.ids, c.events = mem.join(first, second), int32(len(first)), ids, events{}
	c.visitors.Reset()
	t.hashes = append(t.hashes[:len(t.cells)-1], hash)
	return len(t.cells) - 1
}

// kept is the number of values without Other.
func (t *table) kept() int {
	if t.other > 0 {
		return len(t.cells) - 1
	}
	return len(t.cells)
}

// growSlots returns a table of twice the size with the slots of old.
func growSlots(old []uint64) []uint64 {
	slots := make([]uint64, max(minSlots, 2*len(old)))
	for _, s := range old {
		if s != 0 {
			putSlot(slots, s)
		}
	}
	return slots
}

func putSlot(slots []uint64, slot uint64) {
	mask := uint32(len(slots) - 1)
	i := uint32(slot>>32) & mask
	for slots[i] != 0 {
		i = (i + 1) & mask
	}
	slots[i] = slot
}

// visitsOf returns what is counted of visits at a place, to be added to.
func (t *table) visitsOf(place int) *visits {
	if place >= len(t.visits) {
		n := len(t.visits)
		t.visits = slices.Grow(t.visits, len(t.cells)-n)[:len(t.cells)]
		clear(t.visits[n:])
	}
	return &t.visits[place]
}

// visitsAt returns what is counted of visits at a place.
func (t *table) visitsAt(place int) visits {
	if place >= len(t.visits) {
		return visits{}
	}
	return t.visits[place]
}

func (t *table) bytes() int {
	return len(t.slots)*8 + cap(t.hashes)*4 + cap(t.fresh)*8 + cap(t.cells)*int(unsafe.Sizeof(cell{})) + cap(t.visits)*int(unsafe.Sizeof(visits{}))
}

// reset empties t and keeps its memory.
func (t *table) reset() {
	if len(t.cells) > 0 {
		clear(t.slots)
	}
	t.cells, t.visits, t.fresh, t.other = t.cells[:0], t.visits[:0], t.fresh[:0], 0
}

// each calls fn for each place in order of first appearance, Other last.
func (t *table) each(fn func(place int)) {
	for i := range t.cells {
		if i+1 != int(t.other) {
			fn(i)
		}
	}
	if t.other > 0 {
		fn(int(t.other - 1))
	}
}

// sortedCell is a cell that is being sorted by its value.
type sortedCell struct {
	prefix uint64 // the first bytes of the value, which most often separate it from the others
	place  int32
}

// sorted appends the cells to list by value, without Other.
func (t *table) sorted(list []sortedCell) []sortedCell {
	list = slices.Grow(list, len(t.cells))
	for i := range t.cells {
		if i+1 != int(t.other) {
			list = append(list, sortedCell{prefixOf(t.cells[i].first()), int32(i)})
		}
	}
	slices.SortFunc(list, func(i, j sortedCell) int {
		if i.prefix != j.prefix {
			return cmp.Compare(i.prefix, j.prefix)
		}
		x, y := &t.cells[i.place], &t.cells[j.place]
		if c := strings.Compare(x.first(), y.first()); c != 0 {
			return c
		}
		return strings.Compare(x.second(), y.second())
	})
	return list
}

// prefixOf returns the first eight bytes of a text as a number, whose order is that of the text
// where they differ.
func prefixOf(s string) uint64 {
	if len(s) >= 8 {
		return binary.BigEndian.Uint64([]byte(s[:8]))
	}
	var p uint64
	for i := 0; i < len(s); i++ {
		p |= uint64(s[i]) << (56 - 8*i)
	}
	return p
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

func (m *arena) bytes() int {
	n := 0
	for _, b := range m.blocks {
		n += len(b)
	}
	return n
}
