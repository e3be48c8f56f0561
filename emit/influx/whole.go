package influx

import (
	"bytes"

	"millrace/engine/window"
)

// appendWhole appends w's lines with every field of its kind. Line protocol leaves revenue out where it is 0, and
// InfluxDB keeps a field of an older version that the newer one does not name: an amount that was paid back would
// stay.
func appendWhole(dst []byte, w *window.Window) ([]byte, error) {
	from := len(dst)
	dst, err := w.AppendLines(dst)
	if err != nil || w.Kind == window.Visits {
		return dst, err
	}
	lines := bytes.Clone(dst[from:])
	dst = dst[:from]
	for i := range w.Points {
		n := bytes.IndexByte(lines, '\n') + 1 // values hold no line ends
		line := lines[:n]
		lines = lines[n:]
		// The commas and equals signs of tags are escaped, so this is the field, which every point has.
		if at := bytes.Index(line, versionField); at >= 0 && w.Points[i].Revenue == 0 && !bytes.Contains(line, revenueField) {
			dst = append(append(dst, line[:at]...), ",revenue=0i"...)
			line = line[at:]
		}
		dst = append(dst, line...)
	}
	return dst, nil
}

var (
	versionField = []byte(",version=")
	revenueField = []byte(",revenue=")
)
