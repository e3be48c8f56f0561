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
	family window.Family
	point  window.Point
	sketch []byte
}

func (d *rowDecoder) rows(s *influxdb.Series, fn func(event.Time, bool, *window.Point) error) error {
	dims := d.family.Dims()
	at, final := s.Column("time"), s.Column("final")
	events, pageviews, visitors, sk := s.Column("events"), s.Column("pageviews"), s.Column("visitors"), s.Column("sketch")
	for _, row := range s.Values {
		sec, ok := influxdb.Int(row, at)
		if !ok {
			return fmt.Errorf("%w: %s without a time", ErrPoint, d.family)
		}
		start := event.Time(sec) * event.Second
		d.point = window.Point{Family: d.family}
		p := &d.point
		var ok1, ok2, ok3 bool
		var n int64
		p.Events, ok1 = influxdb.Int(row, events)
		p.Pageviews, ok2 = influxdb.Int(row, pageviews)
		n, ok3 = influxdb.Int(row, visitors)
		if !ok1 || !ok2 || !ok3 || p.Events < 0 || p.Pageviews < 0 || n < 0 {
			return fmt.Errorf("%w: %s at %s without its counters", ErrPoint, d.family, start)
		}
		p.Visitors = uint64(n)
		if p.Events == 0 && p.Pageviews == 0 && n == 0 {
			continue
		}
		for i, dim := range dims {
			if p.Dims[i] = influxdb.Text(row, s.Column(dim.String())); p.Dims[i] == "" {
				return fmt.Errorf("%w: %s at %s without the tag %s", ErrPoint, d.family, start, dim)
			}
		}
		var err error
		if d.sketch, err = base64.StdEncoding.AppendDecode(d.sketch[:0], []byte(influxdb.Text(row, sk))); err != nil {
			return fmt.Errorf("%w: %s at %s: sketch: %w", ErrPoint, d.family, start, err)
		}
		p.Sketch = d.sketch
		isFinal, _ := cellBool(row, final)
		if err := fn(start, isFinal, p); err != nil {
			return err
		}
	}
	return nil
}

func cellBool(row []any, column int) (v, ok bool) {
	if column < 0 || column >= len(row) {
		return false, false
	}
	v, ok = row[column].(bool)
	return v, ok
}
