package influx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// ReaderOptions of a Reader.
type ReaderOptions struct {
	// DB is the database. Required.
	DB influxdb.Config
	// Timeout bounds the wait for each chunk of an answer. Default 30 s.
	Timeout time.Duration
	// Transport makes the requests; nil is TCP.
	Transport http.RoundTripper
}

// Reader reads the rollups of one database. Make one with NewReader.
type Reader struct {
	client *influxdb.Client
}

// NewReader returns a Reader. It makes no request yet.
func NewReader(o ReaderOptions) (*Reader, error) {
	if err := o.DB.Validate(); err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	return &Reader{client: influxdb.NewClient(o.DB, o.Timeout, o.Transport)}, nil
}

// Close lets go of idle connections.
func (r *Reader) Close() error {
	r.client.CloseIdle()
	return nil
}

// ErrPoint is wrapped by the error about a point that emit/influx did not write.
var ErrPoint = errors.New("not a point of a window")

// Scan calls fn for each point of the selection, in ascending order of the windows' start. The
// point is fn's until it returns. An error of fn ends the scan and is returned.
func (r *Reader) Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	if sel.Family >= window.NumFamilies || sel.Kind >= window.NumKinds {
		return fmt.Errorf("read rollups: unknown family %d or kind %d", sel.Family, sel.Kind)
	}
	if sel.From >= sel.To || !sel.Family.In(sel.Kind) {
		return nil
	}
	d := rowDecoder{kind: sel.Kind, family: sel.Family}
	err := r.client.Query(ctx, scanQuery(sel), func(s *influxdb.Series) error {
		return d.rows(s, fn)
	})
	if influxdb.NoDatabase(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read rollups of %s: %w", d.name(), err)
	}
	return nil
}

// mostClauses is up to how many values a query filters by. Beyond it the filter is left to the
// caller, as Selection allows: parsers of InfluxQL recurse into every OR.
const mostClauses = 100

func scanQuery(sel window.Selection) string {
	cols := append(pointFields(sel.Kind), finalField)
	if sel.Kind != window.Visits {
		cols = append(cols, sketchField)
	}
	// Selected as columns, and not grouped by, tags leave one series in order of time.
	for _, dim := range sel.Family.Dims() {
		cols = append(cols, dim.String())
	}
	var b strings.Builder
	fmt.Fprintf(&b, `SELECT %s FROM %s WHERE %s = %s AND time >= %d AND time < %d`, names(cols...),
		names(window.Measurement(sel.Kind, sel.Family)), names(siteTag), influxdb.Quote(sel.Site), nanos(sel.From), nanos(sel.To))
	for i, dim := range sel.Family.Dims() {
		values := sel.Values[i]
		if values == nil || len(values) > mostClauses {
			continue
		}
		if len(values) == 0 { // any of none
			b.WriteString(" AND " + names(siteTag) + " = ''")
			continue
		}
		b.WriteString(" AND (")
		for j, v := range values {
			if j > 0 {
				b.WriteString(" OR ")
			}
			b.WriteString(influxdb.QuoteName(dim.String()) + " = " + influxdb.Quote(v))
		}
		b.WriteString(")")
	}
	return b.String()
}

// nanos converts, and keeps within what InfluxDB's 64 bits of nanoseconds hold.
func nanos(t event.Time) int64 {
	const most = 9_000_000_000_000 // ms, the year 2255
	return int64(min(max(t, -most), most)) * int64(time.Millisecond)
}

// Sites returns the sites that have rollups, sorted.
func (r *Reader) Sites(ctx context.Context) ([]string, error) {
	q := fmt.Sprintf(`SHOW TAG VALUES FROM %s WITH KEY = %s`,
		names(window.Totals.String(), window.Bots.String(), window.Dropped.String()), names(siteTag))
	var sites []string
	err := r.client.Query(ctx, q, func(s *influxdb.Series) error {
		value := s.Column("value")
		for _, row := range s.Values {
			if site := influxdb.Text(row, value); site != "" {
				sites = append(sites, site)
			}
		}
		return nil
	})
	if err != nil && !influxdb.NoDatabase(err) {
		return nil, fmt.Errorf("list sites: %w", err)
	}
	slices.Sort(sites)
	return slices.Compact(sites), nil
}

// Progress returns the latest progress of each partition, sorted by partition.
func (r *Reader) Progress(ctx context.Context) ([]window.Progress, error) {
	q := fmt.Sprintf(`SELECT %s FROM %s GROUP BY %s ORDER BY time DESC LIMIT 1`,
		names(lowField, hoursField, offsetField), names(progressName), names(partitionTag))
	var out []window.Progress
	err := r.client.Query(ctx, q, func(s *influxdb.Series) error {
		n, err := strconv.ParseInt(s.Tags[partitionTag], 10, 32)
		if err != nil {
			return fmt.Errorf("%w: progress of partition %.20q", ErrPoint, s.Tags[partitionTag])
		}
		low, hours, offset := s.Column(lowField), s.Column(hoursField), s.Column(offsetField)
		for _, row := range s.Values {
			l, ok1 := influxdb.Int(row, low)
			o, ok2 := influxdb.Int(row, offset)
			h, _ := influxdb.Int(row, hours) // 0: no hour is known to have fired
			if !ok1 || !ok2 {
				return fmt.Errorf("%w: progress of partition %d without low or offset", ErrPoint, n)
			}
			out = append(out, window.Progress{Partition: int32(n), Low: event.Time(l), Hours: event.Time(h), Offset: o})
		}
		return nil
	})
	if err != nil && !influxdb.NoDatabase(err) {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	slices.SortFunc(out, func(a, b window.Progress) int { return int(a.Partition) - int(b.Partition) })
	return out, nil
}

// Check reads one row, and returns why that can't be done. Unlike a query it takes a database that
// is not there for an error.
func (r *Reader) Check(ctx context.Context) error {
	err := r.client.Query(ctx, fmt.Sprintf(`SELECT %s FROM %s LIMIT 1`, names(offsetField), names(progressName)), func(*influxdb.Series) error { return nil })
	if err != nil {
		return fmt.Errorf("read from InfluxDB %s: %w", r.client.Config(), err)
	}
	return nil
}
