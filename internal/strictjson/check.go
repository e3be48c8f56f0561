package strictjson

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// MaxDepth is how deep arrays and objects may be nested: fastjson's own limit.
const MaxDepth = 300

// Error says what is wrong with a text, and where.
type Error struct {
	// Pos is the byte at which it was noticed, from 0.
	Pos int
	Msg string
}

func (e *Error) Error() string { return e.Msg + " at byte " + strconv.Itoa(e.Pos) }

// Check returns an *Error if b is not JSON.
func Check(b []byte) error {
	var c Checker
	return c.Check(b)
}

// Checker is Check with memory that it reuses. The zero value is ready.
type Checker struct {
	b         []byte
	keys      []key           // of the objects that are open, those of the innermost last
	unescaped [][]byte        // the keys that have an escape
	spare     map[string]bool // empty, for the keys of an object with many; nil for none
	depth     int
	err       *Error
}

// key is one of an object: where it is in the text, or, if it has an escape, 0 and 1 + its number in Checker.unescaped.
type key struct{ start, end int }

// Check returns an *Error if b is not JSON. It keeps nothing of b.
func (c *Checker) Check(b []byte) error {
	c.b, c.keys, c.depth, c.err = b, c.keys[:0], 0, nil
	if len(c.unescaped) > 0 {
		clear(c.unescaped)
		c.unescaped = c.unescaped[:0]
	}
	i := c.space(c.value(c.space(0)))
	if c.err == nil && i != len(b) {
		c.fail(i, "%s after the end of the value", c.what(i))
	}
	if c.err == nil && !utf8.Valid(b) {
		c.fail(invalidUTF8(b), "invalid UTF-8")
	}
	c.b = nil
	if c.err != nil {
		return c.err
	}
	return nil
}

