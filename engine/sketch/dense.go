package sketch

import "encoding/binary"

// Eight registers at a time: a register is below 128, so bytes of one word can be compared without a carry
// from one to the next.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
	lows4 = 0x0f * ones
)

// raise sets register i to r if it is lower.
//
// REQUIRES: dense, i < registers.
func (s *Sketch) raise(i uint32, r uint8) {
	if p := &s.regs[i&(registers-1)]; *p < r {
		*p = r
	}
}

// densify makes a sparse sketch dense; a dense one stays as it is. The table is given up: a sketch that is dense
// once stays so until it is reset, and 16 KB are enough.
func (s *Sketch) densify() {
	if s.dense {
		return
	}
	if s.regs == nil {
		s.regs = new([registers]uint8)
	} else {
		clear(s.regs[:])
	}
	for _, e := range s.slots() {
		if e != 0 {
			s.raise(e>>tailBits, entryRank(e))
		}
	}
	for _, l := range s.longs() {
		s.raise(uint32(l>>8)>>tailBits, uint8(l))
	}
	*s = Sketch{regs: s.regs, dense: true}
}

// maxRegisters raises each register of a to that of b.
func maxRegisters(a, b *[registers]uint8) {
	for i := 0; i < registers; i += 8 {
		raise8(a[i:i+8], binary.LittleEndian.Uint64(b[i:i+8]))
	}
}

// raise8 raises eight registers.
func raise8(regs []uint8, w uint64) {
	old := binary.LittleEndian.Uint64(regs)
	binary.LittleEndian.PutUint64(regs, old^((old^w)&below(old, w)))
}

// below has the low seven bits of a byte set where a's byte is below or equal to b's.
//
// REQUIRES: all bytes are below 128.
func below(a, b uint64) uint64 {
	h := (b | highs) - a&^highs
	h &= highs
	return h - h>>7
}

// minRegister is the lowest register.
func minRegister(regs *[registers]uint8) uint8 {
	least := uint64(maxRank * ones)
	for i := 0; i < registers; i += 8 {
		w := binary.LittleEndian.Uint64(regs[i : i+8])
		least ^= (least ^ w) & below(w, least)
	}
	r := uint8(maxRank)
	for range 8 {
		r = min(r, uint8(least))
		least >>= 8
	}
	return r
}
