package hitfile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"millrace/emit/lake/colfile"
	"millrace/engine/event"
)

// textColumn is how a column of text gets its values from rows.
type textColumn[R any] struct {
	name string
	id   func(r *R) uint32 // index of texts.table; 0 is NULL in an optional column
}

// intColumn is how another column gets its values.
type intColumn[R any] struct {
	name string
	// value returns a number, or false for none in an optional column.
	value func(r *R) (int64, bool)
}

// layout says how rows become the columns of a table. Origins are columns besides, one for each of originDims.
type layout[R any] struct {
	table  *Table
	texts  []textColumn[R]
	ints   []intColumn[R]
	origin func(r *R) uint32 // index of texts.origins
	// What rows are sorted by; rest of those that are the same in it.
	site    func(r *R) uint32
	visitor func(r *R) event.Visitor
	time    func(r *R) event.Time
	rest    func(t *texts, x, y *R) int
}

// rowEncoder has the methods of an encoder in a buffer. So encoder, and the library of Parquet that it leads to, is not compiled
// once more in each package that sees a buffer.
type rowEncoder[R any] struct {
	encode func(out *bytes.Buffer, t *texts, rows []R, groupRows int) error
	ends   func() (first, last uint32)
}

func newEncoder[R any](l *layout[R]) rowEncoder[R] {
	e := &encoder[R]{layout: l}
	return rowEncoder[R]{e.encode, e.ends}
}

// encoder writes rows of a table to files. It keeps its memory.
type encoder[R any] struct {
	layout *layout[R]
	writer *colfile.Writer
	keys   []sortKey
	// A row group: vectors by the columns of the schema, places of columns in it, and origins.
	columns                   []colfile.Vector
	textAt, intAt, originAt   []int
	textOptional, intOptional []bool
	origin                    []int32 // of each row, the place of its origin in origins
	origins                   []uint32
	codes                     []int32 // of each of origins, the code of a dimension
	marks                     marks
}

// marks says which numbers were seen, and what each got; all are forgotten at once.
type marks struct {
	seen []uint32
	code []int32
	turn uint32
}

// begin forgets all, for numbers below n.
func (m *marks) begin(n int) {
	if len(m.seen) < n {
		m.seen, m.code = make([]uint32, 2*n), make([]int32, 2*n)
		m.turn = 0
	}
	if m.turn++; m.turn == 0 {
		clear(m.seen)
		m.turn = 1
	}
}

