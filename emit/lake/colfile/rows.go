package colfile

import (
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// Rows reads the rows [From, To) of a row group of a file, column by column. It belongs to one goroutine, and may be used again after
// its fields have changed: it keeps its memory.
type Rows struct {
	File     *Indexed
	Reader   io.ReaderAt // what the file is read from
	Group    int
	From, To int

	raw   [2][]byte
	chunk chunkReader
	part  Vector // of a page that has other rows too
}

// farBytes is up to how many bytes that are not needed are read along, to make one request of two.
const farBytes = 64 << 10

// Column reads a column into v, whose memory is used. The dictionary is v's own.
func (r *Rows) Column(column int, v *Vector) error {
	f := r.File.file
	f.reader = r.Reader
	return f.guard(func() error {
		v.reset()
		c := &f.schema.Columns[column]
		if len(r.File.groups[r.Group][column].pages) == 0 {
			fillMissing(c, v, r.To-r.From)
			return nil
		}
		err := r.pages(&f, column, func(lo, hi, n int) error {
			if lo == 0 && hi == n {
				return r.next(v, n)
			}
			r.part.reset()
			if err := r.next(&r.part, n); err != nil {
				return err
			}
			v.Dict = r.part.Dict
			if c.Kind == Text {
				v.Codes = append(v.Codes, r.part.Codes[lo:hi]...)
				return nil
			}
			v.Ints = append(v.Ints, r.part.Ints[lo:hi]...)
			if c.Optional {
				v.Null = append(v.Null, r.part.Null[lo:hi]...)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		return nil
	})
}

// Bits reads a column of Bool that is not optional: bit i%64 of entry i/64 is set if it is true in row From+i. REQUIRES: to has them all,
// none of them set.
func (r *Rows) Bits(column int, to []uint64) error {
	f := r.File.file
	f.reader = r.Reader
	return f.guard(func() error {
		c := &f.schema.Columns[column]
		if len(r.File.groups[r.Group][column].pages) == 0 {
			return nil
		}
		at := 0
		err := r.pages(&f, column, func(lo, hi, n int) error {
			body, d, err := r.data(n)
			if err != nil {
				return err
			}
			if c.Kind != Bool || c.Optional || d.Encoding != format.Plain || len(body) < (n+7)/8 {
				return fmt.Errorf("a page of %d bits is %d bytes, encoded as %s", n, len(body), d.Encoding)
			}
			copyBits(to, at, body, lo, hi-lo)
			at += hi - lo
			return nil
		})
		if err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		return nil
	})
}

// copyBits sets n bits of dst, from a bit on, that are set in src, from a bit on.
func copyBits(dst []uint64, at int, src []byte, from, n int) {
	for n > 0 {
		shift, bit := from&7, at&63
		k := min(n, 64-bit, 8-shift) // the rest of a byte
		if shift == 0 {
			k = min(n, 64-bit, 8)
		}
		dst[at>>6] |= uint64(src[from>>3]>>shift&(1<<k-1)) << bit
		from, at, n = from+k, at+k, n-k
	}
}

// pages fetches what of a column the rows need, and calls fn for each page, which has n rows, and rows [lo, hi) of them are wanted.
func (r *Rows) pages(f *File, column int, fn func(lo, hi, n int) error) error {
	p, meta := &r.File.groups[r.Group][column], &r.File.file.chunks[r.Group][column].MetaData
	first, last := -1, 0
	for i := range p.pages {
		if from, to := r.File.PageRows(r.Group, column, i); to > r.From && from < r.To {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return fmt.Errorf("no page has the rows %d to %d", r.From, r.To)
	}
	from, to := p.pages[first].Offset, p.pages[last].Offset+int64(p.pages[last].CompressedPageSize)
	dict, dictEnd := meta.DictionaryPageOffset, p.pages[0].Offset
	c := &r.chunk
	*c = chunkReader{column: &f.schema.Columns[column], codec: meta.Codec, plain: c.plain, level: c.level}
	if dict > 0 {
		part := &r.raw[1]
		if from-dictEnd <= farBytes {
			var err error
			if r.raw[0], err = f.bytes(r.raw[0], dict, to); err != nil {
				return err
			}
			c.rest = r.raw[0][:dictEnd-dict]
			if err := c.dictionary(); err != nil {
				return err
			}
			c.rest = r.raw[0][from-dict:]
		} else {
			var err error
			if *part, err = f.bytes(*part, dict, dictEnd); err != nil {
				return err
			}
			c.rest = *part
			if err := c.dictionary(); err != nil {
				return err
			}
		}
	}
	if dict <= 0 || from-dictEnd > farBytes {
		var err error
		if r.raw[0], err = f.bytes(r.raw[0], from, to); err != nil {
			return err
		}
		c.rest = r.raw[0]
	}
	for i := first; i <= last; i++ {
		from, to := r.File.PageRows(r.Group, column, i)
		if err := fn(max(r.From-from, 0), min(r.To, to)-from, to-from); err != nil {
			return err
		}
	}
	return nil
}

// bytes reads a part of the file into b, or more memory.
func (f *File) bytes(b []byte, from, to int64) ([]byte, error) {
	b = slices.Grow(b[:0], int(to-from))[:to-from]
	if n, err := f.reader.ReadAt(b, from); n < len(b) {
		return b, readError{fmt.Errorf("read bytes %d to %d: %w", from, to, err)}
	}
	return b, nil
}

// dictionary reads the page of the dictionary.
func (r *chunkReader) dictionary() error {
	h, body, err := r.page()
	if err != nil {
		return err
	}
	if h.Type != format.DictionaryPage || r.column.Kind != Text {
		return fmt.Errorf("a page of type %s where the dictionary should be", h.Type)
	}
	r.dict, err = decodeDictionary(body, int(h.DictionaryPageHeader.V.NumValues))
	return err
}

// data returns the next page, which has to have n rows.
func (r *Rows) data(n int) ([]byte, *format.DataPageHeader, error) {
	h, body, err := r.chunk.page()
	if err != nil {
		return nil, nil, err
	}
	d := &h.DataPageHeader.V
	if h.Type != format.DataPage || int(d.NumValues) != n {
		return nil, nil, fmt.Errorf("a page of type %s and %d rows where one of %d should be", h.Type, d.NumValues, n)
	}
	return body, d, nil
}

// next appends the next page, which has to have n rows, to v.
func (r *Rows) next(v *Vector, n int) error {
	body, d, err := r.data(n)
	if err != nil {
		return err
	}
	v.Dict = r.chunk.dict
	return r.chunk.decode(d.Encoding, body, n, v)
}
