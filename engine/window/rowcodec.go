package window

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"millrace/engine/event"
)

// dimSet is a set of dimensions, one bit each.
type dimSet uint32

func (s dimSet) has(d Dim) bool { return s>>d&1 != 0 }

func setOf(dims ...Dim) (s dimSet) {
	for _, d := range dims {
		s |= 1 << d
	}
	return s
}

// The dimensions that rows hold.
var (
	rowDims   = dimSet(1<<NumDims-1) &^ setOf(ExitPage, Goal, PropKey, PropValue)
	visitDims = dimsOfVisit() | setOf(Hostname, ExitPage)
)

func dimsOfVisit() (s dimSet) {
	for d := range NumDims {
		if d.OfVisit() {
			s |= 1 << d
		}
	}
	return s
}

// In a row's first byte, above its flags.
const (
	rowRevenue = 0x20 << iota
	rowGoals
	rowProps
)

// RowWriter collects the rows of one window out of one record as a chunk. The zero value is empty.
//
// A row is: flags and what follows the dimensions (1 byte), visitor (8 bytes, little endian), the dimensions,
// revenue (varint, if not 0), goals (their number and each) and props (their number, and key and value of each),
// where there are any.
//
// The dimensions are: a bit set of those that differ from the row before (uvarint; all are "" before the first), and
// the values of those, as length (uvarint) and bytes. Rows of one visitor follow each other often, so that most
// of a row is usually one bit set. A dimension that was added to the code after the row was written differs in no
// row, so it reads as "".
type RowWriter struct {
	dimWriter
	n int
}

// Add appends a row.
func (w *RowWriter) Add(r *Row) {
	w.n++
	head := byte(r.Flags & allFlags)
	if r.Revenue != 0 {
		head |= rowRevenue
	}
	if len(r.Goals) > 0 {
		head |= rowGoals
	}
	if len(r.Props) > 0 {
		head |= rowProps
	}
	w.buf = append(w.buf, head)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(r.Visitor))
	w.dims(&r.Dims, rowDims)
	if r.Revenue != 0 {
		w.buf = binary.AppendVarint(w.buf, int64(r.Revenue))
	}
	if len(r.Goals) > 0 {
		w.buf = binary.AppendUvarint(w.buf, uint64(len(r.Goals)))
		for _, g := range r.Goals {
			w.buf = appendString(w.buf, g)
		}
	}
	if len(r.Props) > 0 {
		w.buf = binary.AppendUvarint(w.buf, uint64(len(r.Props)))
		for _, p := range r.Props {
			w.buf = appendString(appendString(w.buf, p.Key), p.Value)
		}
	}
}

// Len returns the number of rows added.
func (w *RowWriter) Len() int { return w.n }

// Size returns the encoded size in bytes, within a few.
func (w *RowWriter) Size() int { return len(w.buf) + 8 }

// AppendChunk appends the rows as one chunk.
func (w *RowWriter) AppendChunk(dst []byte) []byte { return appendChunk(dst, chunkRows, w.buf) }

// Reset empties w and keeps its memory.
func (w *RowWriter) Reset() { w.reset(); w.n = 0 }

// VisitWriter collects the changes of one window of visits as a chunk. The zero value is empty.
//
// A change is: scope (1 byte), the dimensions as in a row, and what is added to visits, bounces, seconds and
// views (varints).
type VisitWriter struct {
	dimWriter
	n int
}

// Add appends a change.
func (w *VisitWriter) Add(r *VisitRow) {
	w.n++
	w.buf = append(w.buf, byte(r.Scope))
	w.dims(&r.Dims, visitDims)
	for _, v := range [...]int64{r.Visits, r.Bounces, r.Seconds, r.Views} {
		w.buf = binary.AppendVarint(w.buf, v)
	}
}

// Len returns the number of changes added.
func (w *VisitWriter) Len() int { return w.n }

// Size returns the encoded size in bytes, within a few.
func (w *VisitWriter) Size() int { return len(w.buf) + 8 }

