package colfile

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"millrace/emit/lake/seal"
)

// tailBytes is how much of a file's end is read at first: the footers of most files fit.
const tailBytes = 64 << 10

// ErrCorrupt is wrapped by the error for a file that is not, or no longer, what a Writer wrote; the error names it.
var ErrCorrupt = errors.New("the file is corrupt")

// readError is an error of what files are read from: it says nothing about the file.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// File is an open file.
type File struct {
	name   string
	schema *Schema
	reader io.ReaderAt
	size   int64
	meta   format.FileMetaData
	chunks [][]*format.ColumnChunk // by group and column of the schema; nil if the file lacks the column
}

// Open reads the footer of a file, which errors call by its name. What is later read of it is checked page by page.
func Open(name string, r io.ReaderAt, size int64, schema *Schema) (*File, error) {
	f := &File{name: name, schema: schema, reader: r, size: size}
	if err := f.guard(f.open); err != nil {
		return nil, err
	}
	return f, nil
}

// guard calls what reads the file, and gives its error the file's name.
func (f *File) guard(read func() error) error {
	err := seal.Guard(read)
	if e := (readError{}); errors.As(err, &e) {
		return fmt.Errorf("%q: %w", f.name, err)
	}
	if err != nil {
		return fmt.Errorf("%q: %w: %w", f.name, ErrCorrupt, err)
	}
	return nil
}

func (f *File) open() error {
	for n := min(f.size, tailBytes); ; {
		tail := make([]byte, n)
		if _, err := f.reader.ReadAt(tail, f.size-n); err != nil && !errors.Is(err, io.EOF) {
			return readError{err}
		}
		footer, need, err := seal.Footer(tail)
		if err != nil {
			return err
		}
		if footer != nil {
			if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer, &f.meta); err != nil {
				return fmt.Errorf("footer: %w", err)
			}
			return f.check()
		}
		if need > f.size {
			return errors.New("its footer is larger than the file")
		}
		n = need
	}
}

// check makes sure that all that the footer claims can be.
func (f *File) check() error {
	rows := int64(0)
	for i := range f.meta.RowGroups {
		g := &f.meta.RowGroups[i]
		if g.NumRows <= 0 || g.NumRows > MaxGroupRows {
			return fmt.Errorf("row group %d claims to have %d rows", i, g.NumRows)
		}
		rows += g.NumRows
		chunks := make([]*format.ColumnChunk, len(f.schema.Columns))
		for k := range g.Columns {
			c := &g.Columns[k]
			m := &c.MetaData
			if len(m.PathInSchema) != 1 {
				return fmt.Errorf("row group %d: column %d has a path of %d names", i, k, len(m.PathInSchema))
			}
			at := f.schema.Index(m.PathInSchema[0])
			if at < 0 {
				continue // of a later build
			}
			start, n := chunkRange(m)
			switch {
			case kinds[m.Type] != f.schema.Columns[at].Kind:
				return fmt.Errorf("column %q is of type %s", m.PathInSchema[0], m.Type)
			case m.Codec != format.Zstd && m.Codec != format.Uncompressed:
				return fmt.Errorf("column %q is compressed with %s", m.PathInSchema[0], m.Codec)
			case m.NumValues != g.NumRows:
				return fmt.Errorf("column %q has %d values in %d rows", m.PathInSchema[0], m.NumValues, g.NumRows)
			case start < int64(len(fileMagic)) || n < 0 || start > f.size || n > f.size-start:
				return fmt.Errorf("column %q: bytes %d to %d of %d", m.PathInSchema[0], start, start+n, f.size)
			}
			chunks[at] = c
		}
		f.chunks = append(f.chunks, chunks)
	}
	if rows != f.meta.NumRows {
		return fmt.Errorf("%d rows in its groups, %d in all", rows, f.meta.NumRows)
	}
	return nil
}

// chunkRange returns where a chunk begins and how long it is.
func chunkRange(m *format.ColumnMetaData) (start, n int64) {
	if m.DictionaryPageOffset > 0 {
		return m.DictionaryPageOffset, m.TotalCompressedSize
	}
	return m.DataPageOffset, m.TotalCompressedSize
}

// Rows returns how many rows the file has.
func (f *File) Rows() int64 { return f.meta.NumRows }

// Groups returns how many row groups there are.
func (f *File) Groups() int { return len(f.meta.RowGroups) }

