package window

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"millrace/engine/event"
)

// Window is one fired window: all rollups of a site's minute, hour or quarter of an hour, whole.
type Window struct {
	Kind  Kind
	Site  string
	Shard uint16
	Start event.Time
	// Version is the offset of the log at which the window fired: of two Windows of the same site, shard and
	// Start the one with the larger Version is the newer.
	Version int64
	// Final is unset in an early firing: the minute is not over.
	Final bool
	// Points are sorted by family, then by value, Other last.
	Points []Point
}

// Point is one rollup of a window.
type Point struct {
	Family Family
	// Dims holds the values of Family.Dims(); what is past them is "".
	Dims [2]string
	Rollup
}

// Rollup is what is counted for a value.
type Rollup struct {
	Events    int64
	Pageviews int64
	// Visitors is the sketch's estimate, for readers that can't read sketches. It must never be added up.
	Visitors uint64
	// Sketch is the encoded sketch of the visitors, see package sketch; empty for none.
	Sketch []byte
	// Revenue is the sum of the events' amounts, whatever their currency: a site has one.
	Revenue event.Money

	// Of windows of Kind Visits only, and then nothing of the above is set.

	// Visits is the number of visits that began in the window.
	Visits int64
	// Bounces is how many of them have one pageview and no interactive event.
	Bounces int64
	// Seconds is the sum of their durations, last event minus first; that of a bounce is 0.
	Seconds int64
	// Views is the sum of their pageviews.
	Views int64
}

// Line protocol: one line per Point,
//
//	page,page=/pricing,site=example.com events=3i,pageviews=3i,visitors=2i,sketch="…",version=1234i,final=true 1700000040
//
// with the tag shard where it is not 0, and the time in seconds. Tags are in lexical order.

// AppendLines appends w as line protocol.
func (w *Window) AppendLines(dst []byte) ([]byte, error) {
	l := newLineWriter(w, dst)
	for i := range w.Points {
		l.point(&w.Points[i])
	}
	return l.finish()
}

// Records encodes the rollups of a as records of head, which says of which window; its Points are not used. A record is
// closed as soon as it has most bytes, so that the window of a giant site does not become a record that no broker
// takes: the parts have one Version, and a sink adds a part to what it has of that Version. The slices given to
// emit are its own.
func (a *Agg) Records(head *Window, most int, emit func([]byte) error) error {
	l := newLineWriter(head, nil)
	var err error
	flush := func() {
		var b []byte
		if b, err = l.finish(); err == nil {
			err = emit(b)
		}
		l = newLineWriter(head, make([]byte, 0, len(b)))
	}
	var p Point
	a.eachSorted(func(f Family, c *cell) {
		if err != nil {
			return
		}
		p = Point{Family: f, Rollup: Rollup{Events: c.events, Pageviews: c.pageviews, Visitors: c.visitors.Estimate(), Sketch: c.visitors.AppendBinary(p.Sketch[:0])}}
		p.setDims(c.value)
		l.point(&p)
		if len(l.enc.Bytes()) >= most {
			flush()
		}
	})
	if err == nil && len(l.enc.Bytes()) > 0 {
		flush()
	}
	return err
}

// lineWriter encodes the points of one window.
type lineWriter struct {
	enc  lineprotocol.Encoder
	head *Window
	at   time.Time
	text []byte // base64 of a sketch
}

func newLineWriter(head *Window, dst []byte) *lineWriter {
	l := &lineWriter{head: head, at: head.Start.Std()}
	l.enc.SetPrecision(lineprotocol.Second)
	l.enc.SetBuffer(dst)
	return l
}

func (l *lineWriter) point(p *Point) {
	e := &l.enc
	e.StartLine(p.Family.String())
	l.head.addTags(e, p)
	e.AddField("events", lineprotocol.IntValue(p.Events))
	e.AddField("pageviews", lineprotocol.IntValue(p.Pageviews))
	e.AddField("visitors", lineprotocol.IntValue(int64(p.Visitors)))
	l.text = base64.StdEncoding.AppendEncode(l.text[:0], p.Sketch)
	v, _ := lineprotocol.StringValueFromBytes(l.text) // base64 is valid UTF-8
	e.AddField("sketch", v)
	e.AddField("version", lineprotocol.IntValue(l.head.Version))
	e.AddField("final", lineprotocol.BoolValue(l.head.Final))
	e.EndLine(l.at)
}