// AppendChunk appends the changes as one chunk.
func (w *VisitWriter) AppendChunk(dst []byte) []byte { return appendChunk(dst, chunkVisits, w.buf) }

// Reset empties w and keeps its memory.
func (w *VisitWriter) Reset() { w.reset(); w.n = 0 }

// dimWriter writes dimensions as their differences.
type dimWriter struct {
	buf  []byte
	prev [NumDims]span
}

// span is a place in buf: prev's strings are kept as such, because buf moves when it grows.
type span struct{ pos, len int32 }

func (w *dimWriter) reset() { w.buf, w.prev = w.buf[:0], [NumDims]span{} }

func (w *dimWriter) dims(dims *[NumDims]string, of dimSet) {
	var differ dimSet
	for d := range dims {
		p := w.prev[d]
		if of.has(Dim(d)) && string(w.buf[p.pos:p.pos+p.len]) != dims[d] {
			differ |= 1 << d
		}
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(differ))
	for d, s := range dims {
		if !differ.has(Dim(d)) {
			continue
		}
		w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
		w.prev[d] = span{int32(len(w.buf)), int32(len(s))}
		w.buf = append(w.buf, s...)
	}
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// readRows calls fn for each row of a payload. The row's strings are views into payload, and the row is
// reused.
func readRows(payload []byte, fn func(*Row)) error {
	var r Row
	p := reader{b: payload}
	for len(p.b) > 0 {
		if len(p.b) < 9 {
			return fmt.Errorf("%w: row cut short", ErrChunk)
		}
		head := p.b[0]
		if head&^(byte(allFlags)|rowRevenue|rowGoals|rowProps) != 0 {
			return fmt.Errorf("%w: row with unknown flags %#x", ErrChunk, head)
		}
		r.Flags = Flags(head) & allFlags
		r.Visitor = event.Visitor(binary.LittleEndian.Uint64(p.b[1:]))
		p.b = p.b[9:]
		p.dims(&r.Dims, rowDims)
		r.Revenue, r.Goals, r.Props = 0, r.Goals[:0], r.Props[:0]
		if head&rowRevenue != 0 {
			r.Revenue = event.Money(p.varint())
		}
		if head&rowGoals != 0 {
			for n := p.count(); n > 0; n-- {
				r.Goals = append(r.Goals, p.string())
			}
		}
		if head&rowProps != 0 {
			for n := p.count(); n > 0; n-- {
				r.Props = append(r.Props, event.Prop{Key: p.string(), Value: p.string()})
			}
		}
		if p.err != nil {
			return p.err
		}
		fn(&r)
	}
	return nil
}

// readVisits calls fn for each change of a payload, as readRows does.
func readVisits(payload []byte, fn func(*VisitRow)) error {
	var r VisitRow
	p := reader{b: payload}
	for len(p.b) > 0 {
		r.Scope = Scope(p.b[0])
		if r.Scope >= numScopes {
			return fmt.Errorf("%w: visit with unknown scope %d", ErrChunk, r.Scope)
		}
		p.b = p.b[1:]
		p.dims(&r.Dims, visitDims)
		r.Visits, r.Bounces, r.Seconds, r.Views = p.varint(), p.varint(), p.varint(), p.varint()
		if p.err != nil {
			return p.err
		}
		fn(&r)
	}
	return nil
}

// reader reads fields until one is malformed; from then on it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrChunk, what)
	}
	r.b = nil
}

func (r *reader) dims(dims *[NumDims]string, of dimSet) {
	differ := r.uvarint()
	if differ&^uint64(of) != 0 {
		r.fail("bad dimension set of a row")
		return
	}
	for d := range dims {
		if dimSet(differ).has(Dim(d)) {
			dims[d] = r.string()
		}
	}
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads the length of a list; each element takes a byte at least.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("list cut short")
		return 0
	}
	return n
}

// bytes reads a length and that many bytes, as a view.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("string cut short")
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string {
	v := r.bytes()
	return unsafe.String(unsafe.SliceData(v), len(v))
}
