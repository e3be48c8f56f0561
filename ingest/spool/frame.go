package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"

	"millrace/engine/event"
)

const (
	headBytes   = 8         // length and checksum
	fixedBytes  = 16        // numbers of frame and group
	leastFrame  = 16 + 4    // the least that follows the checksum
	mostPayload = 256 << 20 // of what follows the checksum
	mostVarints = 5 + 10 + 10 + 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errShort = errors.New("cut off")
	errFrame = errors.New("not a frame")
)

// mostFrame returns the most bytes that an entry's frame has.
func mostFrame(e *Entry) int64 { return headBytes + fixedBytes + mostVarints + int64(len(e.Events)) }

// appendFrame appends the frame of an entry.
func appendFrame(b []byte, number, group uint64, e *Entry) []byte {
	at := len(b)
	b = append(b, make([]byte, headBytes)...)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint64(b, group)
	b = binary.AppendUvarint(b, uint64(e.Partition))
	b = binary.AppendVarint(b, e.After)
	b = binary.AppendVarint(b, int64(e.From))
	b = binary.AppendUvarint(b, uint64(e.N))
	b = append(b, e.Events...)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-headBytes))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(b[at+headBytes:], castagnoli))
	return b
}

// frame is one that was read. Its Events are a view.
type frame struct {
	number, group uint64
	entry         Entry
}

// readFrame reads the frame at the start of b and returns its size.
func readFrame(b []byte) (f frame, size int64, err error) {
	if len(b) < headBytes+leastFrame {
		return f, 0, errShort
	}
	n := binary.LittleEndian.Uint32(b)
	switch {
	case n < leastFrame || n > mostPayload:
		return f, 0, errFrame
	case int(n) > len(b)-headBytes:
		return f, 0, errShort
	}
	p := b[headBytes : headBytes+n]
	if crc32.Checksum(p, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return f, 0, errFrame
	}
	f.number, f.group = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
	p = p[fixedBytes:]
	ok := true
	unsigned := func(most uint64) uint64 {
		v, n := binary.Uvarint(p)
		if n <= 0 || v > most {
			ok = false
			return 0
		}
		p = p[n:]
		return v
	}
	signed := func() int64 {
		v, n := binary.Varint(p)
		if n <= 0 {
			ok = false
			return 0
		}
		p = p[n:]
		return v
	}
	e := &f.entry
	e.Partition = int32(unsigned(math.MaxInt32))
	e.After = signed()
	e.From = event.Time(signed())
	e.N = int(unsigned(math.MaxInt32))
	if e.Events = p; !ok {
		return f, 0, errFrame
	}
	return f, headBytes + int64(n), nil
}
