package strictjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// Parser reads JSON into Values, in the memory of which it reuses. The zero value is ready. It
// belongs to one goroutine at a time.
type Parser struct {
	b      []byte // the text and a padding of zeros, which end whatever is read
	own    []byte // memory for copies of texts
	end    int    // of the text
	slabs  [][]Value
	slab   int      // the one that Values are taken from
	used   int      // how many of it are taken
	open   []*Value // of the objects and arrays that are open, those of the innermost last
	kids   []*Value // of those that are closed
	arena  []byte   // what strings with escapes stand for
	check  Checker  // of numbers, and with memory for keys
	plain  bool     // the string that was read last is (Value.Plain)
	pos    int      // where a text goes on that is read in parts
	within int      // how many objects and arrays it is within there
	field  Value    // the last one that Field has read, if it is a string
	bad    bool
}

const (
	// Padding is how many zeros are behind a text: a word can be read at each of its bytes and behind
	// the last.
	Padding = 8
	// leastSlab and mostSlab are the numbers of Values in the first slab and in large ones.
	leastSlab, mostSlab = 64, 4096
)

// Parse reads a text, of which it keeps a copy. The Value and all that is found in it are valid
// until the next call. It returns false for a text that Check refuses, and for one with a value
// within MaxDepth others.
func (p *Parser) Parse(text []byte) (*Value, bool) {
	p.Begin(text)
	v, i := p.value(p.space(0), 0)
	return v, !p.bad && p.space(i) == p.end
}

// forget gives the memory of all Values back.
func (p *Parser) forget() {
	p.slab, p.used = 0, 0
	p.open, p.kids = p.open[:0], p.kids[:0]
}

// Every method below takes the position to read at and returns the one behind what it has read.
// After a failure that is the end of the text, where nothing matches.

func (p *Parser) fail() int {
	p.bad = true
	return p.end
}

func (p *Parser) space(i int) int {
	if p.b[i] > ' ' {
		return i
	}
	return p.blanks(i)
}

