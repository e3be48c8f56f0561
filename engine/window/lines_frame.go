package window

import (
	"encoding/base64"
	"strconv"

	"millrace/engine/event"
)

// frame is what the lines of a window have in common, ready to be written. What it writes is what
// lineWriter.encode does.
type frame struct {
	head   *Window
	ok     bool   // whether there is one for this window: not if the site needs an escape
	tail   []byte // version, final, time and the end of the line
	family Family
	text   []byte    // of the family's lines up to the first field, without the values
	dims   int       // of the family
	before [2][2]int // where in text is what stands before each value
	order  [2]int    // which dimension the value is of
	after  []byte    // what of text stands after the last value
}

func (f *frame) init(w *Window) {
	f.head, f.family = w, NumFamilies
	if f.ok = plain(w.Site) && w.Start >= 0 && w.Start < maxFramed; !f.ok {
		return
	}
	f.tail = strconv.AppendInt([]byte("i,version="), w.Version, 10)
	f.tail = append(strconv.AppendBool(append(f.tail, "i,final="...), w.Final), ' ')
	f.tail = append(strconv.AppendInt(f.tail, int64(w.Start/event.Second), 10), '\n')
}

// maxFramed is a time before the end of those that the library writes, which is in 2262.
const maxFramed = event.Time(1 << 43)

// fits reports whether a point can be written in the frame.
func (f *frame) fits(p *Point) bool {
	if !f.ok {
		return false
	}
	for i := range p.Family.Dims() {
		if !plain(p.Dims[i]) {
			return false
		}
	}
	if p.Family != f.family {
		f.setFamily(p.Family)
	}
	return true
}

// setFamily makes the tags of a family's lines.
func (f *frame) setFamily(family Family) {
	f.family, f.dims = family, 0
	text := append(f.text[:0], Measurement(f.head.Kind, family)...)
	from := 0
	for _, t := range f.head.tags(family) {
		text = append(append(append(text, ','), t.name...), '=')
		if t.dim < 0 {
			text = append(text, t.value...)
			continue
		}
		f.before[f.dims], f.order[f.dims] = [2]int{from, len(text)}, t.dim
		from = len(text)
		f.dims++
	}
	if f.head.Kind == Visits {
		text = append(text, " visits="...)
	} else {
		text = append(text, " events="...)
	}
	f.text, f.after = text, text[from:]
}

// append appends the line of a point that fits.
func (f *frame) append(b []byte, p *Point) []byte {
	for i := range f.dims {
		b = append(append(b, f.text[f.before[i][0]:f.before[i][1]]...), p.Dims[f.order[i]]...)
	}
	b = append(b, f.after...)
	if f.head.Kind == Visits {
		b = strconv.AppendInt(b, p.Visits, 10)
		b = strconv.AppendInt(append(b, "i,bounces="...), p.Bounces, 10)
		b = strconv.AppendInt(append(b, "i,seconds="...), p.Seconds, 10)
		b = strconv.AppendInt(append(b, "i,views="...), p.Views, 10)
		return append(b, f.tail...)
	}
	b = strconv.AppendInt(b, p.Events, 10)
	b = strconv.AppendInt(append(b, "i,pageviews="...), p.Pageviews, 10)
	b = strconv.AppendInt(append(b, "i,visitors="...), int64(p.Visitors), 10)
	b = base64.StdEncoding.AppendEncode(append(b, `i,sketch="`...), p.Sketch)
	b = append(b, '"')
	tail := f.tail[1:] // without the i of an integer
	if p.Revenue != 0 {
		b, tail = strconv.AppendInt(append(b, ",revenue="...), int64(p.Revenue), 10), f.tail
	}
	if p.Paid != 0 {
		if p.Revenue != 0 {
			b = append(b, 'i')
		}
		b, tail = strconv.AppendInt(append(b, ",paid="...), p.Paid, 10), f.tail
	}
	return append(b, tail...)
}

// plain reports whether a value of a tag is written as it is: it is of characters of ASCII that
// need no escape.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if !plainBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

var plainBytes = func() (list [256]bool) {
	for c := byte('!'); c <= '~'; c++ {
		list[c] = c != ',' && c != '=' && c != '\\'
	}
	return list
}()
