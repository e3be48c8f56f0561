package broker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A record batch, version 2, as Kafka's protocol guide lays it out: offsets of the fields used
// here.
const (
	batchFirstOffset = 0
	batchLength      = 8 // of what follows this field
	batchPrefix      = 12
	batchEpoch       = 12
	batchMagic       = 16
	batchCRC         = 17 // CRC-32C of all that follows it
	batchAttributes  = 21
	batchLastDelta   = 23
	batchFirstTime   = 27
	batchHeader      = 61

	attrTransactional = 1 << 4
)

// castagnoli is never written.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is what a walk over a segment file found.
type segment struct {
	base  int64 // from the file's name
	size  int64 // of the file
	valid int64 // bytes of whole batches from the start
	next  int64 // offset after the last whole batch; base if there is none

	firstTime     int64 // of the first batch, ms; 0 if there is none
	epoch         int32 // of the last batch
	transactional bool  // some batch belongs to a transaction

	// reason is why the walk ended before the end of the file. followed: a whole batch that would
	// continue the log comes after the unreadable bytes, so no crash made it.
	reason   string
	followed bool
}

// listSegments returns the base offsets of the segment files in a partition folder, ascending.
func listSegments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, e := range entries {
		if s, ok := strings.CutSuffix(e.Name(), ".dat"); ok {
			if base, err := strconv.ParseInt(s, 10, 64); err == nil && base >= 0 {
				bases = append(bases, base)
			}
		}
	}
	slices.Sort(bases)
	return bases, nil
}

func segmentFile(base int64) string { return strconv.FormatInt(base, 10) + ".dat" }

// walkSegment reads a whole segment file and verifies each batch's checksum and offset.
func walkSegment(path string, base int64) (segment, error) {
	s := segment{base: base, next: base}
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	s.size = info.Size()
	r := &batchReader{r: bufio.NewReaderSize(f, 1<<20), left: s.size}
	for r.left > 0 {
		b, reason, err := r.next()
		if err == nil && reason == "" && b.firstOffset() != s.next {
			reason = fmt.Sprintf("has offset %d, expected %d", b.firstOffset(), s.next)
			s.followed = true // its checksum is right: no torn write
		}
		if err != nil {
			return s, err
		}
		if reason != "" {
			s.reason = reason
			if len(b) > 0 && !s.followed {
				after, why, err := r.next()
				s.followed = err == nil && why == "" && after.firstOffset() > s.next
			}
			return s, nil
		}
		s.add(b)
	}
	return s, nil
}

func (s *segment) add(b batch) {
	if s.valid == 0 {
		s.firstTime = int64(binary.BigEndian.Uint64(b[batchFirstTime:]))
	}
	s.valid += int64(len(b))
	s.next = b.firstOffset() + int64(int32(binary.BigEndian.Uint32(b[batchLastDelta:]))) + 1
	s.epoch = int32(binary.BigEndian.Uint32(b[batchEpoch:]))
	if binary.BigEndian.Uint16(b[batchAttributes:])&attrTransactional != 0 {
		s.transactional = true
	}
}

// batch is one whole record batch.
type batch []byte

func (b batch) firstOffset() int64 { return int64(binary.BigEndian.Uint64(b[batchFirstOffset:])) }

// check returns why the batch is not to be trusted, or "".
func (b batch) check() string {
	switch {
	case b[batchMagic] != 2:
		return "is not a record batch"
	case crc32.Checksum(b[batchAttributes:], castagnoli) != binary.BigEndian.Uint32(b[batchCRC:]):
		return "has a wrong checksum"
	case b.firstOffset() < 0 || int32(binary.BigEndian.Uint32(b[batchLastDelta:])) < 0:
		return "has a negative offset"
	}
	return ""
}

// batchReader cuts a segment into batches.
type batchReader struct {
	r    *bufio.Reader
	left int64
	buf  []byte
}

// next returns the next batch, valid until the call after. If there is a reason not to trust it,
// the batch is what its length field has, or empty if that can't be.
func (r *batchReader) next() (b batch, reason string, err error) {
	head, err := r.r.Peek(batchPrefix)
	if err == io.EOF {
		return nil, "ends in its header", nil
	}
	if err != nil {
		return nil, "", err
	}
	size := int64(binary.BigEndian.Uint32(head[batchLength:])) + batchPrefix
	if size < batchHeader || size > maxRequestBytes {
		return nil, fmt.Sprintf("has an impossible length of %d", size), nil
	}
	if size > r.left {
		return nil, "is cut short", nil
	}
	r.buf = slices.Grow(r.buf[:0], int(size))[:size]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return nil, "", err
	}
	r.left -= size
	b = batch(r.buf)
	return b, b.check(), nil
}
