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
func (s *Sketch) UnmarshalBinary(b []byte) error { return s.decode(b, true) }

// MergeBinary makes s the union of s and the sketch that b encodes, without building that. It keeps no reference
// to b, and allocates only if s grows. An error wraps ErrMalformed and leaves s as it was.
func (s *Sketch) MergeBinary(b []byte) error { return s.decode(b, false) }

// few is up to how many entries are decoded into a small buffer, which costs less to clear.
const few = 16

// decode adds what b encodes to s, or puts it in the place of what s has. It accepts exactly the encodings
// that AppendBinary makes of some set of hashes, and does not touch s before it has accepted all of b.
func (s *Sketch) decode(b []byte, replace bool) error {
	if len(b) == 0 {
		if replace {
			s.Reset()
		}
		return nil
	}
	if len(b) < headerLen {
		return malformed("header has %d byte of %d", len(b), headerLen)
	}
	if v := b[0] >> 4; v != version {
		return malformed("version %d, want %d", v, version)
	}
	switch n := int(binary.BigEndian.Uint16(b)) & denseCount; {
	case n == denseCount:
		return s.decodeDense(b, replace)
	case n == 0:
		return malformed("sparse with 0 entries, want no bytes at all")
	case n <= few:
		var buf [few]uint32
		return s.decodeSparse(buf[:n], b[headerLen:], replace)
	case n <= maxSparse:
		return s.decodeMany(n, b[headerLen:], replace)
	default:
		return malformed("sparse with %d entries, at most %d", n, maxSparse)
	}
}

// decodeMany is a function of its own so that only sketches of many pay for its 6 KB on the stack.
//
//go:noinline
func (s *Sketch) decodeMany(n int, body []byte, replace bool) error {
	var buf [maxSparse]uint32
	return s.decodeSparse(buf[:n], body, replace)
}

// decodeSparse decodes as many entries as there is room for in buf.
func (s *Sketch) decodeSparse(buf []uint32, body []byte, replace bool) error {
	ranks, err := parseSparse(buf, body)
	if err != nil {
		return err
	}
	if replace {
		s.Reset()
	}
	empty := s.Empty()
	if empty {
		s.fill(buf)
	}
	for _, e := range buf {
		if e&tailMask == 0 {
			s.addLong(e, ranks[0])
			ranks = ranks[1:]
		} else if !empty {
			s.addEntry(e)
		}
	}
	return nil
}

// parseSparse decodes all entries and gives the ranks of those that do not tell theirs.
func parseSparse(entries []uint32, body []byte) (ranks []byte, err error) {
	count := len(entries)
	lows, highs := sparseLen(count)
	if len(body) < lows+highs {
		return nil, malformed("sparse has %d of %d bytes for %d entries", len(body), lows+highs, count)
	}
	low, high, ranks := body[:lows], body[lows:lows+highs], body[lows+highs:]
	n := count
	if highs == 0 {
		n = readWhole(entries, low)
	} else {
		k := lowBits(count)
		if used := count * int(k) % 8; used != 0 && low[lows-1]>>used != 0 {
			return nil, malformed("sparse has bits set after the last low part")
		}
		if set := countOnes(high); set != count {
			return nil, malformed("sparse has %d high parts for %d entries", set, count)
		}
		n = readParts(entries, low, high, k)
	}
	if n < count {
		return nil, malformed("sparse entry %d of %d is not above the one before, or exceeds 32 bits", n+1, count)
	}
	longs := 0
	for _, e := range entries {
		if e&tailMask == 0 {
			longs++
		}
	}
	if len(ranks) < longs {
		return nil, malformed("sparse has %d of %d ranks", len(ranks), longs)
	}
	if len(ranks) > longs {
		return nil, malformed("sparse has %d trailing bytes", len(ranks)-longs)
	}
	for i, rank := range ranks {
		if rank <= tailBits || rank > maxRank {
			return nil, malformed("sparse rank %d is %d, want %d to %d", i+1, rank, tailBits+1, maxRank)
		}
	}
	return ranks, nil
}

// readWhole decodes entries of four bytes until one does not ascend, and gives the number of good ones.
func readWhole(entries []uint32, low []byte) int {
	var from uint64
	for i := range entries {
		v := binary.LittleEndian.Uint32(low[i*4:])
		if uint64(v) < from {
			return i
		}
		entries[i] = v
		from = uint64(v) + 1
	}
	return len(entries)
}

