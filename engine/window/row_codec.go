package window

import (
	"encoding/binary"

	"millrace/engine/event"
	"millrace/engine/window/internal/known"
)

// In a row's first byte, above its flags.
const (
	rowSameVisitor = 0x08 << iota // that of the row before
	rowOrigin                     // an origin follows; else it is that of the row before
	rowRevenue
	rowGoals
	rowProps

	rowHead = byte(allFlags) | rowSameVisitor | rowOrigin | rowRevenue | rowGoals | rowProps
)

// RowWriter collects the rows of one window out of one record as a chunk. The zero value is empty.
//
// A row is: flags and what it has (1 byte), visitor (8 bytes, little endian, unless it is the one
// of the row before), the dimensions, the origin, if it is not the one of the row before
// (AppendOrigin), revenue (varint, if the event has an amount), goals (their number and each) and
// props (their number, and key and value of each), where there are any.
//
// The dimensions are: a bit set of those that differ from the row before (uvarint; all are ""
// before the first), and the values of those, in the order of codecOrder. Rows of one visitor
// follow each other often, so that most of a row is usually one bit set. A dimension that was added
// to the code after the row was written differs in no row, so it reads as "". A value is a known
// one as its number, or its length and bytes, or a copy of another dimension's: values that the
// world has few of, such as browsers, take a byte or two.
type RowWriter struct {
	dimWriter
	n       int
	visitor event.Visitor // of the row before
}

// Add appends a row.
func (w *RowWriter) Add(r *Row) {
	head := byte(r.Flags & allFlags)
	if w.n > 0 && r.Visitor == w.visitor {
		head |= rowSameVisitor
	}
	if r.paid() {
		head |= rowRevenue
	}
	if len(r.Goals) > 0 {
		head |= rowGoals
	}
	if len(r.Props) > 0 {
		head |= rowProps
	}
	origin, differs := w.origin(r.Origin, &r.Dims)
	if differs {
		head |= rowOrigin
	}
	w.n++
	w.buf = append(w.buf, head)
	if head&rowSameVisitor == 0 {
		w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(r.Visitor))
		w.visitor = r.Visitor
	}
	w.dims(&r.Dims, wireRow)
	if differs {
		w.putOrigin(origin)
	}
	if head&rowRevenue != 0 {
		w.buf = binary.AppendVarint(w.buf, int64(r.Revenue))
	}
	if len(r.Goals) > 0 {
		w.buf = binary.AppendUvarint(w.buf, uint64(len(r.Goals)))
		for _, g := range r.Goals {
			w.buf = appendValue(w.buf, g, known.Number(g))
		}
	}
	if len(r.Props) > 0 {
		w.buf = binary.AppendUvarint(w.buf, uint64(len(r.Props)))
		for _, p := range r.Props {
			w.buf = appendValue(w.buf, p.Key, known.Number(p.Key))
			w.buf = appendValue(w.buf, p.Value, known.Number(p.Value))
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

// In the first byte of a change of visits, above its scope.
const (
	visitVisits = 0x04 << iota
	visitBounces
	visitSeconds
	visitViews
	visitOrigin // an origin follows; else it is that of the last change that counts in more than the exit page

	visitScopes = 0x03
	visitHead   = visitScopes | visitVisits | visitBounces | visitSeconds | visitViews | visitOrigin
)

// VisitWriter collects the changes of one window of visits as a chunk. The zero value is empty.
//
// A change is: scope and what it has (1 byte), the dimensions and the origin that the scope counts,
// as in a row, and what is added to visits, bounces, seconds and views (varints), of those that are
// not 0.
type VisitWriter struct {
	dimWriter
	n int
}

// Add appends a change.
func (w *VisitWriter) Add(r *VisitRow) {
	w.n++
	at := len(w.buf)
	w.buf = append(w.buf, byte(r.Scope))
	w.dims(&r.Dims, wireVisits[r.Scope])
	if r.Scope != ExitPageOnly {
		if origin, differs := w.origin(r.Origin, &r.Dims); differs {
			w.buf[at] |= visitOrigin
			w.putOrigin(origin)
		}
	}
	for i, v := range [...]int64{r.Visits, r.Bounces, r.Seconds, r.Views} {
		if v != 0 {
			w.buf[at] |= visitVisits << i
			w.buf = binary.AppendVarint(w.buf, v)
		}
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

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// rowReader reads the rows of a chunk. What it holds between calls of next are views into the
// chunk.
type rowReader struct {
	reader
	flags   Flags
	visitor event.Visitor
	revenue event.Money
	paid    bool // whether the event has an amount
	dims    dims
	goals   []value
	props   [][2]value
}

// next reads a row and returns false at the end or if it is malformed.
func (r *rowReader) next() bool {
	if len(r.B) == 0 {
		return false
	}
	head := r.B[0]
	r.B = r.B[1:]
	if head&^rowHead != 0 {
		r.Fail("row with unknown flags")
		return false
	}
	r.flags = Flags(head) & allFlags
	if head&rowSameVisitor == 0 {
		if len(r.B) < 8 {
			r.Fail("row cut short")
			return false
		}
		r.visitor = event.Visitor(binary.LittleEndian.Uint64(r.B))
		r.B = r.B[8:]
	}
	r.reader.dims(&r.dims, wireRow)
	if head&rowOrigin != 0 {
		r.reader.origin(&r.dims)
	}
	r.revenue, r.paid, r.goals, r.props = 0, false, r.goals[:0], r.props[:0]
	if head&rowRevenue != 0 {
		r.revenue, r.paid = event.Money(r.Varint()), true
	}
	if head&rowGoals != 0 {
		for n := r.Count(1); n > 0 && r.Err == nil; n-- {
			r.goals = append(r.goals, r.value())
		}
	}
	if head&rowProps != 0 {
		for n := r.Count(1); n > 0 && r.Err == nil; n-- {
			r.props = append(r.props, [2]value{r.value(), r.value()})
		}
	}
	return r.Err == nil
}

// visitReader reads the changes of a chunk, as rowReader does.
type visitReader struct {
	reader
	scope Scope
	dims  dims
	add   visits
}

func (r *visitReader) next() bool {
	if len(r.B) == 0 {
		return false
	}
	head := r.B[0]
	r.B = r.B[1:]
	r.scope = Scope(head & visitScopes)
	if head&^visitHead != 0 || r.scope >= numScopes || r.scope == ExitPageOnly && head&visitOrigin != 0 {
		r.Fail("change of visits with unknown scope")
		return false
	}
	r.reader.dims(&r.dims, wireVisits[r.scope])
	if head&visitOrigin != 0 {
		r.reader.origin(&r.dims)
	}
	number := func(bit byte) int64 {
		if head&bit == 0 {
			return 0
		}
		return r.Varint()
	}
	r.add = visits{visits: number(visitVisits), bounces: number(visitBounces), seconds: number(visitSeconds), views: number(visitViews)}
	return r.Err == nil
}
