package sketch

import (
	"encoding/binary"
	"math/bits"
)

// The encoding is described in the package comment.
const (
	version     = 1
	headerLen   = 2
	denseCount  = 1<<12 - 1                // in place of the number of entries
	half        = registers / 2            // registers in the low halves of the bytes
	denseLen    = headerLen + 1 + 2 + half // without the exceptions
	exceptional = 15                       // first difference to the base that does not fit
	exceptLen   = 3                        // bytes of an exception
	wholeGaps   = 8                        // up to so many entries gaps are not Rice-coded
)

// AppendBinary appends the canonical encoding of s to dst. The empty sketch appends nothing. It allocates nothing if
// dst has room: 6 bytes for one visitor, 2 + 4n for n <= 8, less than 4.7 KB up to 1,536, then about
// 8.2 KB.
func (s *Sketch) AppendBinary(dst []byte) []byte {
	switch {
	case s.dense:
		return appendDense(dst, s.regs)
	case s.Empty():
		return dst
	default:
		return s.appendSparse(dst)
	}
}

func (s *Sketch) appendSparse(dst []byte) []byte {
	count := s.count()
	dst = binary.BigEndian.AppendUint16(dst, uint16(version<<12|count))
	w := gapWriter{dst: dst, k: gapBits(count)}
	long := s.long
	for _, e := range s.tab {
		if e == 0 {
			continue
		}
		for len(long) > 0 && uint32(long[0]>>8) < e {
			w.put(uint32(long[0] >> 8))
			long = long[1:]
		}
		w.put(e)
	}
	for _, l := range long {
		w.put(uint32(l >> 8))
	}
	dst = w.flush()
	for _, l := range s.long {
		dst = append(dst, uint8(l))
	}
	return dst
}

// gapBits is how many bits of a gap are written as they are: all 32, or the parameter of the Rice code. Of n
// entries the gaps are distributed geometrically, with the mean 2³²/n; for that this is the best parameter by the
// golden-ratio rule (A. Kiely: "Selecting the Golomb parameter in Rice coding", IPN Progress Report 42-159, 2004),
// but for a few n just above a power of two. It is part of the format.
func gapBits(n int) uint {
	if n <= wholeGaps {
		return 32
	}
	return 32 - uint(bits.Len(uint(n)))
}

// gapWriter writes ascending entries as coded gaps.
type gapWriter struct {
	dst  []byte
	k    uint
	next uint32 // the least that can come
	acc  uint64 // bits not yet in dst, the lowest n
	n    uint   // < 32
}

func (w *gapWriter) put(e uint32) {
	gap := e - w.next
	w.next = e + 1
	if w.k == 32 {
		w.dst = binary.BigEndian.AppendUint32(w.dst, gap)
		return
	}
	q := uint(gap >> w.k)
	low := uint64(gap) & (1<<w.k - 1)
	if q+1+w.k > 32 {
		for ; q >= 32; q -= 32 {
			w.write(0, 32)
		}
		w.write(1, q+1)
		w.write(low, w.k)
		return
	}
	w.write(1<<w.k|low, q+1+w.k)
}

// write appends the n <= 32 bits of v.
func (w *gapWriter) write(v uint64, n uint) {
	w.acc = w.acc<<n | v
	w.n += n
	if w.n >= 32 {
		w.n -= 32
		w.dst = binary.BigEndian.AppendUint32(w.dst, uint32(w.acc>>w.n))
	}
}

// flush fills the last byte with zero bits.
func (w *gapWriter) flush() []byte {
	w.acc <<= 32 - w.n
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.dst = append(w.dst, byte(w.acc>>24))
		w.acc <<= 8
	}
	return w.dst
}

func appendDense(dst []byte, regs *[registers]uint8) []byte {
	start := len(dst)
	base := minRegister(regs)
	dst = append(dst, version<<4|denseCount>>8, denseCount&0xff, base, 0, 0)

	bases := uint64(base) * ones
	for i := 0; i < half; i += 8 {
		lo := binary.LittleEndian.Uint64(regs[i:i+8]) - bases
		hi := binary.LittleEndian.Uint64(regs[half+i:half+i+8]) - bases
		dst = binary.LittleEndian.AppendUint64(dst, clamp(lo)|clamp(hi)<<4)
	}

	count := 0
	for i := 0; i < registers; i += 8 {
		d := binary.LittleEndian.Uint64(regs[i:i+8]) - bases
		if below(exceptional*ones, d) == 0 {
			continue
		}
		for j := i; j < i+8; j++ {
			if regs[j]-base >= exceptional {
				dst = append(dst, byte(j>>8), byte(j), regs[j])
				count++
			}
		}
	}
	binary.BigEndian.PutUint16(dst[start+3:], uint16(count))
	return dst
}

// clamp replaces bytes above 15 by 15.
func clamp(d uint64) uint64 {
	const c = exceptional * ones
	return d ^ ((d ^ c) & below(c, d))
}
