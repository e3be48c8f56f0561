package hitread

import (
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"

	"millrace/engine/hits"
)

// memory is what a worker decodes columns into, used again for the next piece.
type memory struct {
	codes []([]uint32)
	ints  []([]int64)
	bits  []([]uint64)
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
func (p *piece) rows() int { return int(p.hi - p.lo) }

// fetched is a part of a file in memory: a column's dictionary, and those of its pages that are needed.
type fetched struct {
	parts [2]struct {
		from int64
		data []byte
	}
}

func (f *fetched) ReadAt(b []byte, pos int64) (int, error) {
	for i := range f.parts {
		p := &f.parts[i]
		if pos < p.from || pos >= p.from+int64(len(p.data)) {
			continue
		}
		n := copy(b, p.data[pos-p.from:])
		if n < len(b) {
			return n, io.EOF
		}
		return n, nil
	}
	return 0, io.EOF
}

// gap is up to how many bytes that are not needed are read along, to make one request of two.
const gap = 64 << 10

// fetch reads what of a column the piece needs, in one request or two, and returns the first page of it.
func (p *piece) fetch(chunk *pq.FileColumnChunk, offsets pq.OffsetIndex) (f *fetched, firstPage int, err error) {
	first, last := -1, 0
	for i := range offsets.NumPages() {
		if p.end(offsets, i) > p.lo && offsets.FirstRowIndex(i) < p.hi {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return nil, 0, fmt.Errorf("no page has the rows %d to %d", p.lo, p.hi)
	}
	from, to := offsets.Offset(first), offsets.Offset(last)+offsets.CompressedPageSize(last)
	meta := p.file.Metadata().RowGroups[p.number].Columns[chunk.Column()].MetaData
	dict, dictEnd := meta.DictionaryPageOffset, offsets.Offset(0)
	f = &fetched{}
	read := func(i int, from, to int64) error {
		f.parts[i].from, f.parts[i].data = from, make([]byte, to-from)
		n, err := p.file.ReadAt(f.parts[i].data, from)
		if n < len(f.parts[i].data) {
			return fmt.Errorf("read %d of %d bytes: %w", n, to-from, err)
		}
		return nil
	}
	if dict > 0 && from-dictEnd <= gap {
		from = min(from, dict)
	} else if dict > 0 {
		if err := read(1, dict, dictEnd); err != nil {
			return nil, 0, err
		}
	}
	return f, first, read(0, from, to)
}

// span is a part of a page: rows [lo, hi) of it are the rows [at, at+hi-lo) of the piece.
type span struct {
	pq.Page
	lo, hi, at int
}

// pages calls fn for the pages that hold rows of the piece. Pages are whole, because those that are cut begin within a byte.
func (p *piece) pages(chunk *pq.FileColumnChunk, fn func(s *span) error) (err error) {
	offsets, err := chunk.OffsetIndex()
	if err != nil {
		return err
	}
	data, first, err := p.fetch(chunk, offsets)
	if err != nil {
		return err
	}
	pages := chunk.PagesFrom(data)
	defer func() { err = errors.Join(err, pages.Close()) }()
	row := offsets.FirstRowIndex(first)
	if row > 0 {
		if err := pages.SeekToRow(row); err != nil {
			return err
		}
	}
	for row < p.hi {
		page, err := pages.ReadPage()
		if err != nil {
			return fmt.Errorf("read page of row %d: %w", row, err)
		}
		n := page.NumRows()
		s := &span{Page: page, lo: int(max(p.lo-row, 0)), hi: int(min(n, p.hi-row)), at: int(max(row-p.lo, 0))}
		if n == 0 {
			err = errors.New("a page is empty")
		} else {
			err = fn(s)
		}
		pq.Release(page)
		if err != nil {
			return err
		}
		row += n
	}
	return nil
}

// values calls fn for each row of the span that has a value: with its row in the piece, and the value's place in the page.
func (s *span) values(has int, fn func(row, value int)) error {
	levels := s.DefinitionLevels()
	if len(levels) == 0 {
		if has < s.hi {
			return fmt.Errorf("a page of %d rows has %d values", s.NumRows(), has)
		}
		for i := s.lo; i < s.hi; i++ {
			fn(s.at+i-s.lo, i)
		}
		return nil
	}
	value := 0
	for i, level := range levels[:s.hi] {
		if level == 0 {
			continue
		}
		if value >= has {
			return fmt.Errorf("a page has only %d values", has)
		}
		if i >= s.lo {
			fn(s.at+i-s.lo, value)
		}
		value++
	}
	return nil
}

// text reads a column of texts. A row without a value has "".
func (p *piece) text(name string, m *memory) (*hits.Text, error) {
	chunk, err := p.column(name)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	t := &texts{out: &hits.Text{Codes: take(&m.codes, p.rows())}}
	if p.optional(chunk) {
		t.none = true
		clear(t.out.Codes)
		t.out.Values = append(t.out.Values, "")
	}
	if err := p.pages(chunk, t.page); err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	return t.out, nil
}

func (p *piece) optional(chunk *pq.FileColumnChunk) bool { return chunk.Node().Optional() }

// texts makes a Text of pages.
type texts struct {
	out  *hits.Text
	none bool // code 0 is no value
	// Of the chunk's dictionary the value i has the code base+i.
	dictionary bool
	base       uint32
	index      map[string]uint32 // of all values, once a page is not by dictionary
}

func (t *texts) page(s *span) error {
	data := s.Data()
	if dict := s.Dictionary(); dict != nil {
		if !t.dictionary {
			if t.index != nil {
				return errors.New("a page by dictionary comes after one without")
			}
			t.dictionary, t.base = true, uint32(len(t.out.Values))
			t.out.Values = append(t.out.Values, stringsOf(dict)...)
		}
		ids := data.Int32()
		if len(s.DefinitionLevels()) == 0 && len(ids) >= s.hi && t.base == 0 {
			for i, id := range ids[s.lo:s.hi] {
				t.out.Codes[s.at+i] = uint32(id)
			}
			return nil
		}
		return s.values(len(ids), func(row, v int) { t.out.Codes[row] = t.base + uint32(ids[v]) })
	}
	if t.index == nil {
		t.index = make(map[string]uint32, len(t.out.Values))
		for i, v := range t.out.Values {
			t.index[v] = uint32(i)
		}
	}
	bytes, ends := data.ByteArray()
	return s.values(len(ends)-1, func(row, v int) {
		value := bytes[ends[v]:ends[v+1]]
		code, ok := t.index[string(value)]
		if !ok {
			code = uint32(len(t.out.Values))
			own := string(value)
			t.index[own] = code
			t.out.Values = append(t.out.Values, own)
		}
		t.out.Codes[row] = code
	})
}

// stringsOf copies a dictionary, in one piece.
func stringsOf(dict pq.Dictionary) []string {
	data := dict.Page().Data()
	bytes, ends := data.ByteArray()
	if len(ends) == 0 {
		return nil
	}
	text, list := string(bytes), make([]string, len(ends)-1)
	for i := range list {
		list[i] = text[ends[i]:ends[i+1]]
	}
	return list
}

// ints reads a column of integers. A row without a value has 0; given, which may be nil, gets the bits of those that have one.
func (p *piece) ints(name string, m *memory, given []uint64) ([]int64, error) {
	chunk, err := p.column(name)
	if err != nil {
		return nil, err
	}
	out := take(&m.ints, p.rows())
	if p.optional(chunk) {
		clear(out)
	}
	err = p.pages(chunk, func(s *span) error {
		data := s.Data()
		var wide []int64
		var narrow []int32
		var codes []int32
		if dict := s.Dictionary(); dict != nil {
			codes = data.Int32()
			data = dict.Page().Data()
		}
		n := 0
		if s.Type().Kind() == pq.Int32 {
			narrow = data.Int32()
			n = len(narrow)
		} else {
			wide = data.Int64()
			n = len(wide)
		}
		if codes != nil {
			n = len(codes)
		}
		if codes == nil && wide != nil && len(s.DefinitionLevels()) == 0 && n >= s.hi && given == nil {
			copy(out[s.at:], wide[s.lo:s.hi])
			return nil
		}
		return s.values(n, func(row, v int) {
			if codes != nil {
				v = int(codes[v])
			}
			if wide != nil {
				out[row] = wide[v]
			} else {
				out[row] = int64(narrow[v])
			}
			if given != nil {
				given[row/64] |= 1 << (row % 64)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	return out, nil
}

// flags reads a column of booleans.
func (p *piece) flags(name string, m *memory) ([]uint64, error) {
	chunk, err := p.column(name)
	if err != nil {
		return nil, err
	}
	out := take(&m.bits, words(p.rows()))
	clear(out)
	err = p.pages(chunk, func(s *span) error {
		data := s.Data()
		bits := data.Boolean()
		return s.values(int(s.NumValues()), func(row, v int) {
			if bits[v/8]>>(v%8)&1 != 0 {
				out[row/64] |= 1 << (row % 64)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	return out, nil
}