// GroupRows returns how many rows a row group has.
func (f *File) GroupRows(group int) int { return int(f.meta.RowGroups[group].NumRows) }

// Has reports whether the file has a column: one of an earlier build may lack it, and then reads as if all its rows had "", 0 or none.
func (f *File) Has(column int) bool { return len(f.chunks) == 0 || f.chunks[0][column] != nil }

// Meta returns what the footer has under a key, "" if it has none.
func (f *File) Meta(key string) string {
	for _, kv := range f.meta.KeyValueMetadata {
		if kv.Key == key {
			return kv.Value
		}
	}
	return ""
}

// TextBounds returns the least and the greatest value of a column of text in a row group; ok is false if the footer does not say.
func (f *File) TextBounds(group, column int) (lo, hi string, ok bool) {
	c := f.chunks[group][column]
	if c == nil || f.schema.Columns[column].Kind != Text || c.MetaData.Statistics.MaxValue == nil {
		return "", "", false
	}
	return string(c.MetaData.Statistics.MinValue), string(c.MetaData.Statistics.MaxValue), true
}

// Group is a row group whose columns have been read as they are in the file.
type Group struct {
	file   *File
	rows   int
	chunks []*format.ColumnChunk
	bytes  [][]byte // by column; nil if it was not asked for
}

// nearBytes is how far apart two columns may be that are read at once: reading them apart costs a request.
const nearBytes = 64 << 10

// Group reads the columns of a row group; nil stands for all. Columns that are near are read together.
func (f *File) Group(group int, columns []int) (*Group, error) {
	if group < 0 || group >= len(f.chunks) {
		return nil, fmt.Errorf("%q: row group %d of %d", f.name, group, len(f.chunks))
	}
	g := &Group{file: f, rows: f.GroupRows(group), chunks: f.chunks[group], bytes: make([][]byte, len(f.schema.Columns))}
	wanted := make([]bool, len(f.schema.Columns))
	for i := range wanted {
		wanted[i] = columns == nil
	}
	for _, c := range columns {
		wanted[c] = true
	}
	return g, f.guard(func() error { return g.read(wanted) })
}

// span is a range of the file's bytes, and the columns that lie in it.
type span struct {
	from, to int64
	columns  []int
}

func (g *Group) read(wanted []bool) error {
	var spans []span
	for column, c := range g.chunks { // in the order of the file, but if a later build has another: then there are more spans
		if c == nil || !wanted[column] {
			continue
		}
		from, n := chunkRange(&c.MetaData)
		if k := len(spans) - 1; k >= 0 && from >= spans[k].to && from-spans[k].to <= nearBytes {
			spans[k].to, spans[k].columns = from+n, append(spans[k].columns, column)
			continue
		}
		spans = append(spans, span{from, from + n, []int{column}})
	}
	for _, s := range spans {
		b := make([]byte, s.to-s.from)
		if n, err := g.file.reader.ReadAt(b, s.from); n < len(b) {
			return readError{fmt.Errorf("read bytes %d to %d: %w", s.from, s.to, err)}
		}
		for _, column := range s.columns {
			from, n := chunkRange(&g.chunks[column].MetaData)
			g.bytes[column] = b[from-s.from : from-s.from+n : from-s.from+n]
		}
	}
	return nil
}

// Rows returns how many rows the group has.
func (g *Group) Rows() int { return g.rows }

// Column decodes a whole column into v, whose memory is used. REQUIRES: it was asked for.
func (g *Group) Column(column int, v *Vector) error {
	return g.file.guard(func() error {
		r, err := g.chunk(column)
		if err != nil {
			return err
		}
		v.reset()
		for done := 0; done < g.rows; {
			n, err := r.next(v)
			if err != nil {
				return fmt.Errorf("column %q: %w", r.column.Name, err)
			}
			done += n
		}
		return nil
	})
}

// chunk returns a reader of a column's pages.
func (g *Group) chunk(column int) (*chunkReader, error) {
	r := &chunkReader{column: &g.file.schema.Columns[column], rows: g.rows, rest: g.bytes[column]}
	if c := g.chunks[column]; c == nil {
		r.missing = true
	} else {
		r.codec = c.MetaData.Codec
		if r.rest == nil {
			return nil, fmt.Errorf("column %q was not read", r.column.Name)
		}
	}
	return r, nil
}

