package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

var errTest = errors.New("test")

func TestFields(t *testing.T) {
	b := []byte{7}
	b = binary.AppendUvarint(b, math.MaxUint64)
	b = binary.AppendVarint(b, math.MinInt64)
	b = binary.AppendUvarint(b, math.MaxUint32)
	b = binary.LittleEndian.AppendUint32(b, 0x01020304)
	b = binary.LittleEndian.AppendUint64(b, 0x0102030405060708)
	b = append(b, 3, 'a', 'b', 'c', 0, 2, 'x', 'y')
	r := Reader{B: b, Of: errTest}
	if v := r.Byte(); v != 7 {
		t.Errorf("byte %d", v)
	}
	if v := r.Uvarint(); v != math.MaxUint64 {
		t.Errorf("uvarint %d", v)
	}
	if v := r.Varint(); v != math.MinInt64 {
		t.Errorf("varint %d", v)
	}
	if v := r.Uvarint32(); v != math.MaxUint32 {
		t.Errorf("uvarint of 32 bits %d", v)
	}
	if v := r.Uint32(); v != 0x01020304 {
		t.Errorf("uint32 %x", v)
	}
	if v := r.Uint64(); v != 0x0102030405060708 {
		t.Errorf("uint64 %x", v)
	}
	if v := r.Bytes(); !bytes.Equal(v, []byte("abc")) || cap(v) != 3 {
		t.Errorf("bytes %q with room for %d", v, cap(v))
	}
	if v := r.Text(); v != "" {
		t.Errorf("string %q", v)
	}
	if n := r.Count(1); n != 2 {
		t.Errorf("count %d", n)
	}
	if v := r.Take(2); string(v) != "xy" || len(r.B) > 0 || r.Err != nil {
		t.Errorf("take %q, left %q, error %v", v, r.B, r.Err)
	}
}

// Each field that is not there is a fault, after which nothing else is read.
func TestFaults(t *testing.T) {
	f := func(b []byte, what string, read func(*Reader) bool) {
		t.Helper()
		r := Reader{B: b, Of: errTest}
		if !read(&r) || r.Err == nil || !errors.Is(r.Err, errTest) || r.Err.Error() != "test: "+what {
			t.Errorf("%x: error %v, want %q and a zero", b, r.Err, what)
		}
		first := r.Err
		if r.Fail("another"); r.Byte() != 0 || r.Uvarint() != 0 || r.Varint() != 0 || r.Uint32() != 0 || r.Uint64() != 0 || r.Count(1) != 0 ||
			r.Bytes() != nil || r.Text() != "" || r.Err != first {
			t.Errorf("%x: something is read after %v, now %v", b, first, r.Err)
		}
	}
	f(nil, "byte missing", func(r *Reader) bool { return r.Byte() == 0 })
	f([]byte{0x80}, "number cut short", func(r *Reader) bool { return r.Uvarint() == 0 })
	f([]byte{0x80}, "number cut short", func(r *Reader) bool { return r.Varint() == 0 })
	f(binary.AppendUvarint(nil, math.MaxUint32+1), "number too large", func(r *Reader) bool { return r.Uvarint32() == 0 })
	f([]byte{1, 2, 3}, "number cut short", func(r *Reader) bool { return r.Uint32() == 0 })
	f([]byte{1, 2, 3, 4, 5, 6, 7}, "number cut short", func(r *Reader) bool { return r.Uint64() == 0 })
	f([]byte{3, 1, 2}, "list cut short", func(r *Reader) bool { return r.Count(1) == 0 })
	f([]byte{2, 1, 2, 3}, "list cut short", func(r *Reader) bool { return r.Count(2) == 0 })
	f([]byte{3, 1, 2}, "string cut short", func(r *Reader) bool { return r.Bytes() == nil })
	f([]byte{3, 1, 2}, "string cut short", func(r *Reader) bool { return r.Text() == "" })
}
