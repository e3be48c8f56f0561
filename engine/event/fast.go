package event

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// fast reads a record in one pass, without a tree in between: the short way of a Decoder for what our own encoder
// writes, and for any other writer that keeps to the schema's keys.
//
// It gives what the general way gives, or gives up. On the least doubt (a key it does not know or has had, a number
// with a sign or a point, an escape that is not in RFC 8259, a lone surrogate, a value out of bounds) it fails without
// an error, and the Decoder starts again in the general way, which is the only one that has errors to tell. Keys may
// come in any order and white space anywhere: both are looked for only after the canonical form has not matched.
//
// Every method takes the position in buf to read at and returns the one to go on from. A failure goes on behind the
// record, where nothing matches and nothing leads back, so that only the end of a record is looked at.
//
// On records of 100 page views it takes a third of the time of the tree (BenchmarkDecode; 0.26 to 0.40 in six runs on a
// busy machine, 0.34 over calls that nothing interrupts), 0.38 with the blanks of Python's json, and does not allocate.
// What is left is spread over the calls for 13 keys and values an event.
//
// Tried and dropped, by the time of the whole: looking for quote and backslash 8 bytes at a time, which the look for the
// record's next backslash makes unnecessary (1.1); the position as a field (1.06); to remember which key came after which
// (1.09); reading the first 16 bytes of a string before IndexByte is called (0.98); a table of a site's bytes (1.0).
type fast struct {
	// buf is a copy of the record and padding: events may outlive the record's bytes, escapes are resolved in place, and
	// reading 16 bytes at a time needs no look at the end. Views of the record itself would save a fiftieth.
	buf   []byte
	slash int // where the first backslash that has not been read is in buf, len(buf) if there is none
	props []Prop
}

// padding ends a string that the record does not end, one that ends in a backslash too, and matches nothing else. There
// are 16 bytes to read from anywhere in the record and from behind the two quotes.
const padding = "\"\"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func (f *fast) reset(record []byte) {
	f.buf = append(append(f.buf[:0], record...), padding...)
	f.props = f.props[:0]
	f.seekSlash(0)
}

func (f *fast) seekSlash(i int) {
	f.slash = len(f.buf)
	if n := bytes.IndexByte(f.buf[i:], '\\'); n >= 0 {
		f.slash = i + n
	}
}

func (f *fast) end() int { return len(f.buf) - len(padding) }

// fail returns the position of a failure, behind the quotes of the padding.
func (f *fast) fail() int { return f.end() + 2 }

// must passes over c, and white space before it.
func (f *fast) must(c byte, i int) int {
	if f.buf[i] == c {
		return i + 1
	}
	return f.late(c, i)
}

// late looks for c behind white space.
func (f *fast) late(c byte, i int) int {
	if i = f.space(i); f.buf[i] == c {
		return i + 1
	}
	return f.fail()
}

// more passes over the comma before another element, if there is one.
func (f *fast) more(i int) (bool, int) {
	if f.buf[i] == ',' {
		return true, i + 1
	}
	return f.is(',', i)
}

// is passes over white space, and over c if it follows.
func (f *fast) is(c byte, i int) (bool, int) {
	if i = f.space(i); f.buf[i] == c {
		return true, i + 1
	}
	return false, i
}

func (f *fast) space(i int) int {
	for {
		switch f.buf[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
}

// text returns a view of a string. Control characters stand for themselves, as in the general way.
func (f *fast) text(i int) (string, int) {
	i = f.must('"', i)
	n := bytes.IndexByte(f.buf[i:], '"')
	switch {
	case n < 0: // after a failure only: the padding has quotes
		return "", f.fail()
	case i+n > f.slash:
		return f.escaped(i)
	}
	return view(f.buf[i : i+n]), i + n + 1
}

// escaped reads a string that the next backslash lies in, and resolves its escapes in place.
func (f *fast) escaped(start int) (string, int) {
	b, i := f.buf, f.slash
	to := i
	for b[i] != '"' {
		if b[i] != '\\' {
			b[to] = b[i]
			to++
			i++
			continue
		}
		r, n := escape(b[i+1:])
		if n == 0 {
			return "", f.fail()
		}
		i += 1 + n
		to += utf8.EncodeRune(b[to:], r) // never longer than its escape
	}
	f.seekSlash(i)
	return view(b[start:to]), i + 1
}

// escape reads an escape of which the backslash has been read. It returns the length, 0 for one that is not in RFC 8259
// or not a character.
func escape(b []byte) (rune, int) {
	switch b[0] {
	case '"', '\\', '/':
		return rune(b[0]), 1
	case 'b':
		return '\b', 1
	case 'f':
		return '\f', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'u':
		r := hexRune(b[1:])
		switch {
		case r < 0:
			return 0, 0
		case !utf16.IsSurrogate(r):
			return r, 5
		case b[5] != '\\' || b[6] != 'u':
			return 0, 0
		}
		if r = utf16.DecodeRune(r, hexRune(b[7:])); r != utf8.RuneError {
			return r, 11
		}
	}
	return 0, 0
}

// hexRune reads four hexadecimal digits, or returns a negative rune.
func hexRune(b []byte) rune {
	r := rune(0)
	for _, c := range b[:4] {
		r = r<<4 | rune(hexDigits[c])
	}
	return r
}

// hexDigits has the value of each hexadecimal digit, -1 for any other byte.
var hexDigits = func() (t [256]int8) {
	for c := range t {
		t[c] = -1
	}
	for v := range int8(10) {
		t['0'+v] = v
	}
	for v := range int8(6) {
		t['a'+v], t['A'+v] = 10+v, 10+v
	}
	return t
}()

// whole reads a number of 1 to 15 digits.
func (f *fast) whole(i int) (int64, int) {
	i = f.space(i)
	b, start := f.buf, i
	n, ok := eightDigits(binary.LittleEndian.Uint64(b[i:]))
	if ok {
		i += 8
	}
	for ; b[i]-'0' <= 9; i++ {
		n = n*10 + int64(b[i]-'0')
	}
	if i == start || i-start > 15 {
		return 0, f.fail()
	}
	return n, i
}

// eightDigits reads a word of eight decimal digits, in the manner of Lemire's "Quickly parsing eight digits" (2018):
// neighbours are joined to numbers of two, then four, then eight digits. A time of now has 13.
func eightDigits(w uint64) (int64, bool) {
	const ones, high4 = 0x0101_0101_0101_0101, 0xf0f0_f0f0_f0f0_f0f0
	if w&high4 != '0'*ones || (w+6*ones)&high4 != '0'*ones {
		return 0, false
	}
	w = (w & (0x0f * ones)) * (1 + 10<<8) >> 8
	w = (w & 0x00ff_00ff_00ff_00ff) * (1 + 100<<16) >> 16
	w = (w & 0x0000_ffff_0000_ffff) * (1 + 10_000<<32) >> 32
	return int64(w), true
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
