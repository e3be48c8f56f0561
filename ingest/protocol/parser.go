package protocol

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unsafe"

	"millrace/engine/event"
	"millrace/internal/strictjson"
)

// Parser reads the fields of events, and has the memory that the events are in, which it reuses. So
// it belongs to one goroutine at a time. The zero value is ready.
//
// What is wrong with a field is noted by Fail, and the first such note is the error of the whole
// (Err); or the field is cut or left out, and noted as adjusted (see the methods with Loose).
type Parser struct {
	json   strictjson.Parser
	loose  bool // what json refuses was read after all
	strict strictjson.Checker
	sub    [2]strictjson.Parser // of JSON within strings
	inputs []Input
	props  []event.Prop
	arena  []byte

	err       *FieldError
	seen      Fields // of the event at hand
	firstProp int    // of the event at hand, in props
	plain     bool   // of the event at hand: all texts are, so far (Input.Plain)
	adjusted  Fields // of all events
}

// Reset forgets all events and errors.
func (p *Parser) Reset() {
	p.inputs, p.props, p.arena = p.inputs[:0], p.props[:0], p.arena[:0]
	p.err, p.seen, p.firstProp, p.adjusted, p.plain = nil, 0, 0, 0, true
}

// Next begins an event: it adds an empty one and returns it, valid until the next one is added, and
// forgets which fields were seen.
func (p *Parser) Next() *Input {
	if n := len(p.inputs); n < cap(p.inputs) {
		p.inputs = p.inputs[:n+1]
		p.inputs[n] = Input{}
	} else {
		p.inputs = append(p.inputs, Input{})
	}
	p.err, p.seen, p.firstProp, p.plain = nil, 0, len(p.props), true
	return &p.inputs[len(p.inputs)-1]
}

// Add adds an event.
func (p *Parser) Add(in Input) { p.inputs = append(p.inputs, in) }

// Undo takes back the event that Next added last.
func (p *Parser) Undo() {
	p.inputs, p.props = p.inputs[:len(p.inputs)-1], p.props[:p.firstProp]
}

// Inputs returns the events that were added, valid until Reset.
func (p *Parser) Inputs() []Input { return p.inputs }

// Adjusted returns the fields that were cut or left out.
func (p *Parser) Adjusted() Fields { return p.adjusted }

// JSON reads a text as JSON. It takes some that is none (see Strict). The value is valid until the
// next call.
func (p *Parser) JSON(text []byte) (*strictjson.Value, error) {
	v, ok := p.json.Parse(text)
	if p.loose = !ok; ok {
		return v, nil
	}
	v, err := strictjson.ParseLenient(text)
	if err != nil {
		return nil, SyntaxError(err)
	}
	return v, nil
}

// Begin begins to read a text as JSON in parts (strictjson.Parser.Begin). What is read lasts as long
// as the events.
func (p *Parser) Begin(text []byte) *strictjson.Parser {
	p.loose = false
	p.json.Begin(text)
	return &p.json
}

// BeginIn is Begin of a text that is read where it is (strictjson.Parser.BeginIn).
func (p *Parser) BeginIn(text []byte) *strictjson.Parser {
	p.loose = false
	p.json.BeginIn(text)
	return &p.json
}

// Plain reports whether all texts of the event were plain that String, LooseString, LooseNameOf, Props
// and LooseProps have read since Next or Reset (Input.Plain).
func (p *Parser) Plain() bool { return p.plain }

// NotPlain notes that the event has a text that is not plain, or may not be.
func (p *Parser) NotPlain() { p.plain = false }

// Strict returns an error if the text that JSON has read last is none, or has a key twice in an
// object.
func (p *Parser) Strict(text []byte) error {
	if !p.loose {
		return nil
	}
	if err := p.strict.Check(text); err != nil {
		return SyntaxError(err)
	}
	return nil
}

// Document reads a body that is JSON, strictly. The value is valid until the next call of JSON.
func (p *Parser) Document(body []byte) (*strictjson.Value, *FieldError) {
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return nil, BadField("body", "is empty")
	}
	v, err := p.JSON(body)
	if err == nil {
		err = p.Strict(body)
	}
	if err != nil {
		return nil, &FieldError{Path: "body", Msg: err.Error()}
	}
	return v, nil
}

// AddEach calls add for each value of a batch. What is wrong with one of them is its own matter: it
// adjusts FieldName, or is one of unknown, if the error's path is that of the site. First is the
// first error, for a batch of which nothing is left.
func (p *Parser) AddEach(batch []*strictjson.Value, site string, add func(*strictjson.Value) *FieldError) (unknown int, first *FieldError) {
	for _, v := range batch {
		err := add(v)
		if err == nil {
			continue
		}
		if first == nil {
			first = err
		}
		if err.Path == site {
			unknown++
		} else {
			p.Adjust(FieldName)
		}
	}
	return unknown, first
}

