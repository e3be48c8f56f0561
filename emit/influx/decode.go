package influx

import (
	"encoding/base64"
	"fmt"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// rowDecoder makes points of rows. The point is used again for each row, its sketch too.
type rowDecoder struct {
	kind   window.Kind
	family window.Family
	point  window.Point
	sketch []byte
}

func (d *rowDecoder) rows(s *influxdb.Series, fn func(event.Time, bool, *window.Point) error) error {
	dims := d.family.Dims()
	at, final, sk := s.Column(timeColumn), s.Column(finalField), s.Column(sketchField)
	var columns [5]int
	for i, name := range pointFields(d.kind) {
		columns[i] = s.Column(name)
	}
	for _, row := range s.Values {
		sec, ok := influxdb.Int(row, at)
		if !ok {
			return fmt.Errorf("%w: %s without a time", ErrPoint, d.name())
		}
		start := event.Time(sec) * event.Second
		d.point = window.Point{Family: d.family}
		p := &d.point
		if !d.counters(row, &columns) {
			return fmt.Errorf("%w: %s at %s without its counters", ErrPoint, d.name(), start)
		}
		if isZero(&p.Rollup) {
			continue
		}
		for i, dim := range dims {
			if p.Dims[i] = influxdb.Text(row, s.Column(dim.String())); p.Dims[i] == "" {
				return fmt.Errorf("%w: %s at %s without the tag %s", ErrPoint, d.name(), start, dim)
			}
		}
		var err error
		if d.sketch, err = base64.StdEncoding.AppendDecode(d.sketch[:0], []byte(influxdb.Text(row, sk))); err != nil {
			return fmt.Errorf("%w: %s at %s: sketch: %w", ErrPoint, d.name(), start, err)
		}
		p.Sketch = d.sketch
		isFinal, _ := cellBool(row, final)
		if err := fn(start, isFinal, p); err != nil {
			return err
		}
	}
	return nil
}

func (d *rowDecoder) name() string { return window.Measurement(d.kind, d.family) }

// counters reads those of a row into the point; ok is unset if the row is none of ours.
func (d *rowDecoder) counters(row []any, columns *[5]int) (ok bool) {
	var n [5]int64
	var there [5]bool
	for i, c := range columns[:len(pointFields(d.kind))] {
		n[i], there[i] = influxdb.Int(row, c)
	}
	r := &d.point.Rollup
	if d.kind == window.Visits {
		r.Visits, r.Bounces, r.Seconds, r.Views = n[0], n[1], n[2], n[3]
		return there[0] && there[1] && there[2] && there[3] && min(n[0], n[1], n[2], n[3]) >= 0
	}
	r.Events, r.Pageviews, r.Visitors, r.Revenue, r.Paid = n[0], n[1], uint64(n[2]), event.Money(n[3]), n[4]
	return there[0] && there[1] && there[2] && min(n[0], n[1], n[2]) >= 0
}

// isZero reports whether the sink has overwritten a value that is gone.
func isZero(r *window.Rollup) bool {
	return r.Events == 0 && r.Pageviews == 0 && r.Visitors == 0 && r.Visits == 0 && r.Bounces == 0 && r.Seconds == 0 && r.Views == 0
}

func cellBool(row []any, column int) (v, ok bool) {
	if column < 0 || column >= len(row) {
		return false, false
	}
	v, ok = row[column].(bool)
	return v, ok
}
