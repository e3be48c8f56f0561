package window

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"millrace/engine/window/internal/known"
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

// The dimensions that rows hold, and rows of visits by what they change.
var (
	rowDims    = dimSet(1<<NumDims-1) &^ setOf(ExitPage, Goal, PropKey, PropValue, Lacks, LacksPlace, PropKeys)
	visitDims  = dimsOfVisit() | setOf(Hostname, ExitPage)
	visitScope = [numScopes]dimSet{AllFamilies: visitDims, ExitPageOnly: setOf(ExitPage), AllButExitPage: visitDims &^ setOf(ExitPage)}
)

func dimsOfVisit() (s dimSet) {
	for d := range NumDims {
		if d.OfVisit() {
			s |= 1 << d
		}
	}
	return s
}

// codecOrder is the order in which rows hold the dimensions that do not belong to their origin. It
// is part of the format of rows: add at the end.
var codecOrder = [...]Dim{Page, Name, EntryPage, ExitPage, Hostname, Reason}

// wireSet is a set of dimensions as rows hold it: bit i is that of codecOrder[i].
type wireSet uint32

func wireSetOf(dims dimSet) (s wireSet) {
	for i, d := range codecOrder {
		if dims.has(d) {
			s |= 1 << i
		}
	}
	return s
}

func (s wireSet) has(d Dim) bool { return s&wireBits[d] != 0 }

// wireBits are the sets of one dimension.
var wireBits = func() (list [NumDims]wireSet) {
	for d := range list {
		list[d] = wireSetOf(setOf(Dim(d)))
	}
	return list
}()

// first is the first dimension of a set that is not empty.
func (s wireSet) first() Dim { return codecOrder[bits.TrailingZeros32(uint32(s))] }

var (
	wireRow    = wireSetOf(rowDims)
	wireVisits = [numScopes]wireSet{wireSetOf(visitScope[0]), wireSetOf(visitScope[1]), wireSetOf(visitScope[2])}
)

// copiedFrom is the dimension that another may be a copy of, which comes before it in codecOrder:
// most often the page of a visit's first event, and of its only one. It is part of the format of
// rows.
var copiedFrom = [NumDims]Dim{ExitPage: EntryPage} // all others: Page

// The first byte of a value in a row.
const (
	// Below known.OneByte: the number of a known value.

	literal     = 0x80 // plus the length of a value that follows
	literalLong = 0xbf // its length follows too (uvarint)
	twoBytes    = 0xc0 // plus the high byte of the number of a known value, less known.OneByte; the low one follows
	copied      = 0xe0 // the value of the dimension that copiedFrom names
)

// dims are the dimensions of a row with their hashes.
type dims struct {
	values  [NumDims + 1]value // the last is noValue
	set     dimSet             // those that aren't ""
	lacking uint32             // the set that Lacks and LacksPlace are of, see value_lack.go
}

func dimsOf(all *[NumDims]string, of dimSet, origin []byte) (d dims) {
	d.values[NumDims] = noValue
	if origin != nil {
		of &^= originDims
		r := newReader(origin)
		r.origin(&d)
	}
	for i, s := range all {
		if s != "" && of.has(Dim(i)) {
			d.values[i] = valueOf(s)
			d.set |= 1 << i
		}
	}
	return d
}

// visitHash separates changes of one visit from those of others, most often.
func (d *dims) visitHash() uint64 {
	set := d.set &^ (1<<ExitPage | 1<<Lacks | 1<<LacksPlace)
	h := uint64(set)
	for ; set != 0; set &= set - 1 {
		i := bits.TrailingZeros32(uint32(set))
		h += uint64(d.values[i].hash) * (0x9e3779b97f4a7c15 * uint64(2*i+1))
	}
	return h ^ h>>32
}

// dimWriter writes dimensions as their differences to the row before.
type dimWriter struct {
	buf        []byte
	prev       [NumDims]place
	prevOrigin place // its length is 0 for noOrigin
	scratch    []byte
}

// place is where a value is: in buf, which moves when it grows, or among the known ones.
type place struct {
	pos, len int32 // of use unless it is known
	known    int32 // number + 1
}

func (w *dimWriter) reset() {
	w.buf, w.prev, w.prevOrigin = w.buf[:0], [NumDims]place{}, place{}
}

