package influx

import (
	"bytes"

	"millrace/engine/window"
)

// appendWhole appends w's lines with every field of its kind. Line protocol leaves revenue and paid
// out where they are 0, and InfluxDB keeps a field of an older version that the newer one does not
// name: an amount that was paid back would stay.
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
		// The commas and equals signs of tags are escaped, so this is the field, which every point
		// has.
		if at := bytes.Index(line, versionStart); at >= 0 {
			dst = append(dst, line[:at]...)
			if w.Points[i].Revenue == 0 && !bytes.Contains(line, revenueStart) {
				dst = append(append(dst, revenueStart...), "0i"...)
			}
			if w.Points[i].Paid == 0 && !bytes.Contains(line, paidStart) {
				dst = append(append(dst, paidStart...), "0i"...)
			}
			line = line[at:]
		}
		dst = append(dst, line...)
	}
	return dst, nil
}

// What the fields of a line begin with that are not its first.
var (
	versionStart = []byte("," + versionField + "=")
	revenueStart = []byte("," + revenueField + "=")
	paidStart    = []byte("," + paidField + "=")
)
