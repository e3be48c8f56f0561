package window

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"millrace/engine/event"
)

// Line protocol: one line per Point,
//
//	page,page=/pricing,site=example.com events=3i,pageviews=3i,visitors=2i,sketch="…",version=1234i,final=true 1700000040
//
// with the tag shard where it is not 0, the field revenue (in event.Money, ten-thousandths of the
// site's currency) where it is not 0, and the time in seconds. The points of an hour have the same
// in measurements of their own, and those of visits other fields, all of them always, because a
// value that visits have moved away from goes back to zero:
//
//	page_hour,page=/pricing,site=example.com events=3i,pageviews=3i,visitors=2i,sketch="…",revenue=99000i,version=1234i,final=true 1700002800
//	source_visits,site=example.com,source=Google visits=3i,bounces=1i,seconds=340i,views=9i,version=1234i,final=true 1700000100
//
// Tags are in lexical order.

// AppendLines appends w as line protocol.
func (w *Window) AppendLines(dst []byte) ([]byte, error) {
	l := newLineWriter(w, dst)
	for i := range w.Points {
		l.point(&w.Points[i])
	}
	return l.finish()
}

// Records encodes the rollups of a as records of head, which names the window; its Points are
// not used. A record is closed as soon as it has most bytes, so that the window of a giant site
// does not become a record that no broker takes: the parts have one Version, and a sink adds a part
// to what it has of that Version. The slices given to emit are its own. An hour is chosen as by
// Fill.
func (a *Agg) Records(head *Window, most int, emit func([]byte) error) error {
	a.prepare(head.Kind)
	left := a.linesLen(head)
	l := newLineWriter(head, make([]byte, 0, min(left, most+most/8)))
	var err error
	flush := func(more bool) {
		var b []byte
		if b, err = l.finish(); err == nil {
			err = emit(b)
		}
		if left -= len(b); more {
			l = newLineWriter(head, make([]byte, 0, max(0, min(left, most+most/8))))
		}
	}
	var buf []byte
	sketchOf := func(f Family, place int) []byte {
		buf = a.fams[f].cells[place].visitors.AppendBinary(buf[:0])
		return buf
	}
	keep := head.Kind == Minute && head.Final
	if a.enc.drop(); keep {
		a.enc.begin(a)
		sketchOf = func(f Family, place int) []byte { return a.enc.add(f, place, &a.fams[f].cells[place]) }
	}
	a.eachSorted(head.Kind, func(f Family, place int) {
		if err != nil {
			return
		}
		p := a.point(head.Kind, f, place)
		if head.Kind != Visits {
			p.Sketch = sketchOf(f, place)
		}
		l.point(&p)
		if len(l.enc.Bytes()) >= most {
			flush(true)
		}
	})
	if err == nil && len(l.enc.Bytes()) > 0 {
		flush(false)
	}
	a.enc.valid = keep && err == nil
	return err
}

// linesLen is about how many bytes the rollups take as lines, a little more in most cases.
func (a *Agg) linesLen(head *Window) int {
	const names, counts, visitCounts = 40, 80, 100
	n := 0
	for f := range a.fams {
		if !Family(f).In(head.Kind) {
			continue
		}
		cells := a.fams[f].cells
		if n += len(cells) * (names + len(head.Site)); head.Kind == Visits {
			n += len(cells) * visitCounts
			for i := range cells {
				n += len(cells[i].text)
			}
			continue
		}
		n += len(cells) * counts
		for i := range cells {
			n += len(cells[i].text) + base64.StdEncoding.EncodedLen(cells[i].visitors.EncodedLen())
		}
	}
	return n
}

// lineWriter encodes the points of one window.
//
// The library's encoder checks, counts and escapes each name and each value of a line anew, which
// is most of what firing a window costs. So what is the same in many lines is made once (frame),
// and a value is written as it is if nothing in it could need a check or an escape (plain); all
// others go the way of the library, in whole lines.
type lineWriter struct {
	enc   lineprotocol.Encoder
	head  *Window
	at    time.Time
	text  []byte // base64 of a sketch
	frame frame
}

func newLineWriter(head *Window, dst []byte) *lineWriter {
	l := &lineWriter{head: head, at: head.Start.Std()}
	l.enc.SetPrecision(lineprotocol.Second)
	l.enc.SetBuffer(dst)
	l.frame.init(head)
	return l
}

