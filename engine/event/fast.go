package event

import (
	"encoding/binary"
	"math/bits"
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
// A failure is sticky: it puts pos behind the record, where nothing matches, so that only loops and the end look at bad.
//
// On records of 100 page views it takes two fifths of the time of the tree (see BenchmarkDecode), without allocating. What
// was tried and dropped is beside what is done instead.
type fast struct {
	// buf is a copy of the record and padding: events may outlive the record's bytes, escapes are resolved in place, and
	// reading 8 bytes at a time needs no look at the end. That the views are of a copy costs a fiftieth.
	buf   []byte
	pos   int // in buf
	bad   bool
	high  uint64 // has a bit of highBits if a string has a byte outside ASCII
	props []Prop
}

// padding ends a string that the record does not end, one that ends in a backslash too, and matches nothing else. 16
// bytes can be read from anywhere in the record and from the two quotes.
const padding = "\"\"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

func (f *fast) reset(record []byte) {
	f.buf = append(append(f.buf[:0], record...), padding...)
	f.pos, f.bad, f.high, f.props = 0, false, 0, f.props[:0]
}

func (f *fast) end() int { return len(f.buf) - len(padding) }

func (f *fast) fail() { f.bad, f.pos = true, f.end() }

// accept passes over c, and white space before it, and says whether it was there.
func (f *fast) accept(c byte) bool {
	if f.buf[f.pos] != c {
		f.space()
		if f.buf[f.pos] != c {
			return false
		}
	}
	f.pos++
	return true
}

func (f *fast) must(c byte) {
	if f.buf[f.pos] == c {
		f.pos++
	} else if !f.accept(c) {
		f.fail()
	}
}

// more passes over the comma before another element, or over the bracket that ends the list.
func (f *fast) more(bracket byte) bool {
	if f.accept(',') {
		return true
	}
	f.must(bracket)
	return false
}

func (f *fast) space() {
	for {
		switch f.buf[f.pos] {
		case ' ', '\t', '\n', '\r':
			f.pos++
		default:
			return
		}
	}
}

// text returns a view of a string. Control characters stand for themselves, as in the general way.
func (f *fast) text() string {
	f.must('"')
	b, i, high := f.buf, f.pos, f.high
	for {
		w := binary.LittleEndian.Uint64(b[i:])
		high |= w
		if stop := zeroByte(w^'"'*lowBits) | zeroByte(w^'\\'*lowBits); stop != 0 {
			i += bits.TrailingZeros64(stop) / 8
			break
		}
		i += 8
	}
	f.high = high
	if b[i] == '\\' {
		return f.escaped(i)
	}
	s := view(b[f.pos:i])
	f.pos = i + 1
	return s
}

// zeroByte has the high bit of the first byte of w that is zero, and no bit below it; bits above it mean nothing.
func zeroByte(w uint64) uint64 { return (w - lowBits) &^ w & highBits }

// escaped reads the string at pos, whose first backslash is at i, and resolves its escapes in place.
func (f *fast) escaped(i int) string {
	b, to := f.buf, i
	for b[i] != '"' {
		if b[i] != '\\' {
			f.high |= uint64(b[i])
			b[to] = b[i]
			to++
			i++
			continue
		}
		r, n := escape(b[i+1:])
		if n == 0 {
			f.fail()
			return ""
		}
		i += 1 + n
		to += utf8.EncodeRune(b[to:], r) // never longer than its escape
	}
	s := view(b[f.pos:to])
	f.pos = i + 1
	return s
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
func (f *fast) whole() int64 {
	if f.buf[f.pos] <= ' ' {
		f.space()
	}
	b, i, n := f.buf, f.pos, int64(0)
	for ; b[i]-'0' <= 9; i++ {
		n = n*10 + int64(b[i]-'0')
	}
	if i == f.pos || i-f.pos > 15 {
		f.fail()
		return 0
	}
	f.pos = i
	return n
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
