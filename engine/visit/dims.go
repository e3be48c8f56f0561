package visit

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"millrace/engine/window"
)

// kept lists the dimensions that a visit keeps, in the order of the encoding: the entry page first, because it is asked for
// alone. A dimension that is added to package window comes last here too.
var kept = func() []window.Dim {
	list := []window.Dim{window.EntryPage, window.Hostname}
	for d := range window.NumDims {
		if d.OfVisit() && d != window.EntryPage {
			list = append(list, d)
		}
	}
	return slices.Clip(list)
}()

// In front of a value: codeEmpty, codeNone, or its length + codeShort-1.
const (
	codeEmpty = iota
	codeNone
	codeShort
)

// direct is the channel of a visit of which nothing tells where it came from.
const direct = "Direct"

// appendDims appends the dimensions of a visit whose first event has this row.
func appendDims(b []byte, r *window.Row) []byte {
	for _, d := range kept {
		s := r.Dims[d]
		switch d {
		case window.EntryPage:
			s = ""
			if r.Flags&window.PageviewRow != 0 {
				s = r.Dims[window.Page]
			}
		case window.Source, window.Referrer:
			if s == "" {
				s = window.None // it came from the site itself, so what came before is not known
			}
		case window.Channel:
			if s == "" {
				s = direct
			}
		}
		b = appendValue(b, s)
	}
	return b
}

func appendValue(b []byte, s string) []byte {
	switch {
	case s == "":
		return append(b, codeEmpty)
	case s == window.None:
		return append(b, codeNone)
	}
	s = s[:min(len(s), window.MaxValueLen)]
	b = binary.AppendUvarint(b, uint64(len(s)+codeShort-1))
	return append(b, s...)
}

// cutValue reads a value, as a view.
func cutValue(b []byte) (s string, rest []byte, ok bool) {
	code, n := uint64(0), 1
	if len(b) > 0 && b[0] < 0x80 {
		code = uint64(b[0])
	} else if code, n = binary.Uvarint(b); n <= 0 {
		return "", nil, false
	}
	b = b[n:]
	switch code {
	case codeEmpty:
		return "", b, true
	case codeNone:
		return window.None, b, true
	}
	code -= codeShort - 1
	if code > uint64(len(b)) || code > window.MaxValueLen {
		return "", nil, false
	}
	return unsafe.String(unsafe.SliceData(b), int(code)), b[code:], true
}

// readDims fills in the dimensions that a visit keeps, as views of b. It reports whether b is well formed; those that b has
// not are "".
func readDims(b []byte, dims *[window.NumDims]string) (ok bool) {
	for _, d := range kept {
		if len(b) == 0 {
			dims[d] = ""
			continue
		}
		if dims[d], b, ok = cutValue(b); !ok {
			return false
		}
	}
	return len(b) == 0
}

// entryPage returns the entry page out of dimensions.
func entryPage(b []byte) string {
	s, _, _ := cutValue(b)
	return s
}
