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

// ErrLine is wrapped by every error about a line that is not one of ours.
var ErrLine = errors.New("not a line of a window")

// Record is what one record of the topic millrace.windows holds: a Window or a Progress.
type Record struct {
	Window   *Window
	Progress *Progress
}

// Decode reads the value of a record of the topic millrace.windows: the lines of one window, or a
// progress line. The result shares no memory with b.
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
		k, f, ok := ParseMeasurement(string(name))
		if !ok {
			return Record{}, fmt.Errorf("%w: unknown measurement %.60q", ErrLine, name)
		}
		if rec.Window == nil {
			rec.Window = &Window{Start: noTime}
		}
		if err := decodePoint(dec, k, f, rec.Window); err != nil {
			return Record{}, fmt.Errorf("%s: %w", Measurement(k, f), err)
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

func decodePoint(dec *lineprotocol.Decoder, k Kind, f Family, w *Window) error {
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
	version, final, err := decodeFields(dec, k, &p.Rollup)
	if err != nil {
		return err
	}
	at, err := dec.Time(lineprotocol.Second, time.Time{})
	if err != nil || at.IsZero() {
		return fmt.Errorf("%w: bad or missing time", ErrLine)
	}
	head := Window{Kind: k, Site: site, Shard: uint16(shard), Start: event.TimeOf(at), Version: version, Final: final}
	if w.Start == noTime {
		*w = head
	} else if w.Kind != head.Kind || w.Site != head.Site || w.Shard != head.Shard || w.Start != head.Start || w.Version != head.Version || w.Final != head.Final {
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

// decodeFields reads the fields that points of a kind have. It passes over others, so that a field
// can be added.
func decodeFields(dec *lineprotocol.Decoder, k Kind, r *Rollup) (version int64, final bool, err error) {
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
		case "version":
			version, ok = val.Interface().(int64)
		case "final":
			final, ok = val.Interface().(bool)
		default:
			if k == Visits {
				ok = r.setVisitField(string(key), val)
			} else {
				ok, err = r.setEventField(string(key), val)
			}
		}
		if err != nil {
			return 0, false, err
		}
		if !ok {
			return 0, false, fmt.Errorf("%w: field %s is a %s", ErrLine, key, val.Kind())
		}
	}
}

// setEventField takes in a field of a point of a minute or an hour, or reports that its type is not
// that of the field.
func (r *Rollup) setEventField(key string, val lineprotocol.Value) (ok bool, err error) {
	ok = true
	switch key {
	case "events":
		r.Events, ok = val.Interface().(int64)
	case "pageviews":
		r.Pageviews, ok = val.Interface().(int64)
	case "visitors":
		var n int64
		n, ok = val.Interface().(int64)
		r.Visitors = uint64(n)
	case "revenue":
		var n int64
		n, ok = val.Interface().(int64)
		r.Revenue = event.Money(n)
	case "paid":
		r.Paid, ok = val.Interface().(int64)
	case "sketch":
		var text string
		if text, ok = val.Interface().(string); !ok {
			break
		}
		if r.Sketch, err = base64.StdEncoding.DecodeString(text); err != nil {
			err = fmt.Errorf("%w: sketch: %w", ErrLine, err)
		}
	}
	return ok, err
}

// setVisitField is setEventField for a point of visits.
func (r *Rollup) setVisitField(key string, val lineprotocol.Value) (ok bool) {
	ok = true
	switch key {
	case "visits":
		r.Visits, ok = val.Interface().(int64)
	case "bounces":
		r.Bounces, ok = val.Interface().(int64)
	case "seconds":
		r.Seconds, ok = val.Interface().(int64)
	case "views":
		r.Views, ok = val.Interface().(int64)
	}
	return ok
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
		case "hours":
			p.Hours = event.Time(n)
		case "offset":
			p.Offset = n
		}
	}
	return p, nil
}