func (l *lineWriter) point(p *Point) {
	if l.enc.Err() == nil && l.frame.fits(p) {
		// A buffer that has been set is one that ends with a line, as this does.
		l.enc.SetBuffer(l.frame.append(l.enc.Bytes(), p))
		return
	}
	l.encode(p)
}

// encode encodes a point with the library.
func (l *lineWriter) encode(p *Point) {
	e := &l.enc
	e.StartLine(Measurement(l.head.Kind, p.Family))
	l.head.addTags(e, p)
	if l.head.Kind == Visits {
		e.AddField("visits", lineprotocol.IntValue(p.Visits))
		e.AddField("bounces", lineprotocol.IntValue(p.Bounces))
		e.AddField("seconds", lineprotocol.IntValue(p.Seconds))
		e.AddField("views", lineprotocol.IntValue(p.Views))
	} else {
		l.eventFields(p)
	}
	e.AddField("version", lineprotocol.IntValue(l.head.Version))
	e.AddField("final", lineprotocol.BoolValue(l.head.Final))
	e.EndLine(l.at)
}

func (l *lineWriter) eventFields(p *Point) {
	e := &l.enc
	e.AddField("events", lineprotocol.IntValue(p.Events))
	e.AddField("pageviews", lineprotocol.IntValue(p.Pageviews))
	e.AddField("visitors", lineprotocol.IntValue(int64(p.Visitors)))
	l.text = base64.StdEncoding.AppendEncode(l.text[:0], p.Sketch)
	v, _ := lineprotocol.StringValueFromBytes(l.text) // base64 is valid UTF-8
	e.AddField("sketch", v)
	if p.Revenue != 0 {
		e.AddField("revenue", lineprotocol.IntValue(int64(p.Revenue)))
	}
	if p.Paid != 0 {
		e.AddField("paid", lineprotocol.IntValue(p.Paid))
	}
}

func (l *lineWriter) finish() ([]byte, error) {
	if err := l.enc.Err(); err != nil {
		return nil, fmt.Errorf("encode window of %s %s %s: %w", l.head.Site, l.head.Kind, l.head.Start, err)
	}
	return l.enc.Bytes(), nil
}

func (w *Window) addTags(e *lineprotocol.Encoder, p *Point) {
	for _, t := range w.tags(p.Family) {
		if t.dim >= 0 {
			t.value = p.Dims[t.dim]
		}
		e.AddTag(t.name, t.value)
	}
}

// tag is a tag of the lines of a family.
type tag struct {
	name, value string
	dim         int // number of the dimension that it has the value of, -1 for none
}

// tags returns the tags of a family, and site and shard, in lexical order: a list of at most four.
func (w *Window) tags(f Family) []tag {
	tags := make([]tag, 0, 4)
	for i, d := range f.Dims() {
		tags = append(tags, tag{name: d.String(), dim: i})
	}
	if w.Shard != 0 {
		tags = append(tags, tag{"shard", strconv.Itoa(int(w.Shard)), -1})
	}
	tags = append(tags, tag{"site", w.Site, -1})
	for i := 1; i < len(tags); i++ {
		for j := i; j > 0 && tags[j].name < tags[j-1].name; j-- {
			tags[j], tags[j-1] = tags[j-1], tags[j]
		}
	}
	return tags
}

// Progress is how far one partition of the log has been counted. It travels among the windows, in
// the partition of the same number, behind the windows it speaks of:
//
//	progress,partition=3 low=1700000040000i,hours=1699999200000i,offset=1234i 1700000040
type Progress struct {
	Partition int32
	// Low is the watermark: every window that ends at or before it has fired as final.
	Low event.Time
	// Hours is the start of the first hour that has not fired as final: every hour window before it
	// has.
	Hours event.Time
	// Offset is that of the tick that reported it.
	Offset int64
}

// progressName is the measurement of Progress.
const progressName = "progress"

// AppendLines appends p as line protocol.
func (p Progress) AppendLines(dst []byte) []byte {
	return fmt.Appendf(dst, "%s,partition=%d low=%di,hours=%di,offset=%di %d\n", progressName, p.Partition, p.Low, p.Hours, p.Offset, p.Low/event.Second)
}