func (l *lineWriter) finish() ([]byte, error) {
	if err := l.enc.Err(); err != nil {
		return nil, fmt.Errorf("encode window %s %s: %w", l.head.Site, l.head.Start, err)
	}
	return l.enc.Bytes(), nil
}

func (w *Window) addTags(e *lineprotocol.Encoder, p *Point) {
	// The tags of a family, and site and shard, in lexical order: a list of at most four.
	tags := make([][2]string, 0, 4)
	for i, d := range p.Family.Dims() {
		tags = append(tags, [2]string{d.String(), p.Dims[i]})
	}
	if w.Shard != 0 {
		tags = append(tags, [2]string{"shard", strconv.Itoa(int(w.Shard))})
	}
	tags = append(tags, [2]string{"site", w.Site})
	for i := 1; i < len(tags); i++ {
		for j := i; j > 0 && tags[j][0] < tags[j-1][0]; j-- {
			tags[j], tags[j-1] = tags[j-1], tags[j]
		}
	}
	for _, t := range tags {
		e.AddTag(t[0], t[1])
	}
}

// Progress says how far one partition of the log has been counted. It travels among the windows, in the
// partition of the same number, behind the windows it speaks of:
//
//	progress,partition=3 low=1700000040000i,offset=1234i 1700000040
type Progress struct {
	Partition int32
	// Low is the watermark: every window that ends at or before it has fired as final.
	Low event.Time
	// Hours is the start of the first hour that has not fired as final: every hour window before it has.
	Hours event.Time
	// Offset is that of the tick that said so.
	Offset int64
}

// progressName is the measurement of Progress.
const progressName = "progress"

// AppendLines appends p as line protocol.
func (p Progress) AppendLines(dst []byte) []byte {
	return fmt.Appendf(dst, "%s,partition=%d low=%di,offset=%di %d\n", progressName, p.Partition, p.Low, p.Offset, p.Low/event.Second)
}

// ErrLine is wrapped by every error about a line that is not one of ours.
var ErrLine = errors.New("not a line of a window")

// Record is what one record of the topic millrace.windows holds: a Window or a Progress.
type Record struct {
	Window   *Window
	Progress *Progress
}

// Decode reads the value of a record of the topic millrace.windows: the lines of one window, or a progress
// line. The result shares no memory with b.
func Decode(b []byte) (Record, error) {
	dec := lineprotocol.NewDecoderWithBytes(b)
	var rec Record
	for dec.Next() {
		name, err := dec.Measurement()
		if err != nil {
			return Record{}, fmt.Errorf("%w: %w", ErrLine, err)
		}
		if string(name) == progressName {
			p, err := decodeProgress(dec)
			if err != nil {
				return Record{}, err
			}
			rec.Progress = &p
			continue
		}
		f, ok := ParseFamily(string(name))
		if !ok {
			return Record{}, fmt.Errorf("%w: unknown measurement %.60q", ErrLine, name)
		}
		if rec.Window == nil {
			rec.Window = &Window{Start: noTime}
		}
		if err := decodePoint(dec, f, rec.Window); err != nil {
			return Record{}, fmt.Errorf("%s: %w", f, err)
		}
	}
	if err := dec.Err(); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	switch {
	case rec.Window == nil && rec.Progress == nil:
		return Record{}, fmt.Errorf("%w: the record is empty", ErrLine)
	case rec.Window != nil && rec.Progress != nil:
		return Record{}, fmt.Errorf("%w: a window and a progress line in one record", ErrLine)
	}
	return rec, nil
}

const noTime = event.Time(-1 << 63)

