package window

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

// reader reads the fields of a chunk until one is malformed; from then on it returns zeros. Strings are views.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrChunk, what)
	}
	r.b = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads the length of a list; each element takes a byte at least.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("list cut short")
		return 0
	}
	return n
}

// string reads a length and that many bytes.
func (r *reader) string() string { return r.view(r.uvarint()) }

// view reads n bytes.
func (r *reader) view(n uint64) string {
	if n > uint64(len(r.b)) {
		r.fail("string cut short")
		return ""
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return unsafe.String(unsafe.SliceData(v), len(v))
}
