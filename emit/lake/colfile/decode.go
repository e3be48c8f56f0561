package colfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// errShort is the error for a page that has less than it should.
var errShort = errors.New("a page ends early")

// takeLen takes a length of four bytes off b, of what follows it.
func takeLen(b *[]byte) (int, bool) {
	if len(*b) < 4 {
		return 0, false
	}
	n := int(binary.LittleEndian.Uint32(*b))
	*b = (*b)[4:]
	return n, n <= len(*b)
}

// zeros are the codes of a page with one value: in most files a third of the columns has no other.
var zeros [32 << 10]int32

// decode appends n rows of a data page to v.
func (r *chunkReader) decode(encoding format.Encoding, body []byte, n int, v *Vector) error {
	c := r.column
	have, gaps := n, false // rows with a value, and whether others are among them
	if c.Optional {
		k, ok := takeLen(&body)
		if !ok {
			return errShort
		}
		if gaps = !allSet(body[:k], n); gaps {
			r.level = grow(r.level[:0], n)
			if err := decodeRuns(r.level, body[:k], 1); err != nil {
				return err
			}
			have = 0
			for _, level := range r.level {
				have += int(level)
			}
		}
		body = body[k:]
	}
	at := len(v.Ints) + len(v.Codes) // one of both is empty
	switch {
	case c.Kind == Text && !c.Optional && r.share && encoding == format.RLEDictionary && len(body) > 0 && body[0] == 0 && n <= len(zeros) && len(r.dict) > 0:
		v.Codes = zeros[:n:n]
	case c.Kind == Text:
		v.Codes = grow(v.Codes, have)
		if err := r.codes(encoding, body, v.Codes[at:]); err != nil {
			return err
		}
		if gaps {
			v.Codes = spread(v.Codes, at, r.level, -1)
		}
	default:
		v.Ints = grow(v.Ints, have)
		if err := decodeInts(c, encoding, body, v.Ints[at:]); err != nil {
			return err
		}
		if gaps {
			v.Ints = spread(v.Ints, at, r.level, 0)
			for _, level := range r.level {
				v.Null = append(v.Null, level == 0)
			}
		} else if c.Optional {
			v.Null = grow(v.Null, n)
			clear(v.Null[at:])
		}
	}
	return nil
}

// allSet reports whether levels are one run, of a value in each of n rows.
func allSet(levels []byte, n int) bool {
	head, k := binary.Uvarint(levels)
	return k > 0 && k+1 == len(levels) && head == uint64(n)<<1 && levels[k] == 1
}

// codes reads the codes of text.
func (r *chunkReader) codes(encoding format.Encoding, body []byte, dst []int32) error {
	if len(dst) == 0 {
		return nil
	}
	if encoding != format.RLEDictionary || len(body) == 0 || body[0] > 32 {
		return fmt.Errorf("a page of text is encoded as %s", encoding)
	}
	if err := decodeRuns(dst, body[1:], uint(body[0])); err != nil {
		return err
	}
	for _, code := range dst {
		if uint32(code) >= uint32(len(r.dict)) {
			return fmt.Errorf("code %d of %d values", uint32(code), len(r.dict))
		}
	}
	return nil
}

// grow makes s longer by n values.
func grow[T any](s []T, n int) []T { return slices.Grow(s, n)[:len(s)+n] }

// spread moves the values that s has from a place on to the rows that have one.
func spread[T any](s []T, at int, level []int32, none T) []T {
	from := len(s)
	s = grow(s, len(level)-(from-at))
	for to := len(level) - 1; to >= 0; to-- {
		if level[to] == 0 {
			s[at+to] = none
			continue
		}
		from--
		s[at+to] = s[from]
	}
	return s
}

// decodeRuns fills dst with values of the hybrid of runs and packed bits.
func decodeRuns(dst []int32, src []byte, width uint) error {
	if width == 0 { // the one value there can be takes no bits
		clear(dst)
		return nil
	}
	for len(dst) > 0 {
		head, k := binary.Uvarint(src)
		if k <= 0 {
			return errShort
		}
		src = src[k:]
		count := head >> 1
		if count == 0 || count > MaxGroupRows {
			return fmt.Errorf("a run of %d values", count)
		}
		if head&1 == 0 {
			size := int(width+7) / 8
			if len(src) < size || count > uint64(len(dst)) {
				return errShort
			}
			value := uint32(0)
			for i := range size {
				value |= uint32(src[i]) << (8 * i)
			}
			src = src[size:]
			for i := range dst[:count] {
				dst[i] = int32(value)
			}
			dst = dst[count:]
			continue
		}
		size := int(count) * int(width)
		if len(src) < size {
			return errShort
		}
		n := min(len(dst), int(count)*8)
		unpack32(dst[:n], src, width)
		dst, src = dst[n:], src[size:]
	}
	return nil
}