func decodePoint(dec *lineprotocol.Decoder, f Family, w *Window) error {
	p := Point{Family: f}
	var site string
	var shard uint64
	for {
		key, val, err := dec.NextTag()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrLine, err)
		}
		if key == nil {
			break
		}
		switch string(key) {
		case "site":
			site = string(val)
		case "shard":
			if shard, err = strconv.ParseUint(string(val), 10, 16); err != nil {
				return fmt.Errorf("%w: shard %.20q", ErrLine, val)
			}
		default:
			i := dimIndex(f, string(key))
			if i < 0 {
				return fmt.Errorf("%w: unknown tag %.60q", ErrLine, key)
			}
			p.Dims[i] = string(val)
		}
	}
	if err := event.ValidSite(site); err != nil {
		return fmt.Errorf("%w: %w", ErrLine, err)
	}
	for i := range f.Dims() {
		if p.Dims[i] == "" {
			return fmt.Errorf("%w: tag %s is missing", ErrLine, f.Dims()[i])
		}
	}
	version, final, err := decodeFields(dec, &p.Rollup)
	if err != nil {
		return err
	}
	at, err := dec.Time(lineprotocol.Second, time.Time{})
	if err != nil || at.IsZero() {
		return fmt.Errorf("%w: bad or missing time", ErrLine)
	}
	head := Window{Site: site, Shard: uint16(shard), Start: event.TimeOf(at), Version: version, Final: final}
	if w.Start == noTime {
		*w = head
	} else if w.Site != head.Site || w.Shard != head.Shard || w.Start != head.Start || w.Version != head.Version || w.Final != head.Final {
		return fmt.Errorf("%w: lines of two windows in one record", ErrLine)
	}
	w.Points = append(w.Points, p)
	return nil
}

func dimIndex(f Family, tag string) int {
	for i, d := range f.Dims() {
		if d.String() == tag {
			return i
		}
	}
	return -1
}

func decodeFields(dec *lineprotocol.Decoder, r *Rollup) (version int64, final bool, err error) {
	for {
		key, val, err := dec.NextField()
		if err != nil {
			return 0, false, fmt.Errorf("%w: %w", ErrLine, err)
		}
		if key == nil {
			return version, final, nil
		}
		ok := true
		switch string(key) {
		case "events":
			r.Events, ok = val.Interface().(int64)
		case "pageviews":
			r.Pageviews, ok = val.Interface().(int64)
		case "visitors":
			var n int64
			n, ok = val.Interface().(int64)
			r.Visitors = uint64(n)
		case "version":
			version, ok = val.Interface().(int64)
		case "final":
			final, ok = val.Interface().(bool)
		case "sketch":
			var text string
			if text, ok = val.Interface().(string); !ok {
				break
			}
			if r.Sketch, err = base64.StdEncoding.DecodeString(text); err != nil {
				return 0, false, fmt.Errorf("%w: sketch: %w", ErrLine, err)
			}
		}
		if !ok {
			return 0, false, fmt.Errorf("%w: field %s is a %s", ErrLine, key, val.Kind())
		}
	}
}

func decodeProgress(dec *lineprotocol.Decoder) (Progress, error) {
	var p Progress
	for {
		key, val, err := dec.NextTag()
		if err != nil {
			return p, fmt.Errorf("%w: %w", ErrLine, err)
		}
		if key == nil {
			break
		}
		if string(key) != "partition" {
			continue
		}
		n, err := strconv.ParseInt(string(val), 10, 32)
		if err != nil {
			return p, fmt.Errorf("%w: partition %.20q", ErrLine, val)
		}
		p.Partition = int32(n)
	}
	for {
		key, val, err := dec.NextField()
		if err != nil {
			return p, fmt.Errorf("%w: %w", ErrLine, err)
		}
		if key == nil {
			break
		}
		n, ok := val.Interface().(int64)
		if !ok {
			return p, fmt.Errorf("%w: field %s is a %s", ErrLine, key, val.Kind())
		}
		switch string(key) {
		case "low":
			p.Low = event.Time(n)
		case "offset":
			p.Offset = n
		}
	}
	return p, nil
}

// Selection is a question to a store of rollups: the points of one family of one site in [From, To).
type Selection struct {
	Kind   Kind
	Site   string
	Family Family
	From   event.Time
	To     event.Time
	// Values restricts the family's dimensions, by position, to the values listed; nil is any. Stores may
	// return more than asked for: who asks filters again.
	Values [2][]string
}