func invalidUTF8(b []byte) (pos int) {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// Every method below takes the position to read at and returns the one behind what it has read. After a failure that is the
// end of the text, where nothing matches; the first failure is the one that is reported.

func (c *Checker) fail(i int, format string, args ...any) int {
	if c.err == nil {
		c.err = &Error{i, fmt.Sprintf(format, args...)}
	}
	return len(c.b)
}

// what names the character at a position, for an error.
func (c *Checker) what(i int) string {
	if i >= len(c.b) {
		return "the text ends"
	}
	r, n := utf8.DecodeRune(c.b[i:])
	if r == utf8.RuneError && n == 1 {
		return fmt.Sprintf("byte 0x%02x", c.b[i])
	}
	return strconv.QuoteRune(r)
}

func (c *Checker) at(i int) byte {
	if i < len(c.b) {
		return c.b[i]
	}
	return 0
}

func (c *Checker) space(i int) int {
	for i < len(c.b) {
		switch c.b[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

func (c *Checker) value(i int) int {
	switch ch := c.at(i); {
	case ch == '"':
		end, _ := c.text(i)
		return end
	case ch == '{' || ch == '[':
		if c.depth == MaxDepth {
			return c.fail(i, "values are nested deeper than %d", MaxDepth)
		}
		c.depth++
		if ch == '{' {
			i = c.object(i + 1)
		} else {
			i = c.array(i + 1)
		}
		c.depth--
		return i
	case ch == '-' || isDigit(ch):
		return c.number(i)
	case ch == 't':
		return c.literal(i, "true")
	case ch == 'f':
		return c.literal(i, "false")
	case ch == 'n':
		return c.literal(i, "null")
	}
	return c.fail(i, "%s where a value should be", c.what(i))
}

func (c *Checker) literal(i int, word string) int {
	if !bytes.HasPrefix(c.b[i:], []byte(word)) {
		return c.fail(i, "%s where a value should be", c.what(i))
	}
	return i + len(word)
}

func (c *Checker) array(i int) int {
	if i = c.space(i); c.at(i) == ']' {
		return i + 1
	}
	for {
		i = c.space(c.value(c.space(i)))
		switch c.at(i) {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return c.fail(i, "%s where a comma or ] should be", c.what(i))
		}
	}
}

func (c *Checker) object(i int) int {
	if i = c.space(i); c.at(i) == '}' {
		return i + 1
	}
	first := len(c.keys)
	var seen marks
	var known map[string]bool
	for {
		if i = c.space(i); c.at(i) != '"' {
			return c.fail(i, "%s where a key should be", c.what(i))
		}
		end, escaped := c.text(i)
		if c.err != nil {
			return end
		}
		known = c.note(i, end, escaped, first, &seen, known)
		if i = c.space(end); c.at(i) != ':' {
			return c.fail(i, "%s where a colon should be", c.what(i))
		}
		i = c.space(c.value(c.space(i + 1)))
		switch c.at(i) {
		case ',':
			i++
		case '}':
			c.keys = c.keys[:first]
			c.keep(known)
			return i + 1
		default:
			return c.fail(i, "%s where a comma or } should be", c.what(i))
		}
	}
}

// fewKeys is how many keys of an object are compared one by one, each with those before it where
// marks does not tell it from all of them. Those of an object with more are in known as well.
const fewKeys = 128

// manyKeys is the most keys that the memory is kept for.
const manyKeys = 8 * fewKeys

// note notes the key that was read from i to end, of an object whose keys begin at first, and fails if it has it already.
func (c *Checker) note(i, end int, escaped bool, first int, seen *marks, known map[string]bool) map[string]bool {
	k := key{i + 1, end - 1}
	if escaped {
		c.unescaped = append(c.unescaped, appendUnescaped(make([]byte, 0, end-i), c.b[i+1:end-1]))
		k = key{0, len(c.unescaped)}
	}
	text, keys := c.name(k), c.keys[first:]
	if len(keys) < fewKeys {
		if !seen.add(view(text)) && c.has(keys, text) {
			c.twice(i, text)
		}
		c.keys = append(c.keys, k)
		return known
	}
	if known == nil {
		if known, c.spare = c.spare, nil; known == nil {
			known = make(map[string]bool, 4*fewKeys)
		}
		for _, o := range keys {
			known[view(c.name(o))] = true
		}
	}
	if known[view(text)] {
		c.twice(i, text)
	}
	known[view(text)] = true
	return known
}

func (c *Checker) has(keys []key, text []byte) bool {
	for _, o := range keys {
		if string(c.name(o)) == string(text) {
			return true
		}
	}
	return false
}

// marks are the hashes of the keys of an object: a key whose mark is new is new itself.
type marks [8]uint64

// add adds the mark of a key, and reports whether it is new.
func (m *marks) add(key string) bool {
	var a, b uint64
	text := bytesOf(key)
	switch n := len(text); {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(text)), uint64(binary.LittleEndian.Uint32(text[n-4:]))
	default:
		for _, c := range text {
			a = a<<8 | uint64(c)
		}
	}
	const odd = 0x9e3779b97f4a7c15 // spreads neighbours: Knuth's multiplicative hash
	h := (a ^ bits.RotateLeft64(b, 29) ^ uint64(len(text))) * odd >> 55
	word, bit := &m[h>>6], uint64(1)<<(h&63)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

// keep keeps the keys of an object that has ended for another one's, unless they were so many that
// emptying them costs more than making others.
func (c *Checker) keep(known map[string]bool) {
	if known != nil && len(known) <= manyKeys {
		clear(known) // they are views of a text that does not last
		c.spare = known
	}
}

// view returns a string that is b, not a copy of it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (c *Checker) name(k key) []byte {
	if k.start == 0 {
		return c.unescaped[k.end-1]
	}
	return c.b[k.start:k.end]
}

func (c *Checker) twice(i int, key []byte) {
	c.fail(i, "the key %s is given twice", strconv.Quote(clip(string(key))))
}

func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	n := most
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Number reports whether s is a number of JSON.
func Number(s string) bool {
	c := Checker{b: []byte(s)}
	return c.number(0) == len(s) && c.err == nil
}

// number reads a number: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
func (c *Checker) number(i int) int {
	if c.at(i) == '-' {
		i++
	}
	switch {
	case c.at(i) == '0':
		if i++; isDigit(c.at(i)) {
			return c.fail(i, "a number that begins with 0 goes on")
		}
	case isDigit(c.at(i)):
		i = c.digits(i)
	default:
		return c.fail(i, "%s where a digit should be", c.what(i))
	}
	if c.at(i) == '.' {
		if i++; !isDigit(c.at(i)) {
			return c.fail(i, "%s where a digit should be", c.what(i))
		}
		i = c.digits(i)
	}
	if c.at(i)|0x20 == 'e' {
		if i++; c.at(i) == '+' || c.at(i) == '-' {
			i++
		}
		if !isDigit(c.at(i)) {
			return c.fail(i, "%s where a digit should be", c.what(i))
		}
		i = c.digits(i)
	}
	return i
}

func (c *Checker) digits(i int) int {
	for i < len(c.b) && isDigit(c.b[i]) {
		i++
	}
	return i
}

func isDigit(b byte) bool { return b-'0' <= 9 }

// text reads a string and reports whether it has an escape.
func (c *Checker) text(i int) (end int, escaped bool) {
	for i++; ; {
		i = plain(c.b, i)
		if i >= len(c.b) {
			return c.fail(i, "the text ends within a string"), escaped
		}
		switch c.b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			n := escapeLen(c.b[i:])
			if n == 0 {
				return c.fail(i, "an escape that is none, or half of a surrogate pair,"), escaped
			}
			i, escaped = i+n, true
		default:
			return c.fail(i, "a control character within a string"), escaped
		}
	}
}

// plain returns the position of the next quote, backslash or control character from i on, len(b) if there is none. It
// looks at 8 bytes at a time: of each of the three masks the lowest bit that is set marks a byte that is one.
func plain(b []byte, i int) int {
	const ones, highs = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		q, s := w^('"'*ones), w^('\\'*ones)
		if m := ((q-ones)&^q | (s-ones)&^s | (w-0x20*ones)&^w) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// escapeLen returns the length of the escape that b begins with, that of both where it needs another, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r := hexRune(b[2:])
		switch {
		case r < 0:
			return 0
		case !utf16.IsSurrogate(r):
			return 6
		case len(b) > 7 && b[6] == '\\' && b[7] == 'u' && utf16.DecodeRune(r, hexRune(b[8:])) != utf8.RuneError:
			return 12
		}
	}
	return 0
}

// hexRune reads four hexadecimal digits, or returns -1.
func hexRune(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	r := rune(0)
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

// appendUnescaped appends what a string that has been checked stands for.
func appendUnescaped(dst, b []byte) []byte {
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\\')
		if n < 0 {
			return append(dst, b...)
		}
		dst, b = append(dst, b[:n]...), b[n:]
		switch n = escapeLen(b); n {
		case 12:
			dst = utf8.AppendRune(dst, utf16.DecodeRune(hexRune(b[2:]), hexRune(b[8:])))
		case 6:
			dst = utf8.AppendRune(dst, hexRune(b[2:]))
		default:
			dst = append(dst, escapes[b[1]])
		}
		b = b[n:]
	}
	return dst
}

// escapes are what the letters behind a backslash stand for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
