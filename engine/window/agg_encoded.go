package window

import "slices"

// encoded keeps the sketches of a window that has fired for good as they were written: right after
// that it is folded for the store, with the same sketches.
type encoded struct {
	text  []byte
	ends  [NumFamilies][]uint32 // by place, where in text its sketch begins and ends
	valid bool                  // whether the sketches are still these
}

// maxEncoded is how many bytes an emptied Agg keeps.
const maxEncoded = 64 << 10

// begin makes room for the sketches of an Agg.
func (e *encoded) begin(a *Agg) {
	size := 0
	for f := range e.ends {
		cells := a.fams[f].cells
		if n := 2 * len(cells); cap(e.ends[f]) < n {
			e.ends[f] = make([]uint32, n)
		}
		e.ends[f] = e.ends[f][:2*len(cells)]
		for i := range cells {
			size += cells[i].visitors.EncodedLen()
		}
	}
	e.text = slices.Grow(e.text[:0], size)
}

// add encodes the sketch of a place.
func (e *encoded) add(f Family, place int, c *cell) []byte {
	from := len(e.text)
	e.text = c.visitors.AppendBinary(e.text)
	e.ends[f][2*place], e.ends[f][2*place+1] = uint32(from), uint32(len(e.text))
	return e.text[from:]
}

// sketch returns what add has encoded.
func (e *encoded) sketch(f Family, place int) []byte {
	return e.text[e.ends[f][2*place]:e.ends[f][2*place+1]]
}

// drop is called when a sketch is about to change.
func (e *encoded) drop() { e.valid = false }

func (e *encoded) bytes() int {
	n := cap(e.text)
	for f := range e.ends {
		n += cap(e.ends[f]) * 4
	}
	return n
}

func (e *encoded) reset() {
	if e.valid = false; cap(e.text) > maxEncoded {
		*e = encoded{}
	}
}
