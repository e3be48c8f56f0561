package colfile

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// page is a page that is to be written.
type page struct {
	header   format.PageHeader
	from, to int // rows
	plain    []byte
	stored   []byte // as it is in the file
}

// pageWriter makes the pages of a chunk. It keeps its memory.
type pageWriter struct {
	list     []page
	encoding format.Encoding // of the data pages
	texts    bool            // they have text itself, and not codes

	codes []int32
	ints  []int64
	small []int32
	level []byte
	bytes []byte
}

// add begins a page, in the memory of an earlier one.
func (p *pageWriter) add(from, to int) *page {
	if len(p.list) < cap(p.list) {
		p.list = p.list[:len(p.list)+1]
	} else {
		p.list = append(p.list, page{})
	}
	pg := &p.list[len(p.list)-1]
	*pg = page{from: from, to: to, plain: pg.plain[:0], stored: pg.stored[:0]}
	return pg
}

// encode makes the pages of a column, not compressed.
func (p *pageWriter) encode(c *Column, v *Vector, rows, pageRows, mostDict int) error {
	p.list = p.list[:0]
	p.encoding, p.texts = format.Plain, c.Kind == Text && (c.Plain || mostDict > 0 && sizeOf(v.Dict) > mostDict)
	switch {
	case c.Kind == Text && len(v.Dict) > 0 && !p.texts:
		p.encoding = format.RLEDictionary
		p.dictionary(v.Dict)
	case c.Delta:
		p.encoding = format.DeltaBinaryPacked
	}
	for from := 0; from < rows; from += pageRows {
		pg := p.add(from, min(from+pageRows, rows))
		if c.Optional {
			if err := p.levels(c, v, pg); err != nil {
				return err
			}
		}
		if err := p.values(c, v, pg); err != nil {
			return err
		}
		pg.header.Type, pg.header.UncompressedPageSize = format.DataPage, int32(len(pg.plain))
		pg.header.DataPageHeader = thrift.New(format.DataPageHeader{
			NumValues: int32(pg.to - pg.from), Encoding: p.encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		})
	}
	return nil
}

// sizeOf returns the bytes of a dictionary's page.
func sizeOf(dict []string) (n int) {
	for _, s := range dict {
		n += 4 + len(s)
	}
	return n
}

func (p *pageWriter) dictionary(dict []string) {
	pg := p.add(0, 0)
	for _, s := range dict {
		pg.plain = append(binary.LittleEndian.AppendUint32(pg.plain, uint32(len(s))), s...)
	}
	pg.header.Type, pg.header.UncompressedPageSize = format.DictionaryPage, int32(len(pg.plain))
	pg.header.DictionaryPageHeader = thrift.New(format.DictionaryPageHeader{NumValues: int32(len(dict)), Encoding: format.Plain})
}

// isNull reports whether a row has no value.
func isNull(c *Column, v *Vector, row int) bool {
	return c.Optional && (c.Kind == Text && v.Codes[row] < 0 || c.Kind != Text && v.Null[row])
}

// levels writes which rows have a value.
func (p *pageWriter) levels(c *Column, v *Vector, pg *page) error {
	p.level = p.level[:0]
	for row := pg.from; row < pg.to; row++ {
		has := byte(1)
		if isNull(c, v, row) {
			has = 0
		}
		p.level = append(p.level, has)
	}
	var err error
	p.bytes, err = (&rle.Encoding{BitWidth: 1}).EncodeLevels(p.bytes, p.level)
	pg.plain = append(binary.LittleEndian.AppendUint32(pg.plain, uint32(len(p.bytes))), p.bytes...)
	return err
}

// values writes those of the rows that have one.
func (p *pageWriter) values(c *Column, v *Vector, pg *page) (err error) {
	if c.Kind == Text {
		if len(v.Dict) == 0 && !c.Optional {
			return fmt.Errorf("it has no values")
		}
		codes := v.Codes[pg.from:pg.to]
		if c.Optional {
			p.codes = p.codes[:0]
			for _, code := range codes {
				if code >= 0 {
					p.codes = append(p.codes, code)
				}
			}
			codes = p.codes
		}
		for _, code := range codes {
			if uint(code) >= uint(len(v.Dict)) {
				return fmt.Errorf("code %d of %d values", code, len(v.Dict))
			}
		}
		if len(v.Dict) == 0 {
			return nil // nothing but nulls
		}
		if p.texts {
			for _, code := range codes {
				s := v.Dict[code]
				pg.plain = append(binary.LittleEndian.AppendUint32(pg.plain, uint32(len(s))), s...)
			}
			return nil
		}
		p.bytes, err = new(rle.DictionaryEncoding).EncodeInt32(p.bytes, codes)
		pg.plain = append(pg.plain, p.bytes...)
		return err
	}
	ints := v.Ints[pg.from:pg.to]
	if c.Optional {
		p.ints = p.ints[:0]
		for i, n := range ints {
			if !v.Null[pg.from+i] {
				p.ints = append(p.ints, n)
			}
		}
		ints = p.ints
	}
	switch {
	case c.Kind == Bool:
		pg.plain = appendBits(pg.plain, ints)
	case c.Kind == Int32:
		p.small = p.small[:0]
		for _, n := range ints {
			p.small = append(p.small, int32(n))
		}
		if c.Delta {
			p.bytes, err = new(delta.BinaryPackedEncoding).EncodeInt32(p.bytes, p.small)
			pg.plain = append(pg.plain, p.bytes...)
			return err
		}
		for _, n := range p.small {
			pg.plain = binary.LittleEndian.AppendUint32(pg.plain, uint32(n))
		}
	case c.Delta:
		p.bytes, err = new(delta.BinaryPackedEncoding).EncodeInt64(p.bytes, ints)
		pg.plain = append(pg.plain, p.bytes...)
	default:
		for _, n := range ints {
			pg.plain = binary.LittleEndian.AppendUint64(pg.plain, uint64(n))
		}
	}
	return err
}

