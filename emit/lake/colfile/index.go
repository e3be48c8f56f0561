package colfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Indexed is a file with the indexes of its pages: of it ranges of rows are read, and of columns no more pages than have these. It may
// be shared, and outlive what it was read from.
type Indexed struct {
	file   File
	groups [][]chunkPages // by group and column of the schema
}

// chunkPages says where the pages of a chunk are. It has none of a column that the file lacks.
type chunkPages struct {
	pages []format.PageLocation
	// index has the bounds of each page; nil if there are none.
	index *format.ColumnIndex
}

// OpenIndexed is Open, and reads the indexes too. Their bytes have no sum: what they say of positions is checked with the pages, and bounds
// are what they are.
func OpenIndexed(name string, r io.ReaderAt, size int64, schema *Schema) (*Indexed, error) {
	f, err := Open(name, r, size, schema)
	if err != nil {
		return nil, err
	}
	x := &Indexed{file: *f}
	if err := f.guard(x.read); err != nil {
		return nil, err
	}
	x.file.reader = nil
	return x, nil
}

// Name returns what the file is called.
func (x *Indexed) Name() string { return x.file.name }

// Groups returns how many row groups there are.
func (x *Indexed) Groups() int { return x.file.Groups() }

// GroupRows returns how many rows a row group has.
func (x *Indexed) GroupRows(group int) int { return x.file.GroupRows(group) }

// Nulls returns in how many rows of a group a column has no value, as its statistics say.
func (x *Indexed) Nulls(group, column int) int {
	c := x.file.chunks[group][column]
	if c == nil {
		return x.GroupRows(group)
	}
	return int(c.MetaData.Statistics.NullCount)
}

// read reads the indexes, which stand together.
func (x *Indexed) read() error {
	from, to := x.file.size, int64(0)
	each := func(fn func(at int64, n int32) error) error {
		for _, chunks := range x.file.chunks {
			for _, c := range chunks {
				if c == nil {
					continue
				}
				if err := errors.Join(fn(c.OffsetIndexOffset, c.OffsetIndexLength), fn(c.ColumnIndexOffset, c.ColumnIndexLength)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := each(func(at int64, n int32) error {
		if n == 0 {
			return nil
		}
		if at < int64(len(fileMagic)) || n < 0 || at > x.file.size-int64(n) {
			return fmt.Errorf("an index of %d bytes at %d of %d", n, at, x.file.size)
		}
		from, to = min(from, at), max(to, at+int64(n))
		return nil
	})
	if err != nil || from >= to {
		return errors.Join(err, x.check(nil, 0))
	}
	data := make([]byte, to-from)
	if n, err := x.file.reader.ReadAt(data, from); n < len(data) {
		return readError{fmt.Errorf("read bytes %d to %d: %w", from, to, err)}
	}
	return x.check(data, from)
}

// check takes the indexes out of a part of the file.
func (x *Indexed) check(data []byte, from int64) error {
	get := func(to any, at int64, n int32) error {
		return thrift.Unmarshal(new(thrift.CompactProtocol), data[at-from:at-from+int64(n)], to)
	}
	for group, chunks := range x.file.chunks {
		list := make([]chunkPages, len(chunks))
		for column, c := range chunks {
			if c == nil {
				continue
			}
			name := x.file.schema.Columns[column].Name
			if c.OffsetIndexLength == 0 {
				return fmt.Errorf("column %q has no index of its pages", name)
			}
			var offsets format.OffsetIndex
			if err := get(&offsets, c.OffsetIndexOffset, c.OffsetIndexLength); err != nil {
				return fmt.Errorf("index of column %q: %w", name, err)
			}
			p := chunkPages{pages: offsets.PageLocations}
			if err := p.check(c, x.GroupRows(group)); err != nil {
				return fmt.Errorf("index of column %q: %w", name, err)
			}
			if c.ColumnIndexLength > 0 {
				p.index = new(format.ColumnIndex)
				if err := get(p.index, c.ColumnIndexOffset, c.ColumnIndexLength); err != nil {
					return fmt.Errorf("index of column %q: %w", name, err)
				}
				if n := len(p.pages); len(p.index.MinValues) != n || len(p.index.MaxValues) != n {
					return fmt.Errorf("index of column %q has bounds of %d of %d pages", name, len(p.index.MinValues), n)
				}
			}
			list[column] = p
		}
		x.groups = append(x.groups, list)
	}
	return nil
}

// check makes sure that pages follow one another within their chunk.
func (p *chunkPages) check(c *format.ColumnChunk, rows int) error {
	if len(p.pages) == 0 || p.pages[0].FirstRowIndex != 0 {
		return errors.New("its first page is not the group's first")
	}
	at, n := chunkRange(&c.MetaData)
	end := at + n
	row := int64(-1)
	for i, l := range p.pages {
		if l.Offset < at || i > 0 && l.Offset > at || l.CompressedPageSize <= 0 || int64(l.CompressedPageSize) > end-l.Offset || l.FirstRowIndex <= row || l.FirstRowIndex >= int64(rows) {
			return fmt.Errorf("a page of %d bytes at %d, from row %d of %d on", l.CompressedPageSize, l.Offset, l.FirstRowIndex, rows)
		}
		at, row = l.Offset+int64(l.CompressedPageSize), l.FirstRowIndex
	}
	return nil
}

// Pages returns how many pages a column has in a group; 0 if the file lacks it.
func (x *Indexed) Pages(group, column int) int { return len(x.groups[group][column].pages) }

// PageRows returns which rows of the group a page has: [from, to).
func (x *Indexed) PageRows(group, column, page int) (from, to int) {
	list := x.groups[group][column].pages
	to = x.GroupRows(group)
	if page+1 < len(list) {
		to = int(list[page+1].FirstRowIndex)
	}
	return int(list[page].FirstRowIndex), to
}

// PageTexts returns the least and the greatest text of a page; ok is false if the file does not say.
func (x *Indexed) PageTexts(group, column, page int) (lo, hi string, ok bool) {
	index := x.groups[group][column].index
	if index == nil {
		return "", "", false
	}
	return string(index.MinValues[page]), string(index.MaxValues[page]), true
}

// PageInts returns the least and the greatest number of a page of a column of Int64; ok is false if the file does not say.
func (x *Indexed) PageInts(group, column, page int) (lo, hi int64, ok bool) {
	index := x.groups[group][column].index
	if index == nil || len(index.MinValues[page]) != 8 || len(index.MaxValues[page]) != 8 {
		return 0, 0, false
	}
	return int64(binary.LittleEndian.Uint64(index.MinValues[page])), int64(binary.LittleEndian.Uint64(index.MaxValues[page])), true
}
