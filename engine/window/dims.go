package window

import (
	"encoding/binary"
	"math/bits"
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
	rowDims    = dimSet(1<<NumDims-1) &^ setOf(ExitPage, Goal, PropKey, PropValue)
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

// codecOrder is the order in which rows hold dimensions: what differs often between rows of a visitor comes first, what
// most visits have none of last, so that sets of them are short. It is part of the format of rows: add at the end.
var codecOrder = [...]Dim{
	Page, Name, EntryPage, ExitPage, Hostname, Source, Referrer, Channel, Country, Region, City, Language, Browser,
	BrowserVersion, OS, OSVersion, Device, Screen, UTMSource, UTMMedium, UTMCampaign, UTMContent, UTMTerm, Reason,
}

// copiedFrom is the dimension that another may be a copy of, which comes before it in codecOrder: most often the page of
// a visit's first event, and of its only one. It is part of the format of rows.
var copiedFrom = [NumDims]Dim{ExitPage: EntryPage} // all others: Page

// The first byte of a value in a row.
const (
	// Below oneByte: the number of a known value.

	literal     = 0x80 // plus the length of a value that follows
	literalLong = 0xbf // its length follows too (uvarint)
	twoBytes    = 0xc0 // plus the high byte of the number of a known value, less oneByte; the low one follows
	copied      = 0xe0 // the value of the dimension that copiedFrom names
)

// dims are the dimensions of a row with their hashes.
type dims struct {
	values [NumDims + 1]value // the last is that of a dimension which a family has not
	set    dimSet             // those that aren't ""
}

func dimsOf(all *[NumDims]string, of dimSet) (d dims) {
	for i, s := range all {
		if s != "" && of.has(Dim(i)) {
			d.values[i] = valueOf(s)
			d.set |= 1 << i
		}
	}
	return d
}

// dimWriter writes dimensions as their differences to the row before.
type dimWriter struct {
	buf  []byte
	prev [NumDims]place
}

// place says where a value is: in buf, which moves when it grows, or among the known ones.
type place struct {
	pos, len int32
	known    int32 // number + 1
}

func (w *dimWriter) reset() { w.buf, w.prev = w.buf[:0], [NumDims]place{} }

// same reports whether a value is the one at a place.
func (w *dimWriter) same(p place, s string) bool {
	if p.known > 0 {
		return known.values[p.known-1].s == s
	}
	return string(w.buf[p.pos:p.pos+p.len]) == s
}

func (w *dimWriter) dims(all *[NumDims]string, of dimSet) {
	var differ uint32
	for i, d := range codecOrder {
		if of.has(d) && !w.same(w.prev[d], all[d]) {
			differ |= 1 << i
		}
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(differ))
	for ; differ != 0; differ &= differ - 1 {
		d := codecOrder[bits.TrailingZeros32(differ)]
		s := all[d]
		if from := copiedFrom[d]; from != d && of.has(from) && s != "" && s == all[from] {
			w.buf = append(w.buf, copied)
			w.prev[d] = w.prev[from]
			continue
		}
		w.buf, w.prev[d] = appendValue(w.buf, s)
	}
}

// appendValue appends a value and says where it is.
func appendValue(b []byte, s string) ([]byte, place) {
	n := known.number(s)
	switch {
	case n < 0:
	case n < oneByte:
		return append(b, byte(n)), place{known: int32(n + 1)}
	default:
		return append(b, twoBytes+byte((n-oneByte)>>8), byte(n-oneByte)), place{known: int32(n + 1)}
	}
	if len(s) < literalLong-literal {
		b = append(b, literal+byte(len(s)))
	} else {
		b = binary.AppendUvarint(append(b, literalLong), uint64(len(s)))
	}
	return append(b, s...), place{pos: int32(len(b)), len: int32(len(s))}
}

// dims reads the dimensions that differ from those before.
func (r *reader) dims(d *dims, of dimSet) {
	differ := r.uvarint()
	if differ>>len(codecOrder) != 0 {
		r.fail("bad dimension set of a row")
		return
	}
	for s := uint32(differ); s != 0; s &= s - 1 {
		at := codecOrder[bits.TrailingZeros32(s)]
		if !of.has(at) {
			r.fail("a row with a dimension that it can't have")
			return
		}
		if len(r.b) > 0 && r.b[0] == copied {
			r.b = r.b[1:]
			d.values[at] = d.values[copiedFrom[at]]
		} else {
			d.values[at] = r.value()
		}
		if d.values[at].s == "" {
			d.set &^= 1 << at
		} else {
			d.set |= 1 << at
		}
	}
}

// value reads a value that is no copy.
func (r *reader) value() value {
	if len(r.b) == 0 {
		r.fail("value cut short")
		return value{}
	}
	head := r.b[0]
	r.b = r.b[1:]
	switch {
	case head < oneByte:
		return r.known(int(head))
	case head < literalLong:
		return valueOf(r.view(uint64(head - literal)))
	case head == literalLong:
		return valueOf(r.string())
	case head < copied && len(r.b) > 0:
		low := r.b[0]
		r.b = r.b[1:]
		return r.known(oneByte + int(head-twoBytes)<<8 + int(low))
	}
	r.fail("bad value")
	return value{}
}

func (r *reader) known(n int) value {
	if n >= len(known.values) {
		r.fail("value of an unknown number")
		return value{}
	}
	return known.values[n]
}