// origin returns the origin of a row, encoded, and whether it differs from that of the row before.
func (w *dimWriter) origin(b []byte, all *[NumDims]string) (origin []byte, differs bool) {
	if b == nil {
		w.scratch = AppendOrigin(w.scratch[:0], all)
		b = w.scratch
	}
	before := noOrigin
	if p := &w.prevOrigin; p.len > 0 {
		before = w.buf[p.pos : p.pos+p.len]
	}
	return b, string(b) != string(before)
}

func (w *dimWriter) putOrigin(b []byte) {
	w.prevOrigin = place{pos: int32(len(w.buf)), len: int32(len(b))}
	w.buf = append(w.buf, b...)
}

// same reports whether a value is the one at a place.
func (w *dimWriter) same(p *place, s string) bool {
	if p.known > 0 {
		return knownValues[p.known-1].s == s
	}
	return string(w.buf[p.pos:p.pos+p.len]) == s
}

func (w *dimWriter) dims(all *[NumDims]string, of wireSet) {
	var differ wireSet
	for s := of; s != 0; s &= s - 1 {
		if d := s.first(); !w.same(&w.prev[d], all[d]) {
			differ |= s & -s
		}
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(differ))
	for ; differ != 0; differ &= differ - 1 {
		d := differ.first()
		s := all[d]
		if from := copiedFrom[d]; from != d && s != "" && s == all[from] && of.has(from) {
			w.buf = append(w.buf, copied)
			w.prev[d] = w.prev[from]
			continue
		}
		n := known.Number(s)
		w.buf = appendValue(w.buf, s, n)
		w.prev[d] = place{pos: int32(len(w.buf) - len(s)), len: int32(len(s)), known: int32(n + 1)}
	}
}

// appendValue appends a value with this number, -1 for none.
func appendValue(b []byte, s string, n int) []byte {
	switch {
	case n < 0:
		if len(s) < literalLong-literal {
			b = append(b, literal+byte(len(s)))
		} else {
			b = binary.AppendUvarint(append(b, literalLong), uint64(len(s)))
		}
		return append(b, s...)
	case n < known.OneByte:
		return append(b, byte(n))
	default:
		return append(b, twoBytes+byte((n-known.OneByte)>>8), byte(n-known.OneByte))
	}
}

// dims reads the dimensions that differ from those before. It and origin are most of what reading a
// row takes, so they keep what is left of the chunk in a variable.
func (r *reader) dims(d *dims, of wireSet) {
	differ := r.Uvarint()
	if differ&^uint64(of) != 0 {
		r.Fail("dimensions that a row can't have")
		return
	}
	b := r.B
	for s := wireSet(differ); s != 0; s &= s - 1 {
		at := s.first()
		if len(b) == 0 {
			r.Fail("value cut short")
			return
		}
		into := &d.values[at]
		switch head := b[0]; {
		case head < known.OneByte:
			*into = knownValues[head]
			b = b[1:]
		case head == copied:
			*into = d.values[copiedFrom[at]]
			b = b[1:]
		default:
			r.B = b
			*into = r.value()
			b = r.B
		}
		d.set |= 1 << at
		if into.s == "" {
			d.set &^= 1 << at
		}
	}
	if r.Err == nil {
		r.B = b
	}
}

// value reads a value that is no copy.
func (r *reader) value() value {
	if len(r.B) == 0 {
		r.Fail("value cut short")
		return value{}
	}
	head := r.B[0]
	switch {
	case head < known.OneByte:
		r.B = r.B[1:]
		return knownValues[head]
	case head < literalLong:
		n := int(head-literal) + 1
		if n <= len(r.B) {
			v := r.B[1:n]
			r.B = r.B[n:]
			return literalOf(view(v))
		}
	case head == literalLong:
		r.B = r.B[1:]
		return literalOf(r.Text())
	case head < copied && len(r.B) > 1:
		n := known.OneByte + int(head-twoBytes)<<8 + int(r.B[1])
		r.B = r.B[2:]
		if n < len(knownValues) {
			return knownValues[n]
		}
	}
	r.Fail("bad value")
	return value{}
}

// view returns b as a string without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
