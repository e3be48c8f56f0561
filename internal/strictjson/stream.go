package strictjson

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

// Begin begins to read a text, of which it keeps a copy. Keys, and what is found in Values, are
// valid until the next call of Begin or Parse.
func (p *Parser) Begin(text []byte) {
	p.b = append(append(p.b[:0], text...), make([]byte, padding)...)
	p.end, p.pos, p.within, p.bad = len(text), 0, 0, false
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
