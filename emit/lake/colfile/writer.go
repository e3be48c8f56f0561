package colfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"millrace/emit/lake/seal"
)

const fileMagic = "PAR1"

// MaxGroupRows bounds a row group. Writers make smaller ones; a reader takes no larger.
const MaxGroupRows = 1 << 20

// Options are the settings of a Writer.
type Options struct {
	// CreatedBy is the name of the writer, as the format has it: "millrace version 1 (build …)".
	CreatedBy string
	// PageRows is how many rows a page has. Default 8,192: smaller ones cost headers, larger ones cost a reader of few rows, and one
	// that reads many files at once.
	PageRows int
	// DictionaryBytes is the largest dictionary of text that is written: the text of a row group that has more values is plain, which a
	// File does not read. Default: there is no bound.
	DictionaryBytes int
	// Level is that of zstd. Default zstd.SpeedFastest.
	Level zstd.EncoderLevel
	// Sorted names the columns that rows are sorted by, ascending, nulls first.
	Sorted []string
	// Index names the columns that have a column index.
	Index []string
}

// Writer writes one file after the other, in memory.
type Writer struct {
	schema *Schema
	opts   Options
	zstd   *zstd.Encoder
	out    []byte
	groups []format.RowGroup
	rows   int64
	pages  pageWriter
	chunks []chunkIndex // of all groups, column by column
}

// chunkIndex is what the indexes of a chunk are made of.
type chunkIndex struct {
	offsets format.OffsetIndex
	columns *format.ColumnIndex
}

// NewWriter returns a writer of an empty file.
func NewWriter(s *Schema, o Options) (*Writer, error) {
	if o.PageRows == 0 {
		o.PageRows = 8 << 10
	}
	if o.Level == 0 {
		o.Level = zstd.SpeedFastest
	}
	for _, names := range [][]string{o.Sorted, o.Index} {
		for _, name := range names {
			if s.Index(name) < 0 {
				return nil, fmt.Errorf("no column %q", name)
			}
		}
	}
	// A window that holds a page is enough: pages are compressed one by one.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(o.Level), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	w := &Writer{schema: s, opts: o, zstd: enc}
	w.Reset(nil)
	return w, nil
}

// Reset begins a new file, in the memory of buf.
func (w *Writer) Reset(buf []byte) {
	w.out, w.groups, w.rows, w.chunks = append(buf[:0], fileMagic...), nil, 0, nil
}

// Len returns how many bytes of the file there are so far.
func (w *Writer) Len() int { return len(w.out) }

// RowGroup writes a row group of as many rows, one vector for each column.
func (w *Writer) RowGroup(rows int, columns []Vector) error {
	if rows <= 0 || rows > MaxGroupRows || len(columns) != len(w.schema.Columns) {
		return fmt.Errorf("a row group of %d rows and %d columns: want 1 to %d rows, %d columns", rows, len(columns), MaxGroupRows, len(w.schema.Columns))
	}
	start := len(w.out)
	g := format.RowGroup{NumRows: int64(rows), FileOffset: int64(start), Ordinal: int16(len(w.groups))}
	for _, name := range w.opts.Sorted {
		g.SortingColumns = append(g.SortingColumns, format.SortingColumn{ColumnIdx: int32(w.schema.Index(name)), NullsFirst: true})
	}
	for i := range columns {
		c := &w.schema.Columns[i]
		if err := columns[i].check(c, rows); err != nil {
			return err
		}
		chunk, err := w.chunk(c, &columns[i], rows)
		if err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		g.TotalByteSize += chunk.MetaData.TotalUncompressedSize
		g.Columns = append(g.Columns, chunk)
	}
	g.TotalCompressedSize = int64(len(w.out) - start)
	w.groups = append(w.groups, g)
	w.rows += int64(rows)
	return nil
}

// chunk writes the pages of a column.
func (w *Writer) chunk(c *Column, v *Vector, rows int) (format.ColumnChunk, error) {
	p := &w.pages
	if err := p.encode(c, v, rows, w.opts.PageRows, w.opts.DictionaryBytes); err != nil {
		return format.ColumnChunk{}, err
	}
	p.compress(w.zstd)
	meta := format.ColumnMetaData{
		Type: w.schema.elements[1+w.schema.Index(c.Name)].Type.V, Encoding: []format.Encoding{p.encoding, format.RLE}, PathInSchema: []string{c.Name},
		Codec: format.Zstd, NumValues: int64(rows), Statistics: p.statistics(c, v),
	}
	var index chunkIndex
	for i := range p.list {
		page := &p.list[i]
		h := &page.header
		h.CompressedPageSize, h.CRC = int32(len(page.stored)), int32(crc32.ChecksumIEEE(page.stored))
		at := int64(len(w.out))
		head, err := thrift.Marshal(new(thrift.CompactProtocol), h)
		if err != nil {
			return format.ColumnChunk{}, err
		}
		w.out = append(append(w.out, head...), page.stored...)
		size := int64(len(w.out)) - at
		meta.TotalCompressedSize += size
		meta.TotalUncompressedSize += int64(len(head)) + int64(h.UncompressedPageSize)
		if h.Type == format.DictionaryPage {
			meta.DictionaryPageOffset = at
			meta.Encoding = append(meta.Encoding, format.Plain)
			continue
		}
		if meta.DataPageOffset == 0 {
			meta.DataPageOffset = at
		}
		index.offsets.PageLocations = append(index.offsets.PageLocations,
			format.PageLocation{Offset: at, CompressedPageSize: int32(size), FirstRowIndex: int64(page.from)})
	}
	for _, name := range w.opts.Index {
		if name == c.Name {
			index.columns = p.columnIndex(c, v)
		}
	}
	w.chunks = append(w.chunks, index)
	return format.ColumnChunk{MetaData: meta}, nil
}

// Close returns the file, sealed; it is valid until Reset. meta goes to the footer, in its order.
func (w *Writer) Close(meta []format.KeyValue) ([]byte, error) {
	protocol := new(thrift.CompactProtocol)
	var errs []error
	put := func(v any) (at int64, n int32) {
		b, err := thrift.Marshal(protocol, v)
		errs = append(errs, err)
		at = int64(len(w.out))
		w.out = append(w.out, b...)
		return at, int32(len(b))
	}
	each := func(f func(chunk *format.ColumnChunk, index *chunkIndex)) {
		for i := range w.chunks {
			f(&w.groups[i/len(w.schema.Columns)].Columns[i%len(w.schema.Columns)], &w.chunks[i])
		}
	}
	each(func(chunk *format.ColumnChunk, index *chunkIndex) {
		if index.columns != nil {
			chunk.ColumnIndexOffset, chunk.ColumnIndexLength = put(index.columns)
		}
	})
	each(func(chunk *format.ColumnChunk, index *chunkIndex) {
		chunk.OffsetIndexOffset, chunk.OffsetIndexLength = put(&index.offsets)
	})
	footer := format.FileMetaData{Version: 1, Schema: w.schema.elements, NumRows: w.rows, RowGroups: w.groups, KeyValueMetadata: meta, CreatedBy: w.opts.CreatedBy}
	for range w.schema.Columns {
		footer.ColumnOrders = append(footer.ColumnOrders, format.ColumnOrder{Value: new(format.TypeDefinedOrder)})
	}
	_, n := put(&footer)
	w.out = append(binary.LittleEndian.AppendUint32(w.out, uint32(n)), fileMagic...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err error
	w.out, err = seal.WithFooter(w.out)
	return w.out, err
}
