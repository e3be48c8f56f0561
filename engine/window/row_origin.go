package window

import (
	"encoding/binary"
	"math/bits"

	"millrace/engine/window/internal/known"
)

// An origin is what the rows of a visit have in common besides its pages, encoded once, when the
// visit begins: where it came from and with what. It is a bit set of the dimensions that are not ""
// (uvarint), and their values, in the order of originOrder. Package visit keeps it so, and rows and
// changes of visits hold it as it is.

// originOrder is the order in which an origin holds dimensions: what most visits have none of comes
// last, so that the set takes two bytes. It is part of the format: add at the end.
var originOrder = [...]Dim{
	Source, Referrer, Channel, Country, Language, Browser, BrowserVersion, OS, OSVersion, Device, Screen, Region, City,
	UTMSource, UTMMedium, UTMCampaign, UTMContent, UTMTerm,
}

var originDims = setOf(originOrder[:]...)

// noOrigin is that of no values: what a chunk begins with.
var noOrigin = []byte{0}

// AppendOrigin encodes those of the dimensions that belong to an origin.
func AppendOrigin(dst []byte, dims *[NumDims]string) []byte {
	var set uint64
	for i, d := range originOrder {
		if dims[d] != "" {
			set |= 1 << i
		}
	}
	dst = binary.AppendUvarint(dst, set)
	for ; set != 0; set &= set - 1 {
		dst = AppendValue(dst, dims[originOrder[bits.TrailingZeros64(set)]])
	}
	return dst
}

// ReadOrigin sets the dimensions that belong to an origin, as views of b, and reports whether b is
// one.
func ReadOrigin(b []byte, dims *[NumDims]string) (ok bool) {
	r := newReader(b)
	set := r.originSet()
	for i, d := range originOrder {
		dims[d] = ""
		if set>>i&1 != 0 {
			dims[d] = r.originValue().s
		}
	}
	return r.Err == nil && len(r.B) == 0
}

// origin reads an origin into d.
func (r *reader) origin(d *dims) {
	set := r.originSet()
	for gone := d.set & originDims; gone != 0; gone &= gone - 1 {
		d.values[bits.TrailingZeros32(uint32(gone))] = value{}
	}
	d.set &^= originDims
	b := r.B
	for ; set != 0; set &= set - 1 {
		at := originOrder[bits.TrailingZeros64(set)]
		into := &d.values[at]
		if len(b) > 0 && b[0] < known.OneByte && knownValues[b[0]].s != "" {
			*into = knownValues[b[0]]
			b = b[1:]
		} else {
			r.B = b
			*into = r.originValue()
			b = r.B
		}
		if into.s != "" {
			d.set |= 1 << at
		}
	}
	if r.Err == nil {
		r.B = b
	}
}

func (r *reader) originSet() uint64 {
	set := r.Uvarint()
	if set >= 1<<len(originOrder) {
		r.Fail("dimensions that an origin can't have")
		return 0
	}
	return set
}

func (r *reader) originValue() value {
	v := r.value()
	if v.s == "" {
		r.Fail("empty value in an origin")
	}
	return v
}

// AppendValue appends a value: one that the world has few of, such as a browser, takes a byte or
// two.
func AppendValue(dst []byte, s string) []byte { return appendValue(dst, s, known.Number(s)) }

// CutValue reads a value of AppendValue, as a view, and reports whether there is one.
func CutValue(b []byte) (s string, rest []byte, ok bool) {
	if len(b) == 0 {
		return "", nil, false
	}
	switch head := b[0]; {
	case head < known.OneByte:
		return knownValues[head].s, b[1:], true
	case head < literalLong:
		n := int(head-literal) + 1
		if n > len(b) {
			return "", nil, false
		}
		return view(b[1:n]), b[n:], true
	}
	r := newReader(b)
	v := r.value()
	return v.s, r.B, r.Err == nil
}