func (p *Parser) blanks(i int) int {
	for {
		switch p.b[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
}

// next returns memory for a Value.
func (p *Parser) next() *Value {
	if p.slab == len(p.slabs) {
		p.slabs = append(p.slabs, make([]Value, min(leastSlab<<min(p.slab, 8), mostSlab)))
	}
	s := p.slabs[p.slab]
	v := &s[p.used]
	if p.used++; p.used == len(s) {
		p.slab, p.used = p.slab+1, 0
	}
	return v
}

func (p *Parser) value(i, depth int) (*Value, int) {
	v := p.next()
	if depth++; depth > MaxDepth {
		return v, p.fail()
	}
	switch p.b[i] {
	case '"':
		v.kind = TypeString
		v.text, i = p.text(i + 1)
		v.plain = p.plain
		return v, i
	case '{':
		return v, p.object(v, i, depth)
	case '[':
		return v, p.array(v, i, depth)
	case 't':
		return v, p.literal(v, i, TypeTrue, "true")
	case 'f':
		return v, p.literal(v, i, TypeFalse, "false")
	case 'n':
		return v, p.literal(v, i, TypeNull, "null")
	}
	end := p.check.number(i)
	if p.check.err != nil {
		return v, p.fail()
	}
	v.kind, v.text, v.plain = TypeNumber, view(p.b[i:end]), true
	return v, end
}

func (p *Parser) literal(v *Value, i int, kind Type, word string) int {
	end := i + len(word)
	if end > p.end || string(p.b[i:end]) != word {
		return p.fail()
	}
	v.kind, v.text, v.plain = kind, word, true
	return end
}

func (p *Parser) array(v *Value, start, depth int) int {
	first := len(p.open)
	i := p.space(start + 1)
	if p.b[i] == ']' {
		return p.close(v, TypeArray, first, start, i+1)
	}
	for {
		var kid *Value
		kid, i = p.value(i, depth)
		p.open = append(p.open, kid)
		i = p.space(i)
		switch p.b[i] {
		case ',':
			i = p.space(i + 1)
		case ']':
			return p.close(v, TypeArray, first, start, i+1)
		default:
			return p.fail()
		}
	}
}

func (p *Parser) object(v *Value, start, depth int) int {
	first := len(p.open)
	i := p.space(start + 1)
	if p.b[i] == '}' {
		return p.close(v, TypeObject, first, start, i+1)
	}
	var seen marks
	var known map[string]bool // the keys, once there are many
	for {
		if p.b[i] != '"' {
			return p.fail()
		}
		var key string
		if key, i = p.text(i + 1); p.bad {
			return i
		}
		plain := p.plain
		if len(p.open)-first < fewKeys {
			if !seen.add(key) && p.has(first, key) {
				return p.fail()
			}
		} else {
			if known == nil {
				known = p.keysOf(first)
			}
			if known[key] {
				return p.fail()
			}
			known[key] = true
		}
		if i = p.space(i); p.b[i] != ':' {
			return p.fail()
		}
		var kid *Value
		kid, i = p.value(p.space(i+1), depth)
		kid.key, kid.plain = key, kid.plain && plain
		p.open = append(p.open, kid)
		i = p.space(i)
		switch p.b[i] {
		case ',':
			i = p.space(i + 1)
		case '}':
			p.check.keep(known)
			return p.close(v, TypeObject, first, start, i+1)
		default:
			return p.fail()
		}
	}
}

// has reports whether the object that is open, whose values begin at first, has a key.
func (p *Parser) has(first int, key string) bool {
	for _, v := range p.open[first:] {
		if v.key == key {
			return true
		}
	}
	return false
}

// keysOf returns the keys of the object that is open, whose values begin at first.
func (p *Parser) keysOf(first int) map[string]bool {
	known := p.check.spare
	if p.check.spare = nil; known == nil {
		known = make(map[string]bool, 4*fewKeys)
	}
	for _, v := range p.open[first:] {
		known[v.key] = true
	}
	return known
}

// close ends an object or an array, from start to end, whose values begin at first.
func (p *Parser) close(v *Value, kind Type, first, start, end int) int {
	from := len(p.kids)
	p.kids = append(p.kids, p.open[first:]...)
	p.open = p.open[:first]
	v.plain = false
	v.kind, v.text, v.kids = kind, view(p.b[start:end]), p.kids[from:len(p.kids):len(p.kids)]
	return end
}

// text reads a string of which the first quote has been read. It looks at 8 bytes at a time while
// they are plain (Value.Plain). They are there for each byte of the text and its end: behind it is
// the padding, in which a string ends.
func (p *Parser) text(start int) (string, int) {
	b, end := unsafe.Pointer(unsafe.SliceData(p.b)), p.end
	for i := start; i <= end; i += 8 {
		m := notPlain(binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(b, i))[:]))
		if m == 0 {
			continue
		}
		i += bits.TrailingZeros64(m) / 8
		if *(*byte)(unsafe.Add(b, i)) != '"' {
			return p.oddText(start, i)
		}
		p.plain = true
		return unsafe.String((*byte)(unsafe.Add(b, start)), i-start), i + 1
	}
	return "", p.fail()
}

// notPlain returns a mask of 8 bytes, of which the lowest bit that is set is in the first byte that
// is a quote, a backslash, a control character or above 0x7e. A byte with the bit of 2 turned is
// below 0x21 if it is a quote or below 0x20. Borrows and carries go into later bytes alone.
func notPlain(w uint64) uint64 {
	const ones, highs = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	return (w | (w + ones) | ((w ^ 2*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) & highs
}

// oddText is text of a string that is not plain; what is before i is.
func (p *Parser) oddText(start, i int) (string, int) {
	p.plain = false
	switch i = plain(p.b, i); {
	case i >= p.end: // a quote or backslash in the padding there is none
	case p.b[i] == '\\':
		return p.escaped(start, i)
	case p.b[i] == '"' && utf8.Valid(p.b[start:i]):
		return view(p.b[start:i]), i + 1
	}
	return "", p.fail()
}

// escaped reads a string that has an escape at i.
func (p *Parser) escaped(start, i int) (string, int) {
	for p.b[i] != '"' {
		n := escapeLen(p.b[i:p.end])
		if n == 0 {
			return "", p.fail()
		}
		if i = plain(p.b, i+n); i >= p.end || p.b[i] < 0x20 {
			return "", p.fail()
		}
	}
	if !utf8.Valid(p.b[start:i]) {
		return "", p.fail()
	}
	from := len(p.arena)
	p.arena = appendUnescaped(p.arena, p.b[start:i])
	return view(p.arena[from:]), i + 1
}