// open makes what an encoder works with, once.
func (e *encoder[R]) open() error {
	if e.writer != nil {
		return nil
	}
	s := e.layout.table.Schema()
	w, err := colfile.NewWriter(s, e.layout.table.Options(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	for i := range e.layout.texts {
		at := s.Index(e.layout.texts[i].name)
		e.textAt, e.textOptional = append(e.textAt, at), append(e.textOptional, s.Columns[at].Optional)
	}
	for i := range e.layout.ints {
		at := s.Index(e.layout.ints[i].name)
		e.intAt, e.intOptional = append(e.intAt, at), append(e.intOptional, s.Columns[at].Optional)
	}
	for _, d := range originDims {
		e.originAt = append(e.originAt, s.Index(d.String()))
	}
	e.writer, e.columns = w, make([]colfile.Vector, len(s.Columns))
	return nil
}

// encode appends a file of all rows to out, sealed. It is a pure function of them: their order does not matter.
func (e *encoder[R]) encode(out *bytes.Buffer, t *texts, rows []R, groupRows int) error {
	if err := e.open(); err != nil {
		return err
	}
	e.writer.Reset(out.AvailableBuffer())
	for rest := e.sorted(t, rows); len(rest) > 0; {
		n := e.groupEnd(t, rows, rest[:min(groupRows, len(rest))])
		e.fill(t, rows, rest[:n])
		err := e.writer.RowGroup(n, e.columns)
		e.letGo()
		if err != nil {
			return fmt.Errorf("encode %d %s: %w", len(rows), e.layout.table.Name, err)
		}
		rest = rest[n:]
	}
	file, err := e.writer.Close(nil)
	if err != nil {
		return fmt.Errorf("encode %d %s: %w", len(rows), e.layout.table.Name, err)
	}
	out.Write(file)
	return nil
}

// letGo forgets the texts of a row group. Their memory is the buffer's: one text that is left behind the end of a dictionary keeps
// a whole piece of it, for as long as no dictionary of that column is as long again.
func (e *encoder[R]) letGo() {
	for i := range e.columns {
		clear(e.columns[i].Dict)
	}
}

// sortKey is what orders rows, but for those of one visitor at the same time.
type sortKey struct {
	hi   uint64 // place of the site, and the visitor's upper half
	lo   uint32 // the visitor's lower half
	row  uint32
	time event.Time
}

// sorted returns the places of rows in the order of a file.
func (e *encoder[R]) sorted(t *texts, rows []R) []sortKey {
	l := e.layout
	rank := t.ranks(func(yield func(uint32)) {
		for i := range rows {
			yield(l.site(&rows[i]))
		}
	})
	e.keys = slices.Grow(e.keys[:0], len(rows))
	for i := range rows {
		r := &rows[i]
		visitor := l.visitor(r)
		e.keys = append(e.keys, sortKey{hi: uint64(rank[l.site(r)])<<32 | uint64(visitor)>>32, lo: uint32(visitor), row: uint32(i), time: l.time(r)})
	}
	slices.SortFunc(e.keys, func(x, y sortKey) int {
		switch {
		case x.hi != y.hi:
			return cmp.Compare(x.hi, y.hi)
		case x.lo != y.lo:
			return cmp.Compare(x.lo, y.lo)
		case x.time != y.time:
			return cmp.Compare(x.time, y.time)
		}
		return l.rest(t, &rows[x.row], &rows[y.row])
	})
	return e.keys
}

// ends returns the places of the first and the last row of the file that was encoded.
func (e *encoder[R]) ends() (first, last uint32) { return e.keys[0].row, e.keys[len(e.keys)-1].row }

// groupEnd returns how many rows a row group takes, of those that it may.
func (e *encoder[R]) groupEnd(t *texts, rows []R, keys []sortKey) int {
	columns := len(e.layout.texts) + len(originDims)
	if t.size <= GroupTextBytes/columns { // a text may be in each column
		return len(keys)
	}
	if e.textSize(t, rows, keys) <= GroupTextBytes {
		return len(keys)
	}
	seen, size := map[uint64]bool{}, 0
	for i, k := range keys {
		r, before := &rows[k.row], size
		count := func(column int, id uint32) {
			if at := uint64(column)<<32 | uint64(id); !seen[at] {
				seen[at] = true
				size += len(t.table[id])
			}
		}
		for j := range e.layout.texts {
			count(j, e.layout.texts[j].id(r))
		}
		for j, id := range t.origins[e.layout.origin(r)] {
			count(len(e.layout.texts)+j, id)
		}
		if size > GroupTextBytes && size > before && i > 0 {
			return i
		}
	}
	return len(keys)
}

// textSize returns how many bytes the dictionaries of some rows would have.
func (e *encoder[R]) textSize(t *texts, rows []R, keys []sortKey) (size int) {
	m := &e.marks
	for j := range e.layout.texts {
		m.begin(len(t.table))
		for _, k := range keys {
			if id := e.layout.texts[j].id(&rows[k.row]); m.seen[id] != m.turn {
				m.seen[id] = m.turn
				size += len(t.table[id])
			}
		}
	}
	for j := range originDims {
		m.begin(len(t.table))
		for _, k := range keys {
			if id := t.origins[e.layout.origin(&rows[k.row])][j]; m.seen[id] != m.turn {
				m.seen[id] = m.turn
				size += len(t.table[id])
			}
		}
	}
	return size
}

// blockRows is how many rows are taken apart into all columns before the next, while they are in the processor's cache.
const blockRows = 256

// fill makes the vectors of some rows.
func (e *encoder[R]) fill(t *texts, rows []R, keys []sortKey) {
	l := e.layout
	for i := range e.columns {
		v := &e.columns[i]
		v.Codes, v.Dict, v.Ints, v.Null = v.Codes[:0], v.Dict[:0], v.Ints[:0], v.Null[:0]
	}
	e.origin = e.origin[:0]
	for block := range slices.Chunk(keys, blockRows) {
		for i := range l.texts {
			id, v := l.texts[i].id, &e.columns[e.textAt[i]]
			for _, k := range block {
				v.Codes = append(v.Codes, int32(id(&rows[k.row])))
			}
		}
		for i := range l.ints {
			value, v := l.ints[i].value, &e.columns[e.intAt[i]]
			for _, k := range block {
				n, ok := value(&rows[k.row])
				if !ok {
					n = 0
				}
				v.Ints = append(v.Ints, n)
				if e.intOptional[i] {
					v.Null = append(v.Null, !ok)
				}
			}
		}
		for _, k := range block {
			e.origin = append(e.origin, int32(l.origin(&rows[k.row])))
		}
	}
	for i, at := range e.textAt {
		e.dictionary(t, &e.columns[at], e.columns[at].Codes, e.textOptional[i])
	}
	e.number(len(t.origins))
	for i, at := range e.originAt {
		v := &e.columns[at]
		e.codes = e.codes[:0]
		for _, o := range e.origins {
			e.codes = append(e.codes, int32(t.origins[o][i]))
		}
		e.dictionary(t, v, e.codes, false)
		v.Codes = slices.Grow(v.Codes, len(e.origin))
		for _, o := range e.origin {
			v.Codes = append(v.Codes, e.codes[o])
		}
	}
}

// number gives the origins of the rows numbers of their own, in the order in which they come first.
func (e *encoder[R]) number(n int) {
	m := &e.marks
	m.begin(n)
	e.origins = e.origins[:0]
	for i, o := range e.origin {
		if m.seen[o] != m.turn {
			m.seen[o], m.code[o] = m.turn, int32(len(e.origins))
			e.origins = append(e.origins, uint32(o))
		}
		e.origin[i] = m.code[o]
	}
}

// dictionary turns indexes of the table into codes of v's dictionary, which it makes of those that there are.
func (e *encoder[R]) dictionary(t *texts, v *colfile.Vector, ids []int32, optional bool) {
	m := &e.marks
	m.begin(len(t.table))
	for i, id := range ids {
		if optional && id == 0 {
			ids[i] = -1
			continue
		}
		if m.seen[id] != m.turn {
			m.seen[id], m.code[id] = m.turn, int32(len(v.Dict))
			v.Dict = append(v.Dict, t.table[id])
		}
		ids[i] = m.code[id]
	}
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