// readParts decodes entries of two parts until one is wrong, and gives the number of good ones.
//
// REQUIRES: high has as many bits set as there are entries, k < 32.
func readParts(entries []uint32, low, high []byte, k uint) int {
	var from, word uint64
	at := -64 // where in high the word is from
	for i := range entries {
		for word == 0 {
			at += 64
			word = wordAt(high, at>>3)
		}
		h := at + bits.TrailingZeros64(word) - i
		word &= word - 1
		bit := i * int(k)
		v := uint64(h)<<(k&31) | wordAt(low, bit>>3)>>(bit&7)&(1<<(k&31)-1)
		if v < from || v > math.MaxUint32 {
			return i
		}
		entries[i] = uint32(v)
		from = v + 1
	}
	return len(entries)
}

// wordAt gives the eight bytes of b at i, zeros for those after its end.
func wordAt(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	return lastWord(b, i)
}

func lastWord(b []byte, i int) uint64 {
	var w uint64
	for j := len(b) - 1; j >= i; j-- {
		w = w<<8 | uint64(b[j])
	}
	return w
}

func countOnes(b []byte) int {
	n := 0
	for i := 0; i < len(b); i += 8 {
		n += bits.OnesCount64(wordAt(b, i))
	}
	return n
}

// decodeDense checks what a sum over all words can tell, then each exception. That the registers can come
// of more than maxSparse entries needs only one that is not zero: 131,072 entries share register and rank 1,
// or more of them another rank.
func (s *Sketch) decodeDense(b []byte, replace bool) error {
	if len(b) < denseLen {
		return malformed("dense has %d bytes, at least %d", len(b), denseLen)
	}
	base, body, special := b[2], b[denseLen-half:denseLen], b[denseLen:]
	count := int(binary.BigEndian.Uint16(b[3:]))
	if len(special) < count*exceptLen {
		return malformed("dense has %d bytes of %d exceptions", len(special), count)
	}
	if len(special) > count*exceptLen {
		return malformed("dense has %d trailing bytes", len(special)-count*exceptLen)
	}
	marked, zeros := scanNibbles(body)
	most := exceptional - 1
	if int(base)+most > maxRank {
		most = greatestNibble(body)
	}
	switch {
	case base > maxRank:
		return malformed("dense base is %d, at most %d", base, maxRank)
	case zeros == 0:
		return malformed("dense base %d is not the smallest register", base)
	case base == 0 && zeros == registers:
		return malformed("dense with no register set, want no bytes at all")
	case marked != count:
		return malformed("dense has %d exceptions for %d registers that want one", count, marked)
	case int(base)+most > maxRank:
		return malformed("dense has register %d, at most %d", int(base)+most, maxRank)
	}
	last := -1
	for i := range count {
		x := special[i*exceptLen:]
		reg, r := int(binary.BigEndian.Uint16(x)), x[2]
		switch {
		case reg <= last:
			return malformed("dense exception %d for register %d comes after %d", i+1, reg, last)
		case reg >= registers:
			return malformed("dense exception %d for register %d of %d", i+1, reg, registers)
		case body[reg%half]>>(reg/half*4)&15 != exceptional:
			return malformed("dense exception %d for register %d, which wants none", i+1, reg)
		case r < base+exceptional || r > maxRank:
			return malformed("dense exception %d is %d, want %d to %d", i+1, r, base+exceptional, maxRank)
		}
		last = reg
	}
	if replace {
		s.Reset()
	}
	s.densify()
	s.raiseDense(base, body, special)
	return nil
}

// raiseDense raises the registers to those of a dense encoding. One that is marked as an exception is at
// least base + 15, so it can be raised to that first and to its value later.
func (s *Sketch) raiseDense(base uint8, body, exceptions []byte) {
	bases := uint64(base) * ones
	for i := 0; i < half; i += 8 {
		w := binary.LittleEndian.Uint64(body[i:])
		raise8(s.regs[i:i+8], w&lows4+bases)
		raise8(s.regs[half+i:half+i+8], w>>4&lows4+bases)
	}
	for x := exceptions; len(x) > 0; x = x[exceptLen:] {
		s.raise(uint32(binary.BigEndian.Uint16(x)), x[2])
	}
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