// unpack32 reads values of up to 32 bits. REQUIRES: src has them all; what is behind them, if anything, does not matter. Runs are as short as eight
// values, so that most would be read byte by byte if they ended it.
func unpack32(dst []int32, src []byte, width uint) {
	mask := uint64(1)<<width - 1
	i := 0
	if width <= 8 {
		// Eight values are width bytes.
		for ; i+8 <= len(dst) && len(src) >= 8; i += 8 {
			w, to := binary.LittleEndian.Uint64(src), dst[i:i+8:i+8]
			to[0], to[1], to[2], to[3] = int32(w&mask), int32(w>>width&mask), int32(w>>(2*width)&mask), int32(w>>(3*width)&mask)
			to[4], to[5], to[6], to[7] = int32(w>>(4*width)&mask), int32(w>>(5*width)&mask), int32(w>>(6*width)&mask), int32(w>>(7*width)&mask)
			src = src[width:]
		}
		dst, i = dst[i:], 0
	}
	bit := uint(0)
	for ; i < len(dst) && int(bit>>3)+8 <= len(src); i++ {
		dst[i] = int32(binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & mask)
		bit += width
	}
	for ; i < len(dst); i++ {
		dst[i] = int32(bitsAt(src, bit, width))
		bit += width
	}
}

// bitsAt reads one value of up to 64 bits, wherever it lies.
func bitsAt(src []byte, bit, width uint) uint64 {
	var b [16]byte
	copy(b[:], src[bit>>3:])
	v := binary.LittleEndian.Uint64(b[:]) >> (bit & 7)
	if s := bit & 7; s > 0 {
		v |= binary.LittleEndian.Uint64(b[8:]) << (64 - s)
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

// decodeInts reads numbers.
func decodeInts(c *Column, encoding format.Encoding, body []byte, dst []int64) error {
	switch {
	case encoding == format.DeltaBinaryPacked && c.Kind != Bool:
		if err := decodeDelta(dst, body); err != nil {
			return err
		}
		if c.Kind == Int32 {
			for i, n := range dst {
				dst[i] = int64(int32(n))
			}
		}
		return nil
	case encoding != format.Plain:
		return fmt.Errorf("a page of numbers is encoded as %s", encoding)
	case c.Kind == Bool:
		if len(body) < (len(dst)+7)/8 {
			return errShort
		}
		for i := range dst {
			dst[i] = int64(body[i>>3] >> (i & 7) & 1)
		}
	case c.Kind == Int32:
		if len(body) < 4*len(dst) {
			return errShort
		}
		for i := range dst {
			dst[i] = int64(int32(binary.LittleEndian.Uint32(body[4*i:])))
		}
	default:
		if len(body) < 8*len(dst) {
			return errShort
		}
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint64(body[8*i:]))
		}
	}
	return nil
}

// decodeDelta fills dst with numbers that were packed by their differences.
func decodeDelta(dst []int64, src []byte) error {
	var head [4]uint64 // values of a block, blocks within, values, the first
	for i := range head {
		v, k := binary.Uvarint(src)
		if k <= 0 {
			return errShort
		}
		head[i], src = v, src[k:]
	}
	block, minis := head[0], head[1]
	if block == 0 || block > 1<<16 || minis == 0 || block%minis != 0 || block/minis%8 != 0 || head[2] != uint64(len(dst)) {
		return fmt.Errorf("a page of %d rows with %d values, in blocks of %d", len(dst), head[2], block)
	}
	if len(dst) == 0 {
		return nil
	}
	mini := int(block / minis)
	last := unzigzag(head[3])
	dst[0] = last
	for dst = dst[1:]; len(dst) > 0; {
		v, k := binary.Uvarint(src)
		if k <= 0 || len(src)-k < int(minis) {
			return errShort
		}
		least, widths := unzigzag(v), src[k:k+int(minis)]
		src = src[k+int(minis):]
		for _, w := range widths {
			if len(dst) == 0 {
				break
			}
			width := uint(w)
			size := mini / 8 * int(width)
			if width > 64 || len(src) < size {
				return errShort
			}
			n := min(len(dst), mini)
			last = unpackDeltas(dst[:n], src, width, least, last)
			dst, src = dst[n:], src[size:]
		}
	}
	return nil
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func unpackDeltas(dst []int64, src []byte, width uint, least, last int64) int64 {
	mask := uint64(1)<<width - 1
	bit := uint(0)
	for i := range dst {
		if width <= 56 && int(bit>>3)+8 <= len(src) {
			last += least + int64(binary.LittleEndian.Uint64(src[bit>>3:])>>(bit&7)&mask)
		} else {
			last += least + int64(bitsAt(src, bit, width))
		}
		dst[i] = last
		bit += width
	}
	return last
}