// Nested returns v, or what a string v holds as JSON; nil for nothing, and for what is none, which
// adjusts a field. An event can have two such, 0 and 1.
func (p *Parser) Nested(v *strictjson.Value, n int, field Fields) *strictjson.Value {
	if v.Type() != strictjson.TypeString {
		return v
	}
	b, _ := v.StringBytes()
	return p.NestedText(b, n, field)
}

// NestedText is Nested of a text. What it returns is valid until the next call with the same n.
func (p *Parser) NestedText(text []byte, n int, field Fields) *strictjson.Value {
	if len(text) == 0 {
		return nil
	}
	v, ok := p.sub[n].Parse(text)
	if !ok {
		p.Adjust(field)
		return nil
	}
	return v
}

// Err returns the first error since Next, nil for none.
func (p *Parser) Err() *FieldError { return p.err }

// Fail notes an error, unless there is one.
func (p *Parser) Fail(path, format string, args ...any) {
	if p.err == nil {
		p.err = BadField(path, format, args...)
	}
}

// Check fails with msg unless it is "".
func (p *Parser) Check(path, msg string) {
	if msg != "" {
		p.Fail(path, "%s", msg)
	}
}

// Once reports whether a field of the event comes for the first time, and fails otherwise: JSON
// leaves open which of two equal keys counts; Millrace does not.
func (p *Parser) Once(path string, field Fields) bool {
	if p.seen&field != 0 {
		p.Fail(path, "is given twice")
		return false
	}
	p.seen |= field
	return true
}

// String returns a view of a string value, checked; null is "".
func (p *Parser) String(v *strictjson.Value, path string, field Fields, most int) string {
	if !p.Once(path, field) || v.Type() == strictjson.TypeNull {
		return ""
	}
	b, err := v.StringBytes()
	if err != nil {
		p.Fail(path, "a JSON %s, want a string", v.Type())
		return ""
	}
	s := View(b)
	if !v.Plain() || len(s) > most {
		p.plain = false
		p.Check(path, CheckText(s, most))
	}
	return s
}

// Fits notes a text of the event, if it is at most so many bytes long and comes for the first time,
// and reports whether it did.
func (p *Parser) Fits(s string, most int, field Fields) bool {
	if p.seen&field != 0 || len(s) > most {
		return false
	}
	p.seen |= field
	return true
}

// Own copies the strings of in out of the JSON that was read, so that they outlive the next call of
// JSON.
func (p *Parser) Own(in *Input) {
	for _, s := range [...]*string{&in.ID, &in.Site, &in.Name, &in.URL, &in.Referrer, &in.UA, &in.Language,
		&in.Screen, &in.Currency, &in.Named, &in.ClientID} {
		*s = p.Keep(*s)
	}
	for i := range in.Props {
		in.Props[i].Key, in.Props[i].Value = p.Keep(in.Props[i].Key), p.Keep(in.Props[i].Value)
	}
	in.PropsText = p.Keep(in.PropsText)
}

// Keep copies s into memory that lives until Reset. Strings handed out before that memory moves
// keep the old one.
func (p *Parser) Keep(s string) string {
	start := len(p.arena)
	p.arena = append(p.arena, s...)
	return View(p.arena[start:])
}

// Base64 returns what a text in base64 stands for, in either alphabet, with or without "=" at its
// end. A blank is a "+" that was read as a part of a form. It is in memory that lives until Reset.
func (p *Parser) Base64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.IndexByte(s, ' ') >= 0 {
		s = strings.ReplaceAll(s, " ", "+")
	}
	alphabet := base64.RawStdEncoding
	if strings.IndexByte(s, '-') >= 0 || strings.IndexByte(s, '_') >= 0 {
		alphabet = base64.RawURLEncoding
	}
	start := len(p.arena)
	arena, err := alphabet.AppendDecode(p.arena, unsafe.Slice(unsafe.StringData(s), len(s)))
	if err != nil {
		return nil, err
	}
	p.arena = arena
	return arena[start:], nil
}

// Number returns the text of a number as it was sent.
func (p *Parser) Number(v *strictjson.Value) string {
	start := len(p.arena)
	p.arena = v.Append(p.arena)
	return View(p.arena[start:])
}

// View returns a string that is b, not a copy of it.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// SyntaxError returns the error for a text that is not JSON.
func SyntaxError(err error) *FieldError { return BadField("", "not JSON: %s", clipN(err.Error(), 160)) }
