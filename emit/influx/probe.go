package influx

import (
	"context"
	"fmt"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// probeName is the measurement of the probe's one series, which nothing reads.
const probeName = "millrace_probe"

// Probe tries what a Sink does, once each: it writes a point of a measurement of its own, and reads
// the versions of a moment to come. Like a write, it makes a database that is missing, where the
// server lets it. The point is a real one, because an empty write is no case that servers agree on:
// InfluxDB 1.8.10 takes it with 204, others refuse a body without a point.
func (s *Sink) Probe(ctx context.Context) error {
	line := fmt.Appendf(nil, "%s written=1i %d\n", probeName, time.Now().Unix())
	err := s.client.Write(ctx, line, "")
	if influxdb.NoDatabase(err) && s.send.createDatabase(ctx) {
		err = s.client.Write(ctx, line, "")
	}
	if err != nil {
		return fmt.Errorf("write to InfluxDB %s: %w", s.client.Config(), err)
	}
	next := event.TimeOf(time.Now())/event.Minute*event.Minute + event.Minute
	if _, err = readVersions(ctx, s.client, span{window.Minute, next, next + event.Minute}); err != nil {
		return fmt.Errorf("read from InfluxDB %s: %w", s.client.Config(), err)
	}
	return nil
}

// Waiting returns since when the Sink has waited for InfluxDB, and why if that is known; the zero
// time if it does not wait. A request under way is a wait too: a server that never answers is no
// better than one that refuses.
func (s *Sink) Waiting() (since time.Time, why error) {
	if w := s.send.wait.Load(); w != nil {
		return w.since, w.why
	}
	return time.Time{}, nil
}

// wait is what a Sink waits for. It is never changed.
type wait struct {
	since time.Time
	why   error // of the last failure, nil before the first
}
