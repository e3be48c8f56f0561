package sketch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ErrMalformed is wrapped by every error of this package: the bytes are no encoding of a sketch in this
// version. The text around it says where and why.
var ErrMalformed = errors.New("malformed sketch")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// UnmarshalBinary makes s the sketch that b encodes; no bytes are the empty sketch. It keeps no reference to b. An
// error wraps ErrMalformed and leaves s as it was.
func (s *Sketch) UnmarshalBinary(b []byte) error {
	v, err := parse(b)
	if err != nil {
		return err
	}
	s.Reset()
	s.mergeView(v)
	return nil
}

// MergeBinary makes s the union of s and the sketch that b encodes, without building that. It keeps no reference
// to b, and allocates only if s grows. An error wraps ErrMalformed and leaves s as it was.
func (s *Sketch) MergeBinary(b []byte) error {
	v, err := parse(b)
	if err != nil {
		return err
	}
	s.mergeView(v)
	return nil
}

// view is an encoding that was found to be right, cut into its parts.
type view struct {
	count   int    // sparse: entries
	dense   bool   //
	base    uint8  // dense: the smallest register
	body    []byte // sparse: gaps and what follows them; dense: 8,192 bytes of two registers
	special []byte // sparse: ranks; dense: exceptions
}

// parse accepts exactly the encodings that AppendBinary makes of some set of hashes.
func parse(b []byte) (view, error) {
	if len(b) == 0 {
		return view{}, nil
	}
	if len(b) < headerLen {
		return view{}, malformed("header has %d byte of %d", len(b), headerLen)
	}
	if v := b[0] >> 4; v != version {
		return view{}, malformed("version %d, want %d", v, version)
	}
	switch n := int(binary.BigEndian.Uint16(b)) & denseCount; {
	case n == denseCount:
		return parseDense(b)
	case n == 0:
		return view{}, malformed("sparse with 0 entries, want no bytes at all")
	case n > maxSparse:
		return view{}, malformed("sparse with %d entries, at most %d", n, maxSparse)
	default:
		return parseSparse(n, b[headerLen:])
	}
}

func parseSparse(count int, body []byte) (view, error) {
	r := newGapReader(count, body)
	longs := 0
	for i := range count {
		e, fault := r.next()
		if fault != "" {
			return view{}, malformed("sparse entry %d of %d %s", i+1, count, fault)
		}
		if e&tailMask == 0 {
			longs++
		}
	}
	end := (r.pos + 7) / 8
	if pad := r.pos % 8; pad != 0 && body[end-1]<<pad != 0 {
		return view{}, malformed("sparse has bits set after its last entry")
	}
	ranks := body[end:]
	if len(ranks) < longs {
		return view{}, malformed("sparse has %d of %d ranks", len(ranks), longs)
	}
	if len(ranks) > longs {
		return view{}, malformed("sparse has %d trailing bytes", len(ranks)-longs)
	}
	for i, rank := range ranks {
		if rank <= tailBits || rank > maxRank {
			return view{}, malformed("sparse rank %d is %d, want %d to %d", i+1, rank, tailBits+1, maxRank)
		}
	}
	return view{count: count, body: body, special: ranks}, nil
}

// parseDense checks what a sum over all words can tell, then each exception. That the registers can come
// of more than maxSparse entries needs only one that is not zero: 131,072 entries share register and rank 1,
// or more of them another rank.
func parseDense(b []byte) (view, error) {
	if len(b) < denseLen {
		return view{}, malformed("dense has %d bytes, at least %d", len(b), denseLen)
	}
	base, body, special := b[2], b[denseLen-half:denseLen], b[denseLen:]
	count := int(binary.BigEndian.Uint16(b[3:]))
	if len(special) < count*exceptLen {
		return view{}, malformed("dense has %d bytes of %d exceptions", len(special), count)
	}
	if len(special) > count*exceptLen {
		return view{}, malformed("dense has %d trailing bytes", len(special)-count*exceptLen)
	}
	marked, zeros := scanNibbles(body)
	most := exceptional - 1
	if int(base)+most > maxRank {
		most = greatestNibble(body)
	}
	switch {
	case base > maxRank:
		return view{}, malformed("dense base is %d, at most %d", base, maxRank)
	case zeros == 0:
		return view{}, malformed("dense base %d is not the smallest register", base)
	case base == 0 && zeros == registers:
		return view{}, malformed("dense with no register set, want no bytes at all")
	case marked != count:
		return view{}, malformed("dense has %d exceptions for %d registers that want one", count, marked)
	case int(base)+most > maxRank:
		return view{}, malformed("dense has register %d, at most %d", int(base)+most, maxRank)
	}
	last := -1
	for i := range count {
		x := special[i*exceptLen:]
		reg, r := int(binary.BigEndian.Uint16(x)), x[2]
		switch {
		case reg <= last:
			return view{}, malformed("dense exception %d for register %d comes after %d", i+1, reg, last)
		case reg >= registers:
			return view{}, malformed("dense exception %d for register %d of %d", i+1, reg, registers)
		case body[reg%half]>>(reg/half*4)&15 != exceptional:
			return view{}, malformed("dense exception %d for register %d, which wants none", i+1, reg)
		case r < base+exceptional || r > maxRank:
			return view{}, malformed("dense exception %d is %d, want %d to %d", i+1, r, base+exceptional, maxRank)
		}
		last = reg
	}
	return view{dense: true, base: base, body: body, special: special}, nil
}

