package strictjson

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// A text can be read in parts by a reader who knows what comes, which takes half the time: the
// objects that it goes through are not made into Values.
//
//	p.Begin(body)
//	if !p.Take('{') {
//		return false
//	}
//	for more := true; more; more = p.Take(',') {
//		use(p.Field())
//	}
//	return p.Take('}') && p.Ended()
//
// Once something is not as it should be nothing more is found, and Ended returns false. An object
// that is read so has at least one key, and its reader sees to it that no key comes twice.

// A reader who knows most of the keys compares them by Word, and reads plain strings by PlainAt, which
// takes half the time again. Both only look: what they do not find is left to Field.
//
//	i := p.Pos()
//	if p.Word(i) == WordOf(`"name":"`) {
//		if name, end := p.PlainAt(i + 8); end > 0 {
//			p.Seek(end)
//		}
//	}

// Begin begins to read a text, of which it keeps a copy. Keys, and what is found in Values, are
// valid until the next call of Begin or Parse.
func (p *Parser) Begin(text []byte) {
	p.own = append(append(p.own[:0], text...), make([]byte, Padding)...)
	p.begin(p.own)
}

// BeginIn is Begin of a text that is read where it is, and so must stay as it is until the next call of
// Begin or Parse. Behind it are Padding bytes of capacity that nobody else uses.
func (p *Parser) BeginIn(text []byte) {
	n := len(text)
	text = text[:n+Padding]
	clear(text[n:])
	p.begin(text)
}

func (p *Parser) begin(padded []byte) {
	p.b = padded
	p.end, p.pos, p.within, p.bad = len(padded)-Padding, 0, 0, false
	p.forget()
	p.arena = p.arena[:0]
	p.check.b, p.check.err = p.b, nil
}

// Take reads a character that is no part of a value, if it is the next one behind blanks.
func (p *Parser) Take(c byte) bool {
	i := p.space(p.pos)
	if p.b[i] != c || p.bad {
		return false
	}
	p.pos = i + 1
	switch c {
	case '{', '[':
		p.within++
	case '}', ']':
		p.within--
	}
	return true
}

// Field reads a key, the colon behind it and a value. The value is valid until the next one is read;
// the strings in it for longer.
func (p *Parser) Field() (key string, v *Value) {
	v = &p.field
	i := p.space(p.pos)
	if p.b[i] != '"' {
		return p.noField()
	}
	if key, i = p.text(i + 1); p.b[i] != ':' {
		if i = p.space(i); p.b[i] != ':' {
			return p.noField()
		}
	}
	if i = p.space(i + 1); p.b[i] == '"' {
		v.kind = TypeString
		v.text, p.pos = p.text(i + 1)
		v.plain = p.plain
		return key, v
	}
	p.forget()
	v, p.pos = p.value(i, p.within)
	if p.bad {
		return p.noField()
	}
	return key, v
}

func (p *Parser) noField() (string, *Value) {
	p.pos, p.field = p.fail(), Value{}
	return "", &p.field
}

// Ended reports whether the whole text has been read and is JSON.
func (p *Parser) Ended() bool { return !p.bad && p.space(p.pos) == p.end }

// Pos returns the position at which the reading goes on, and Seek sets it, to one that is behind what
// Word and PlainAt have found.
func (p *Parser) Pos() int { return p.pos }

// Seek sets the position at which the reading goes on.
func (p *Parser) Seek(i int) { p.pos = i }

// Text returns a view of the text between two positions.
func (p *Parser) Text(from, to int) string { return view(p.b[from:to]) }

// At returns the byte at a position, which is not behind the end of the text: there it is 0.
func (p *Parser) At(i int) byte { return p.b[i] }

// Word returns the 8 bytes at a position, which is not behind the end of the text: from there on they
// are 0.
func (p *Parser) Word(i int) uint64 { return binary.LittleEndian.Uint64(p.b[i:]) }

// WordOf returns the Word of a text that begins with up to 8 bytes.
func WordOf(s string) (word uint64) {
	for i := range len(s) {
		word |= uint64(s[i]) << (8 * i)
	}
	return word
}

// PlainAt returns the string of which the first quote is in front of a position, and the position
// behind it; 0 if it is not plain.
func (p *Parser) PlainAt(start int) (s string, end int) {
	b, last := unsafe.Pointer(unsafe.SliceData(p.b)), p.end
	ones, twos, belows, slashes, highs := masks.ones, masks.twos, masks.belows, masks.slashes, masks.highs
	for i := start; i <= last; i += 8 { // see text and notPlain
		w := binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(b, i))[:])
		m := (w | (w + ones) | ((w ^ twos) - belows) | ((w ^ slashes) - ones)) & highs
		if m == 0 {
			continue
		}
		i += bits.TrailingZeros64(m) / 8
		if *(*byte)(unsafe.Add(b, i)) != '"' {
			return "", 0
		}
		return unsafe.String((*byte)(unsafe.Add(b, start)), i-start), i + 1
	}
	return "", 0
}

// PlainField is Field of what is at a position, whose value is a plain string from another position on;
// the key is between them but for its quotes, the colon and the quote of the value, and plain. If the
// value is not, it returns nil and has read nothing.
func (p *Parser) PlainField(i, value int) (key string, v *Value) {
	s, end := p.PlainAt(value)
	if end == 0 {
		return "", nil
	}
	p.field, p.pos = Value{kind: TypeString, text: s, plain: true}, end
	return view(p.b[i+1 : value-3]), &p.field
}

// masks are the constants of notPlain. They are variables because the compiler keeps such in
// registers, where it would load a constant for each word anew.
var masks = struct{ ones, twos, belows, slashes, highs uint64 }{
	ones: 0x0101_0101_0101_0101, twos: 0x0202_0202_0202_0202, belows: 0x2121_2121_2121_2121,
	slashes: 0x5c5c_5c5c_5c5c_5c5c, highs: 0x8080_8080_8080_8080,
}
