package hitread

import (
	"millrace/emit/lake/colfile"
	"millrace/engine/hits"
)

// memory is what a worker decodes columns into, used again for the next piece and by later queries.
type memory struct {
	codes []([]uint32)
	ints  []([]int64)
	bits  []([]uint64)
	rows  colfile.Rows
	null  []bool
}

// borrow returns the memories of so many workers, and what gives them back once no block is in use any more.
func (a *archive) borrow(workers int) (list []*memory, giveBack func()) {
	for range workers {
		list = append(list, a.memories.Get().(*memory))
	}
	return list, func() {
		for _, m := range list {
			m.rows.File, m.rows.Reader = nil, nil
			a.memories.Put(m)
		}
	}
}

func take[T any](free *[][]T, n int) []T {
	if k := len(*free); k > 0 {
		s := (*free)[k-1]
		*free = (*free)[:k-1]
		if cap(s) >= n {
			return s[:n]
		}
	}
	return make([]T, n)
}

func words(n int) int { return (n + 63) / 64 }

// rows returns the number of rows of the piece.
func (p *piece) rows() int { return p.hi - p.lo }

// reader returns what reads the rows of the piece.
func (p *piece) reader(m *memory) *colfile.Rows {
	r := &m.rows
	r.File, r.Reader, r.Group, r.From, r.To = p.file.Indexed, p.file, p.group, p.lo, p.hi
	return r
}

// text reads a column of texts. A row without a value has "".
func (p *piece) text(name string, m *memory) (*hits.Text, error) {
	column := p.file.column(name)
	v := colfile.Vector{Codes: view[int32](take(&m.codes, p.rows()))}
	if err := p.reader(m).Column(column, &v); err != nil {
		return nil, err
	}
	t := &hits.Text{Codes: view[uint32](v.Codes), Values: v.Dict}
	if p.file.table.Schema().Columns[column].Optional {
		t.Values = append([]string{""}, v.Dict...)
		for i := range t.Codes {
			t.Codes[i]++ // no value is -1
		}
	}
	return t, nil
}

// ints reads a column of integers. A row without a value has 0; given, which may be nil, gets the bits of those that have one.
func (p *piece) ints(name string, m *memory, given []uint64) ([]int64, error) {
	v := colfile.Vector{Ints: take(&m.ints, p.rows()), Null: m.null}
	if err := p.reader(m).Column(p.file.column(name), &v); err != nil {
		return nil, err
	}
	m.null = v.Null
	if given != nil {
		for i, null := range v.Null {
			if !null {
				given[i/64] |= 1 << (i % 64)
			}
		}
	}
	return v.Ints, nil
}

// flags reads a column of booleans.
func (p *piece) flags(name string, m *memory) ([]uint64, error) {
	out := take(&m.bits, words(p.rows()))
	clear(out)
	return out, p.reader(m).Bits(p.file.column(name), out)
}
