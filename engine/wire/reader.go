package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// Reader reads the fields of a record.
type Reader struct {
	B   []byte // what is left
	Err error  // the first fault
	Of  error  // what Err wraps
}

// Fail notes a fault, unless there was one.
func (r *Reader) Fail(what string) {
	if r.Err == nil {
		r.Err = fmt.Errorf("%w: %s", r.Of, what)
	}
	r.B = nil
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if len(r.B) == 0 {
		r.Fail("byte missing")
		return 0
	}
	v := r.B[0]
	r.B = r.B[1:]
	return v
}

// Uvarint reads an unsigned number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.B)
	if n <= 0 {
		r.Fail("number cut short")
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Varint reads a signed number.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.B)
	if n <= 0 {
		r.Fail("number cut short")
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Uvarint32 reads an unsigned number of 32 bits.
func (r *Reader) Uvarint32() uint32 {
	v := r.Uvarint()
	if v > math.MaxUint32 {
		r.Fail("number too large")
		return 0
	}
	return uint32(v)
}

// Uint32 reads four bytes.
func (r *Reader) Uint32() uint32 {
	if len(r.B) < 4 {
		r.Fail("number cut short")
		return 0
	}
	v := binary.LittleEndian.Uint32(r.B)
	r.B = r.B[4:]
	return v
}

// Uint64 reads eight bytes.
func (r *Reader) Uint64() uint64 {
	if len(r.B) < 8 {
		r.Fail("number cut short")
		return 0
	}
	v := binary.LittleEndian.Uint64(r.B)
	r.B = r.B[8:]
	return v
}

// Count reads the length of a list whose elements take so many bytes each at least: a list that could not be there is a
// fault, so that nobody makes room for it.
func (r *Reader) Count(least int) int {
	n := r.Uvarint()
	if n > uint64(len(r.B)/least) {
		r.Fail("list cut short")
		return 0
	}
	return int(n)
}

// Bytes reads a length and that many bytes.
func (r *Reader) Bytes() []byte { return r.Take(r.Uvarint()) }

// Text reads a length and that many bytes.
func (r *Reader) Text() string { return view(r.Bytes()) }

// Take reads n bytes.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.B)) {
		r.Fail("string cut short")
		return nil
	}
	v := r.B[:n:n]
	r.B = r.B[n:]
	return v
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
