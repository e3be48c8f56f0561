package hitread

import (
	"unsafe"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// block implements hits.Block. Each column is kept once it has been read.
type block struct {
	*piece
	m     *memory
	joins func() (map[int32]hits.Joins, error)
	// erasures are those of the site and partition.
	erasures []commits.Erasure
	hidden   []uint64 // rows that are erased
	knows    bool     // hidden is known

	text     [window.NumDims]*hits.Text
	class    *hits.Text
	props    *hits.Text
	times    []int64
	visitors []int64
	visits   []int64
	amounts  []int64
	paid     []uint64
	views    []uint64
	engaged  []int64
	scrolls  []event.Percent
	scratch  [][]uint64
}

func newBlock(p *piece, m *memory, joins func() (map[int32]hits.Joins, error)) *block {
	return &block{piece: p, m: m, joins: joins}
}

// release gives the memory of the columns back.
func (b *block) release() {
	for _, t := range b.text {
		b.m.giveText(t)
	}
	b.m.giveText(b.class)
	b.m.giveText(b.props)
	for _, list := range [...][]int64{b.times, b.visitors, b.visits, b.amounts, b.engaged} {
		b.m.giveInts(list)
	}
	for _, list := range append(b.scratch, b.paid, b.views) {
		if list != nil {
			b.m.bits = append(b.m.bits, list)
		}
	}
}

func (m *memory) giveText(t *hits.Text) {
	if t != nil {
		m.codes = append(m.codes, t.Codes)
	}
}

func (m *memory) giveInts(list []int64) {
	if list != nil {
		m.ints = append(m.ints, list)
	}
}

func (b *block) Len() int         { return b.rows() }
func (b *block) Partition() int32 { return b.from.Partition }
func (b *block) Inside() bool     { return b.inside }

func (b *block) Text(d window.Dim) (t *hits.Text, err error) {
	if b.text[d] == nil {
		b.text[d], err = b.piece.text(d.String(), b.m)
	}
	return b.text[d], err
}

func (b *block) Props() (t *hits.Text, err error) {
	if b.props == nil {
		b.props, err = b.piece.text("props", b.m)
	}
	return b.props, err
}

// view returns a list of one type of integers as of another one of the same size.
func view[T ~int64 | ~uint64 | ~int32 | ~uint32, S int64 | int32 | uint32](list []S) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(list))), cap(list))[:len(list)]
}

func (b *block) ints(into *[]int64, name string) (err error) {
	if *into == nil {
		*into, err = b.piece.ints(name, b.m, nil)
	}
	return err
}

func (b *block) Times() ([]event.Time, error) {
	err := b.ints(&b.times, "ts")
	return view[event.Time](b.times), err
}

func (b *block) Visitors() ([]event.Visitor, error) {
	err := b.ints(&b.visitors, "visitor")
	return view[event.Visitor](b.visitors), err
}

func (b *block) Visits() ([]visit.ID, error) {
	if b.visits != nil {
		return view[visit.ID](b.visits), nil
	}
	all, err := b.joins()
	if err != nil {
		return nil, err
	}
	if err := b.ints(&b.visits, "visit"); err != nil {
		return nil, err
	}
	list := view[visit.ID](b.visits)
	if joins := all[b.Partition()]; len(joins) > 0 {
		for i, id := range list {
			list[i] = joins.Of(id)
		}
	}
	return list, nil
}

func (b *block) Engaged() ([]event.Time, error) {
	err := b.ints(&b.engaged, "engaged_ms")
	return view[event.Time](b.engaged), err
}

func (b *block) Scrolls() ([]event.Percent, error) {
	if b.scrolls != nil {
		return b.scrolls, nil
	}
	given := b.bits()
	list, err := b.piece.ints("scroll_depth", b.m, given)
	if err != nil {
		return nil, err
	}
	b.scrolls = make([]event.Percent, len(list))
	for i, n := range list {
		if given[i/64]>>(i%64)&1 != 0 {
			b.scrolls[i] = event.PercentOf(n)
		}
	}
	b.m.giveInts(list)
	return b.scrolls, nil
}

// bits returns a list of bits, none of them set, that is given back with the block.
func (b *block) bits() []uint64 {
	list := take(&b.m.bits, words(b.rows()))
	clear(list)
	b.scratch = append(b.scratch, list)
	return list
}

// Of leaves out what is erased: it is of no class, and all readers go by that.
func (b *block) Of(c hits.Class) ([]uint64, error) {
	if b.class == nil {
		var err error
		if b.class, err = b.piece.text("class", b.m); err != nil {
			return nil, err
		}
	}
	is := make([]uint64, len(b.class.Values))
	for code, name := range b.class.Values {
		if name == c.String() {
			is[code] = 1
		}
	}
	list := b.bits()
	for i, code := range b.class.Codes {
		list[i/64] |= is[code] << (i % 64)
	}
	gone, err := b.gone("source_offset", ofRecord)
	if err != nil {
		return nil, err
	}
	b.without(list, gone)
	return list, nil
}

func (b *block) Pageviews() (_ []uint64, err error) {
	if b.views == nil {
		b.views, err = b.flags("pageview", b.m)
	}
	return b.views, err
}

func (b *block) Revenue() (_ []event.Money, _ []uint64, err error) {
	if b.amounts == nil {
		given := take(&b.m.bits, words(b.rows()))
		clear(given)
		b.paid = given
		b.amounts, err = b.piece.ints("revenue_amount", b.m, given)
	}
	return view[event.Money](b.amounts), b.paid, err
}