func appendBits(dst []byte, ints []int64) []byte {
	var b byte
	for i, n := range ints {
		b |= byte(n&1) << (i & 7)
		if i&7 == 7 || i == len(ints)-1 {
			dst, b = append(dst, b), 0
		}
	}
	return dst
}

// compress fills in what is stored of the pages. All are compressed, also those that get no smaller: parquet-go v0.32.0 takes the codec
// of a column in the first row group for that of all.
func (p *pageWriter) compress(enc *zstd.Encoder) {
	for i := range p.list {
		pg := &p.list[i]
		pg.stored = enc.EncodeAll(pg.plain, pg.stored[:0])
	}
}

// longestStat is the longest text that stands in statistics.
const longestStat = 64

// statistics returns those of a chunk.
func (p *pageWriter) statistics(c *Column, v *Vector) format.Statistics {
	var s format.Statistics
	if c.Kind == Text {
		for _, code := range v.Codes {
			if code < 0 {
				s.NullCount++
			}
		}
		if !c.Plain {
			s.MinValue, s.MaxValue = textBounds(v.Dict)
		}
		return s
	}
	for _, null := range v.Null {
		if null {
			s.NullCount++
		}
	}
	s.MinValue, s.MaxValue = intBounds(c, v, 0, len(v.Ints))
	return s
}

// textBounds returns the least and the greatest of values, or nothing if one is too long.
func textBounds(values []string) (lo, hi []byte) {
	if len(values) == 0 {
		return nil, nil
	}
	least, greatest := values[0], values[0]
	for _, s := range values {
		if len(s) > longestStat {
			return nil, nil
		}
		least, greatest = min(least, s), max(greatest, s)
	}
	return []byte(least), []byte(greatest)
}

// intBounds is textBounds for the numbers of some rows.
func intBounds(c *Column, v *Vector, from, to int) (lo, hi []byte) {
	if c.Unsigned {
		return nil, nil
	}
	var least, greatest int64
	any := false
	for row := from; row < to; row++ {
		if isNull(c, v, row) {
			continue
		}
		if n := v.Ints[row]; any {
			least, greatest = min(least, n), max(greatest, n)
		} else {
			least, greatest, any = n, n, true
		}
	}
	if !any {
		return nil, nil
	}
	return c.plain(least), c.plain(greatest)
}

// plain returns a number as the format has it.
func (c *Column) plain(n int64) []byte {
	switch c.Kind {
	case Bool:
		return []byte{byte(n & 1)}
	case Int32:
		return binary.LittleEndian.AppendUint32(nil, uint32(n))
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(n))
}

// columnIndex returns the bounds of each data page, or nil if one has none.
func (p *pageWriter) columnIndex(c *Column, v *Vector) *format.ColumnIndex {
	index := &format.ColumnIndex{}
	var text []string
	for i := range p.list {
		pg := &p.list[i]
		if pg.header.Type == format.DictionaryPage {
			continue
		}
		var lo, hi []byte
		if c.Kind == Text {
			text = text[:0]
			last := int32(-1)
			for _, code := range v.Codes[pg.from:pg.to] {
				if code != last && code >= 0 {
					text = append(text, v.Dict[code])
				}
				last = code
			}
			lo, hi = textBounds(text)
		} else {
			lo, hi = intBounds(c, v, pg.from, pg.to)
		}
		nulls := int64(0)
		for row := pg.from; row < pg.to; row++ {
			if isNull(c, v, row) {
				nulls++
			}
		}
		if lo == nil {
			return nil
		}
		index.NullPages, index.NullCounts = append(index.NullPages, false), append(index.NullCounts, nulls)
		index.MinValues, index.MaxValues = append(index.MinValues, lo), append(index.MaxValues, hi)
	}
	index.BoundaryOrder = order(c, index)
	return index
}

// order returns whether the bounds of pages ascend. Only of text, whose bytes compare as the format wants.
func order(c *Column, index *format.ColumnIndex) format.BoundaryOrder {
	if c.Kind != Text {
		return format.Unordered
	}
	for i := 1; i < len(index.MinValues); i++ {
		if cmp.Compare(string(index.MinValues[i-1]), string(index.MinValues[i])) > 0 || cmp.Compare(string(index.MaxValues[i-1]), string(index.MaxValues[i])) > 0 {
			return format.Unordered
		}
	}
	return format.Ascending
}
