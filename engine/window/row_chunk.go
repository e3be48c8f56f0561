package window

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Chunks are the pieces of a window's state: kind, payload length (uvarint), payload. The kinds 1,
// 2, 4 and 6 were rows, folded rows and changes of visits of former formats.
const (
	chunkMark         = 3
	chunkFoldedUnpaid = 5 // without the number of events with an amount, of builds before; only read
	chunkRows         = 7
	chunkVisits       = 8
	chunkFolded       = 9
)

// ErrChunk is wrapped by every error about a malformed chunk.
var ErrChunk = errors.New("malformed window state")

// NeverFired is Status.FiredAt of a window that has not fired.
const NeverFired = -1

// Status is what a window's state holds about its firings.
type Status struct {
	// FiredAt is the offset of the log at which the window last fired, or NeverFired.
	FiredAt int64
	// Final is set once the watermark has passed the window: a firing before that is an early one.
	Final bool
	// Dirty is set if rows were added after the last firing.
	Dirty bool
}

// ReadStatus returns what a sequence of chunks holds about firings, without folding its rows.
func ReadStatus(chunks []byte) (Status, error) {
	s := Status{FiredAt: NeverFired}
	for len(chunks) > 0 {
		kind, payload, rest, err := cutChunk(chunks)
		if err != nil {
			return s, err
		}
		switch kind {
		case chunkRows, chunkVisits:
			s.Dirty = true
		case chunkFolded, chunkFoldedUnpaid:
			_, err = s.addFolded(payload)
		case chunkMark:
			err = s.addMark(payload)
		default:
			err = errKind(kind)
		}
		if err != nil {
			return s, err
		}
		chunks = rest
	}
	return s, nil
}

// cutChunk reads the first chunk of b, which is not empty. It runs once for each record of a
// window, hence without a Reader: 9 ns a chunk, and 24 with one.
func cutChunk(b []byte) (kind byte, payload, rest []byte, err error) {
	l, n := binary.Uvarint(b[1:])
	if n <= 0 || l > uint64(len(b)-1-n) {
		return 0, nil, nil, fmt.Errorf("%w: chunk cut short", ErrChunk)
	}
	end := 1 + n + int(l)
	return b[0], b[1+n : end], b[end:], nil
}

func errKind(kind byte) error { return fmt.Errorf("%w: chunk of unknown kind %d", ErrChunk, kind) }

func appendChunk(dst []byte, kind byte, payload []byte) []byte {
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	return append(dst, payload...)
}

// AppendMark appends the chunk of a firing: all before it went out in the firing at an offset of
// the log. It is the firing that made the window final, or a later one, if final is set; an early
// one otherwise.
func AppendMark(dst []byte, offset int64, final bool) []byte {
	var p [binary.MaxVarintLen64 + 1]byte
	n := binary.PutUvarint(p[:], uint64(offset))
	if final {
		p[n] = 1
	}
	return appendChunk(dst, chunkMark, p[:n+1])
}

func (s *Status) addMark(payload []byte) error {
	r := newReader(payload)
	offset, final := r.Uvarint(), r.Byte()
	if r.Err != nil || offset >= math.MaxInt64 || len(r.B) > 0 || final > 1 {
		return fmt.Errorf("%w: bad mark", ErrChunk)
	}
	*s = Status{FiredAt: int64(offset), Final: final == 1}
	return nil
}

// The status of a folded chunk.
const (
	foldedFinal = 1 << iota
	foldedDirty
)

func (s *Status) appendFolded(dst []byte) []byte {
	var flags byte
	if s.Final {
		flags |= foldedFinal
	}
	if s.Dirty {
		flags |= foldedDirty
	}
	return binary.AppendUvarint(append(dst, flags), uint64(s.FiredAt+1))
}

// addFolded applies the status of a folded chunk, which follows what was added before, and returns
// the rest of it.
func (s *Status) addFolded(p []byte) (rest []byte, err error) {
	r := newReader(p)
	flags, fired := r.Byte(), r.Uvarint()
	if r.Err != nil || flags > foldedFinal|foldedDirty || fired > math.MaxInt64 {
		return nil, fmt.Errorf("%w: bad folded header", ErrChunk)
	}
	if fired > 0 {
		*s = Status{FiredAt: int64(fired) - 1, Final: flags&foldedFinal != 0}
	}
	s.Dirty = s.Dirty || flags&foldedDirty != 0
	return r.B, nil
}

// Merge folds a sequence of chunks that has at least foldFrom bytes, and returns a shorter one as
// it is. It is the store's merge operator as a function. Whole: nothing lies before them.
func Merge(chunks []byte, whole bool, limit, foldFrom int) ([]byte, error) {
	if len(chunks) < foldFrom {
		return chunks, nil
	}
	if !whole {
		limit = 0
	}
	a := NewAgg(limit)
	if err := a.Add(chunks); err != nil {
		return nil, err
	}
	return a.AppendFolded(make([]byte, 0, len(chunks)/2)), nil
}

// FoldFrom is the size in bytes from which a store folds in Merge. Few windows ever reach it: one
// is folded when it fires, its fold then takes the place of its chunks, and folding it at flushes
// and compactions too is work for nothing. It bounds how far the state of a giant window grows
// before that.
const FoldFrom = 4 << 20
