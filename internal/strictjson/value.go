package strictjson

import (
	"errors"
	"strconv"
	"strings"
	"unsafe"

	"github.com/valyala/fastjson/fastfloat"
)

// Type is what a Value is.
type Type uint8

// The types. The zero value is that of null.
const (
	TypeNull Type = iota
	TypeObject
	TypeArray
	TypeString
	TypeNumber
	TypeTrue
	TypeFalse
)

// String returns the type's name in errors.
func (t Type) String() string {
	return [...]string{"null", "object", "array", "string", "number", "true", "false"}[t]
}

// ErrType is returned where a Value is not of the type that was asked for.
var ErrType = errors.New("the JSON value is of another type")

// Value is one that a Parser has read. Methods that take keys go down an object's keys, or an
// array's positions in decimal, and find nothing in a nil Value; those without want one that is not
// nil.
type Value struct {
	key  string // in the object that has it
	text string // of a string what it stands for, of all others as they were sent
	kids []*Value
	kind Type
	// plain is of what is no object and no array: see Plain.
	plain bool
}

// Object is a Value that is an object.
type Object Value

// Type returns the type.
func (v *Value) Type() Type { return v.kind }

// Object returns the object, or ErrType.
func (v *Value) Object() (*Object, error) {
	if v.kind != TypeObject {
		return nil, ErrType
	}
	return (*Object)(v), nil
}

// Array returns the values of an array, or ErrType.
func (v *Value) Array() ([]*Value, error) {
	if v.kind != TypeArray {
		return nil, ErrType
	}
	return v.kids, nil
}

// StringBytes returns a view of what a string stands for, or ErrType.
func (v *Value) StringBytes() ([]byte, error) {
	if v.kind != TypeString {
		return nil, ErrType
	}
	return bytesOf(v.text), nil
}

// Plain reports whether a string, number or the like, and its key in an object, was seen to be of
// ASCII without control characters, quotes and backslashes, as most are: what it stands for needs no
// further look. It may be false of one that is.
func (v *Value) Plain() bool { return v.plain }

// Float64 returns a number. It is an error if the Value is none, or too large.
func (v *Value) Float64() (float64, error) {
	if v.kind != TypeNumber {
		return 0, ErrType
	}
	return fastfloat.Parse(v.text)
}

// Int64 returns a whole number. It is an error if the Value is none, or too large.
func (v *Value) Int64() (int64, error) {
	if v.kind != TypeNumber {
		return 0, ErrType
	}
	return fastfloat.ParseInt64(v.text)
}

// Get returns what is found by keys, nil for nothing.
func (v *Value) Get(keys ...string) *Value {
	for _, key := range keys {
		switch {
		case v == nil:
			return nil
		case v.kind == TypeObject:
			v = (*Object)(v).Get(key)
		case v.kind == TypeArray:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(v.kids) {
				return nil
			}
			v = v.kids[n]
		default:
			return nil
		}
	}
	return v
}

// GetObject returns the object that is found by keys, nil for none.
func (v *Value) GetObject(keys ...string) *Object {
	if v = v.Get(keys...); v == nil || v.kind != TypeObject {
		return nil
	}
	return (*Object)(v)
}

// GetArray returns the values of the array that is found by keys, nil for none.
func (v *Value) GetArray(keys ...string) []*Value {
	if v = v.Get(keys...); v == nil || v.kind != TypeArray {
		return nil
	}
	return v.kids
}

// GetStringBytes returns a view of the string that is found by keys, nil for none.
func (v *Value) GetStringBytes(keys ...string) []byte {
	if v = v.Get(keys...); v == nil || v.kind != TypeString {
		return nil
	}
	return bytesOf(v.text)
}

// GetFloat64 returns the number that is found by keys, 0 for none.
func (v *Value) GetFloat64(keys ...string) float64 {
	if v = v.Get(keys...); v == nil || v.kind != TypeNumber {
		return 0
	}
	return fastfloat.ParseBestEffort(v.text)
}

// GetInt returns the whole number that is found by keys, 0 for none.
func (v *Value) GetInt(keys ...string) int {
	if v = v.Get(keys...); v == nil || v.kind != TypeNumber {
		return 0
	}
	return int(fastfloat.ParseInt64BestEffort(v.text))
}

// GetBool reports whether true is found by keys.
func (v *Value) GetBool(keys ...string) bool {
	v = v.Get(keys...)
	return v != nil && v.kind == TypeTrue
}

// Append appends the Value as it was sent, less the blanks between its parts. A string is quoted
// anew, as Go would if there is anything to escape.
func (v *Value) Append(dst []byte) []byte {
	switch {
	case v.kind == TypeString && strings.ContainsFunc(v.text, isEscaped):
		return strconv.AppendQuote(dst, v.text)
	case v.kind == TypeString:
		return append(append(append(dst, '"'), v.text...), '"')
	case v.kind != TypeObject && v.kind != TypeArray:
		return append(dst, v.text...)
	}
	quoted := false
	for i := 0; i < len(v.text); i++ {
		switch c := v.text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			dst = append(dst, c)
			i++
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		dst = append(dst, v.text[i])
	}
	return dst
}

// isEscaped reports whether a character has to be escaped in a string.
func isEscaped(r rune) bool { return r < 0x20 || r == '"' || r == '\\' }

// Len returns how many keys the object has.
func (o *Object) Len() int { return len(o.kids) }

// Get returns the value of a key, nil for none.
func (o *Object) Get(key string) *Value {
	for _, v := range o.kids {
		if v.key == key {
			return v
		}
	}
	return nil
}

// Visit calls f for each key and its value, in the order in which they were sent. A nil Object has
// none. The key is a view.
func (o *Object) Visit(f func(key []byte, v *Value)) {
	if o == nil {
		return
	}
	for _, v := range o.kids {
		f(bytesOf(v.key), v)
	}
}

// bytesOf returns the bytes of s, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
