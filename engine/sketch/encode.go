package sketch

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The encoding is described in the package comment.
const (
	version      = 1
	headerLen    = 2
	denseCount   = 1<<12 - 1                // in place of the number of entries
	half         = registers / 2            // registers in the low halves of the bytes
	denseLen     = headerLen + 1 + 2 + half // without the exceptions
	exceptional  = 15                       // first difference to the base that does not fit
	exceptLen    = 3                        // bytes of an exception
	wholeEntries = 8                        // up to so many entries are written whole
)

// AppendBinary appends the canonical encoding of s to dst. The empty sketch appends nothing. It allocates nothing if
// dst has room: 6 bytes for one visitor, 2 + 4n for n <= 8, 4.5 KB for 1,536, above that about 8.2 KB.
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

// EncodedLen is how many bytes AppendBinary appends, for a dense sketch without the exceptions: they are 0 or a few more.
func (s *Sketch) EncodedLen() int {
	switch {
	case s.dense:
		return denseLen
	case s.Empty():
		return 0
	default:
		lows, highs := sparseLen(s.count())
		return headerLen + lows + highs + len(s.longs())
	}
}

func (s *Sketch) appendSparse(dst []byte) []byte {
	count := s.count()
	lows, highs := sparseLen(count)
	dst = slices.Grow(dst, headerLen+lows+highs+len(s.longs()))
	dst = append(dst, version<<4|byte(count>>8), byte(count))
	if count <= wholeEntries && len(s.longs()) == 0 { // most sketches
		for _, e := range s.slots() {
			if e != 0 {
				dst = binary.LittleEndian.AppendUint32(dst, e)
			}
		}
		return dst
	}
	body := dst[len(dst) : len(dst)+lows+highs]
	clear(body[lows:])
	w := entryWriter{low: body[:lows], high: body[lows:], lowBits: lowBits(count)}
	long := s.longs()
	var buf [packed]uint32
	for slots := s.slots(); len(slots) > 0; {
		var list []uint32
		list, slots = pack(&buf, slots)
		for _, e := range list {
			for len(long) > 0 && uint32(long[0]>>8) < e {
				w.put(uint32(long[0] >> 8))
				long = long[1:]
			}
			w.put(e)
		}
	}
	for _, l := range long {
		w.put(uint32(l >> 8))
	}
	w.flush()
	dst = dst[:len(dst)+len(body)]
	for _, l := range s.longs() {
		dst = append(dst, uint8(l))
	}
	return dst
}

// lowBits is how many bits of each of n entries are written as they are: all of a few, else as many as leave one to
// two times n values for the high part. It is part of the format.
func lowBits(n int) uint {
	if n <= wholeEntries {
		return 32
	}
	return 32 - uint(bits.Len(uint(n)))
}

// sparseLen is how many bytes the low and the high parts of n entries take.
func sparseLen(n int) (lows, highs int) {
	k := lowBits(n)
	lows = (n*int(k) + 7) / 8
	if k < 32 {
		highs = (n + 1<<(32-k) + 7) / 8
	}
	return lows, highs
}

// entryWriter writes ascending entries.
type entryWriter struct {
	low, high []byte // what is not yet written of the low parts; all of the high parts
	lowBits   uint
	i         uint32 // entries written
	acc       uint64 // the lowest n bits are to be written to low
	n         uint   // < 32
}

func (w *entryWriter) put(e uint32) {
	k := w.lowBits
	if k < 32 {
		bit := e>>k + w.i
		w.high[bit>>3] |= 1 << (bit & 7)
		w.i++
	}
	w.acc |= uint64(e) & (1<<k - 1) << w.n
	w.n += k
	if w.n >= 32 {
		binary.LittleEndian.PutUint32(w.low, uint32(w.acc))
		w.low = w.low[4:]
		w.acc >>= 32
		w.n -= 32
	}
}

// flush writes the low bits that are left, and zeros to the end of the byte.
func (w *entryWriter) flush() {
	for i := range w.low {
		w.low[i] = byte(w.acc)
		w.acc >>= 8
	}
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
