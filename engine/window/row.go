package window

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"millrace/engine/event"
)

// Flags of a row.
type Flags uint8

const (
	// PageviewRow: the event is a view of a page.
	PageviewRow Flags = 1 << iota
	// BotRow: the sender is taken for a bot; only the family Bots counts it.
	BotRow
	// DroppedRow: the event came after its window had closed; only Dropped counts it.
	DroppedRow
)

func (f Flags) class() class {
	switch {
	case f&DroppedRow != 0:
		return dropped
	case f&BotRow != 0:
		return bot
	}
	return human
}

// Row is what is counted of one event. Its values are clean (Clean), or "" where the event does not count
// in the dimension.
type Row struct {
	Flags   Flags
	Visitor event.Visitor
	Revenue event.Money
	// Dims holds all dimensions but ExitPage, Goal, PropKey and PropValue.
	Dims [NumDims]string
	// Goals are the names of the goals that the event reached, sorted, distinct.
	Goals []string
	// Props are the custom properties that are counted, sorted by key, keys distinct.
	Props []event.Prop
}

// VisitRow is a change of the rollups of a window of visits: what to add to the values that a visit is counted
// under. A visit that changes its dimensions is taken out under the old ones and added under the new ones.
type VisitRow struct {
	Scope Scope
	// Dims holds the dimensions of the visit (Dim.OfVisit), its Hostname and its ExitPage.
	Dims [NumDims]string
	// Visits, Bounces, Seconds and Views (pageviews of visits) are what is added; they may be negative.
	Visits, Bounces, Seconds, Views int64
}

// Scope says which families a VisitRow changes.
type Scope uint8

const (
	// AllFamilies changes all.
	AllFamilies Scope = iota
	// ExitPageOnly changes ExitPages only, so that a visit that moves on to another page costs no more than that.
	ExitPageOnly
	// AllButExitPage changes all others.
	AllButExitPage
)

// Chunks are the pieces of a window's state: kind, payload length (uvarint), payload.
const (
	chunkRows   = 1
	chunkFolded = 2
	chunkMark   = 3
)

// ErrChunk is wrapped by every error about a malformed chunk.
var ErrChunk = errors.New("malformed window state")

// RowWriter collects the rows of one window out of one record as a chunk. The zero value is empty.
//
// A row is: flags (1 byte), visitor (8 bytes, little endian), a bit set of the dimensions that differ from
// those of the row before (uvarint; all are "" before the first), and those as length (uvarint) and bytes. Rows
// of one visitor follow each other often, so that most of a row is usually one bit set. A dimension that
// was added to the code after the row was written differs in no row, so it reads as "".
type RowWriter struct {
	buf  []byte
	prev [NumDims]span
	n    int
}

// span is a place in buf: prev's strings are kept as such, because buf moves when it grows.
type span struct{ pos, len int32 }

// Add appends a row.
func (w *RowWriter) Add(r *Row) {
	w.n++
	w.buf = append(w.buf, byte(r.Flags))
	w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(r.Visitor))
	var differ uint64
	for d := range r.Dims {
		p := w.prev[d]
		if string(w.buf[p.pos:p.pos+p.len]) != r.Dims[d] {
			differ |= 1 << d
		}
	}
	w.buf = binary.AppendUvarint(w.buf, differ)
	for d, s := range r.Dims {
		if differ&(1<<d) == 0 {
			continue
		}
		w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
		w.prev[d] = span{int32(len(w.buf)), int32(len(s))}
		w.buf = append(w.buf, s...)
	}
}

// Len returns the number of rows added.
func (w *RowWriter) Len() int { return w.n }

// Size returns the encoded size in bytes, within a few.
func (w *RowWriter) Size() int { return len(w.buf) + 8 }

// AppendChunk appends the rows as one chunk.
func (w *RowWriter) AppendChunk(dst []byte) []byte {
	dst = append(dst, chunkRows)
	dst = binary.AppendUvarint(dst, uint64(len(w.buf)))
	return append(dst, w.buf...)
}

// Reset empties w and keeps its memory.
func (w *RowWriter) Reset() { w.buf, w.prev, w.n = w.buf[:0], [NumDims]span{}, 0 }

// readRows calls fn for each row of a payload. The row's strings are views into payload, and the row is
// reused.
func readRows(payload []byte, fn func(*Row)) error {
	var r Row
	for len(payload) > 0 {
		if len(payload) < 9 {
			return fmt.Errorf("%w: row cut short", ErrChunk)
		}
		r.Flags = Flags(payload[0])
		r.Visitor = event.Visitor(binary.LittleEndian.Uint64(payload[1:]))
		differ, n := binary.Uvarint(payload[9:])
		if n <= 0 || differ >= 1<<NumDims {
			return fmt.Errorf("%w: bad dimension set of a row", ErrChunk)
		}
		payload = payload[9+n:]
		for d := range r.Dims {
			if differ&(1<<d) == 0 {
				continue
			}
			var err error
			if r.Dims[d], payload, err = cutString(payload); err != nil {
				return err
			}
		}
		fn(&r)
	}
	return nil
}

// cutString reads a length and that many bytes, as a view.
func cutString(b []byte) (s string, rest []byte, err error) {
	l, n := binary.Uvarint(b)
	if n <= 0 || l > uint64(len(b)-n) {
		return "", nil, fmt.Errorf("%w: string cut short", ErrChunk)
	}
	v := b[n : n+int(l)]
	return unsafe.String(unsafe.SliceData(v), len(v)), b[n+int(l):], nil
}

// AppendMark appends the chunk that says: all before it went out in the firing at an offset of the log. It
// is the firing that made the window final, or a later one, if final is set; an early one otherwise.
func AppendMark(dst []byte, offset int64, final bool) []byte {
	var p [binary.MaxVarintLen64 + 1]byte
	n := binary.PutUvarint(p[:], uint64(offset))
	if final {
		p[n] = 1
	}
	dst = append(dst, chunkMark, byte(n+1))
	return append(dst, p[:n+1]...)
}