// scanNibbles counts the nibbles that are 15 and those that are 0.
func scanNibbles(body []byte) (marked, zeros int) {
	const low = 0x1111111111111111
	for i := 0; i+8 <= len(body); i += 8 {
		w := binary.LittleEndian.Uint64(body[i:])
		all := w & (w >> 1)
		all &= all >> 2
		marked += bits.OnesCount64(all & low)
		some := w | w>>1
		some |= some >> 2
		zeros += bits.OnesCount64(^some & low)
	}
	return marked, zeros
}

// greatestNibble is the greatest that is not 15. Only a base above 37, which takes 10^15 visitors, makes it matter.
func greatestNibble(body []byte) int {
	most := 0
	for _, x := range body {
		for _, n := range [2]int{int(x & 15), int(x >> 4)} {
			if n != exceptional {
				most = max(most, n)
			}
		}
	}
	return most
}

// mergeView makes s the union of s and what v describes.
func (s *Sketch) mergeView(v view) {
	if v.dense {
		s.densify()
		s.raiseView(v)
		return
	}
	if s.Empty() && v.count > 0 {
		s.reserve(v.count)
	}
	ranks := v.special
	r := newGapReader(v.count, v.body)
	for range v.count {
		e, _ := r.next()
		if e&tailMask != 0 {
			s.addEntry(e)
		} else {
			s.addLong(e, ranks[0])
			ranks = ranks[1:]
		}
	}
}

// raiseView raises the registers to those of a dense encoding. One that is marked as an exception is at
// least base + 15, so it can be raised to that first and to its value later.
func (s *Sketch) raiseView(v view) {
	bases := uint64(v.base) * ones
	for i := 0; i < half; i += 8 {
		w := binary.LittleEndian.Uint64(v.body[i:])
		raise8(s.regs[i:i+8], w&lows4+bases)
		raise8(s.regs[half+i:half+i+8], w>>4&lows4+bases)
	}
	for x := v.special; len(x) > 0; x = x[exceptLen:] {
		s.raise(uint32(binary.BigEndian.Uint16(x)), x[2])
	}
}

// gapReader reads back what gapWriter wrote.
type gapReader struct {
	b    []byte
	pos  int // in bits
	k    uint
	from uint64 // the least that can come
}

func newGapReader(count int, b []byte) gapReader {
	return gapReader{b: b, k: gapBits(count)}
}

// next gives the next entry, or says what is wrong with it.
func (r *gapReader) next() (e uint32, fault string) {
	var gap uint64
	if r.k == 32 {
		at := r.pos >> 3
		if at+4 > len(r.b) {
			return 0, cutShort
		}
		gap = uint64(binary.BigEndian.Uint32(r.b[at:]))
		r.pos += 32
	} else {
		w := r.window()
		q := uint(bits.LeadingZeros64(w))
		if q+1+r.k > 57 { // all that a window has for sure
			q = r.zeros()
			w = r.window()
		} else {
			w <<= q
			r.pos += int(q)
		}
		gap = uint64(q)<<r.k | w<<1>>(64-r.k)
		r.pos += 1 + int(r.k)
		if r.pos > len(r.b)*8 {
			return 0, cutShort
		}
	}
	v := r.from + gap
	if v > math.MaxUint32 {
		return 0, "exceeds 32 bits"
	}
	r.from = v + 1
	return uint32(v), ""
}

const cutShort = "is cut short"

// window gives the bits from pos on, 57 at least, and zeros after the end.
func (r *gapReader) window() uint64 {
	at := r.pos >> 3
	if at+8 <= len(r.b) {
		return binary.BigEndian.Uint64(r.b[at:]) << (r.pos & 7)
	}
	var w uint64
	if at < len(r.b) {
		for i, x := range r.b[at:] {
			w |= uint64(x) << (56 - 8*i)
		}
	}
	return w << (r.pos & 7)
}

// zeros steps over a run of zero bits too long for a window, to the one that ends it or the end of the bytes. No
// gap has more of them than 2^(32-k).
func (r *gapReader) zeros() uint {
	var q uint
	for q <= 1<<(32-r.k) {
		n := min(uint(bits.LeadingZeros64(r.window())), 57)
		q += n
		r.pos += int(n)
		if n < 57 {
			break
		}
	}
	return q
}