// chunkReader reads the pages of a column, one after the other.
type chunkReader struct {
	column  *Column
	rows    int // that are left
	rest    []byte
	codec   format.CompressionCodec
	missing bool // the file lacks the column
	dict    []string
	plain   []byte
	level   []int32
	share   bool // Codes that are all 0 may be the ones that all have
}

// unzstd is shared: DecodeAll may be called by any number of goroutines.
var unzstd = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(mostPage))
})

// mostPage is more than any page of ours has.
const mostPage = 256 << 20

// page returns the next page: its header and its bytes, valid until the next call.
func (r *chunkReader) page() (*format.PageHeader, []byte, error) {
	reader := new(thrift.CompactProtocol).NewReaderFromBytes(r.rest)
	var h format.PageHeader
	if err := thrift.NewDecoder(reader).Decode(&h); err != nil {
		return nil, nil, fmt.Errorf("page header: %w", err)
	}
	at := reader.BytesRead()
	if at > len(r.rest) || h.CompressedPageSize < 0 || int(h.CompressedPageSize) > len(r.rest)-at || h.UncompressedPageSize < 0 || h.UncompressedPageSize > mostPage {
		return nil, nil, fmt.Errorf("a page of %d bytes, %d in the file, where %d are left", h.UncompressedPageSize, h.CompressedPageSize, len(r.rest)-at)
	}
	body := r.rest[at : at+int(h.CompressedPageSize)]
	r.rest = r.rest[at+len(body):]
	if crc32.ChecksumIEEE(body) != uint32(h.CRC) {
		return nil, nil, errors.New("the checksum of a page is wrong")
	}
	if r.codec == format.Zstd {
		dec, err := unzstd()
		if err != nil {
			return nil, nil, err
		}
		if r.plain, err = dec.DecodeAll(body, r.plain[:0]); err != nil {
			return nil, nil, err
		}
		body = r.plain
	}
	if len(body) != int(h.UncompressedPageSize) {
		return nil, nil, fmt.Errorf("a page of %d bytes claims to have %d", len(body), h.UncompressedPageSize)
	}
	return &h, body, nil
}

// next appends the rows of the next data page to v and returns how many they are.
func (r *chunkReader) next(v *Vector) (int, error) {
	if r.missing {
		n := r.rows
		r.rows = 0
		fillMissing(r.column, v, n)
		return n, nil
	}
	for {
		h, body, err := r.page()
		if err != nil {
			return 0, err
		}
		if h.Type == format.DictionaryPage {
			if r.dict != nil || r.column.Kind != Text {
				return 0, errors.New("a dictionary where none should be")
			}
			if r.dict, err = decodeDictionary(body, int(h.DictionaryPageHeader.V.NumValues)); err != nil {
				return 0, err
			}
			continue
		}
		d := &h.DataPageHeader.V
		n := int(d.NumValues)
		if h.Type != format.DataPage || n <= 0 || n > r.rows {
			return 0, fmt.Errorf("a page of type %s and %d rows, %d are left", h.Type, n, r.rows)
		}
		r.rows -= n
		v.Dict = r.dict
		return n, r.decode(d.Encoding, body, n, v)
	}
}

// fillMissing appends n rows without a value, as they are of a column that a file lacks.
func fillMissing(c *Column, v *Vector, n int) {
	for range n {
		switch {
		case c.Kind == Text && c.Optional:
			v.Codes = append(v.Codes, -1)
		case c.Kind == Text:
			v.Codes, v.Dict = append(v.Codes, 0), missing
		default:
			v.Ints = append(v.Ints, 0)
			if c.Optional {
				v.Null = append(v.Null, true)
			}
		}
	}
}

var missing = []string{""}

// decodeDictionary reads the texts of a dictionary: one string, of which they are parts.
func decodeDictionary(body []byte, n int) ([]string, error) {
	if n <= 0 || n > MaxGroupRows || n > len(body)/4 {
		return nil, fmt.Errorf("a dictionary of %d values in %d bytes", n, len(body))
	}
	var all strings.Builder
	all.Grow(len(body) - 4*n)
	ends := make([]int, 0, n)
	for range n {
		k, ok := takeLen(&body)
		if !ok {
			return nil, errors.New("a dictionary ends early")
		}
		all.Write(body[:k])
		body = body[k:]
		ends = append(ends, all.Len())
	}
	text, dict, start := all.String(), make([]string, n), 0
	for i, end := range ends {
		dict[i], start = text[start:end], end
	}
	return dict, nil
}
