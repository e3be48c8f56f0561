package influx

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// Sink writes rollups. Make one with NewSink.
//
// Its calls take turns: one request at a time is under way, so that of two versions of a window the one
// that was given later arrives later. InfluxDB's own parallelism is over shards, of which a live stream
// writes one.
type Sink struct {
	opts   Options
	client *influxdb.Client
	stats  counters
	turn   chan struct{} // holds a token while nobody has the turn, which guards what follows
	send   sender
	known  versions
	buf    []byte
}

// Stats counts what a Sink has done since it was made.
type Stats struct {
	// Requests were made to write, Retries of any request after a failure.
	Requests, Retries int64
	// Points were acknowledged, Rejected became dead letters.
	Points, Rejected int64
	// Windows were written; Older were not, because a newer version had been.
	Windows, Older int64
	// Regressed windows were found in an older version than had been acknowledged: see the package's comment on J10.
	Regressed int64
}

type counters struct {
	requests, retries, points, rejected, windows, older, regressed atomic.Int64
}

// NewSink returns a Sink. It makes no request yet.
func NewSink(o Options) (*Sink, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	s := &Sink{
		opts:   o,
		client: influxdb.NewClient(o.DB, o.Timeout, o.Transport),
		turn:   make(chan struct{}, 1),
		known:  versions{minutes: map[event.Time]*minute{}},
	}
	s.send = sender{client: s.client, opts: &s.opts, stats: &s.stats}
	s.turn <- struct{}{}
	return s, nil
}

// Close lets go of idle connections. The Sink must not be in use.
func (s *Sink) Close() error {
	s.client.CloseIdle()
	return nil
}

// Stats returns what has been done so far.
func (s *Sink) Stats() Stats {
	c := &s.stats
	return Stats{
		Requests: c.requests.Load(), Retries: c.retries.Load(), Points: c.points.Load(), Rejected: c.rejected.Load(),
		Windows: c.windows.Load(), Older: c.older.Load(), Regressed: c.regressed.Load(),
	}
}

func (s *Sink) enter(ctx context.Context) error {
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Sink) leave() { s.turn <- struct{}{} }

// Forget drops what is known of versions in InfluxDB. To be called when somebody else may have written live, which is
// when a partition changes hands.
func (s *Sink) Forget(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.known = versions{minutes: map[event.Time]*minute{}}
	return nil
}

// Write writes windows that the stream has fired. One whose version is older than that in InfluxDB is left out. It
// returns when every point is written or a dead letter, however long that takes, or with the error of ctx, of the
// fence or of the dead letter; then it is to be called again with the same windows.
func (s *Sink) Write(ctx context.Context, ws []*window.Window) error {
	return s.writeLive(ctx, ws, nil)
}

// writeLive is Write behind a fence, which is asked before each request.
func (s *Sink) writeLive(ctx context.Context, ws []*window.Window, fence func() error) error {
	if err := checkWindows(ws); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.send.fence = fence
	defer func() { s.send.fence = nil }()

	live := newest(ws)
	s.stats.older.Add(int64(len(ws) - len(live)))
	if err := s.learn(ctx, live); err != nil {
		return err
	}
	var cleared []*window.Window
	s.buf = s.buf[:0]
	for _, w := range live {
		k, ok := s.known.admit(w)
		if !ok {
			s.stats.older.Add(1)
			continue
		}
		if k.replaced {
			if err := s.appendZeros(ctx, w, w.Version); err != nil {
				return err
			}
			cleared = append(cleared, w)
		}
		if err := s.appendWindow(ctx, w); err != nil {
			return err
		}
		s.stats.windows.Add(1)
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	for _, w := range cleared {
		s.known.cleared(w)
	}
	return nil
}

// newest keeps of each window the largest version, and of equal ones the last, in the order of their first
// appearance.
func newest(ws []*window.Window) []*window.Window {
	type key struct {
		stream
		start event.Time
	}
	at := make(map[key]int, len(ws))
	out := make([]*window.Window, 0, len(ws))
	for _, w := range ws {
		k := key{stream{w.Site, w.Shard}, w.Start}
		i, ok := at[k]
		switch {
		case !ok:
			at[k] = len(out)
			out = append(out, w)
		case w.Version >= out[i].Version:
			out[i] = w
		}
	}
	return out
}

// learn reads the versions of the windows' minutes, where they are not known.
func (s *Sink) learn(ctx context.Context, ws []*window.Window) error {
	starts := make([]event.Time, len(ws))
	for i, w := range ws {
		starts[i] = w.Start
	}
	for _, span := range spans(s.known.stale(starts)) {
		var read map[event.Time]map[stream]known
		err := s.send.persist(ctx, sortRead, func() (err error) {
			read, err = readVersions(ctx, s.client, span[0], span[1])
			return err
		})
		if err != nil {
			return err
		}
		if n := s.known.learned(span[0], span[1], read); n > 0 {
			s.stats.regressed.Add(int64(n))
			s.opts.Log.Warn("InfluxDB holds windows in an older version than was written; replay repairs them",
				"windows", n, "from", span[0], "to", span[1])
		}
	}
	return nil
}

// appendWindow adds a window's lines to the buffer, and sends the buffer when it is full.
func (s *Sink) appendWindow(ctx context.Context, w *window.Window) error {
	if len(w.Points) == 0 {
		return nil
	}
	lines, err := w.AppendLines(s.buf)
	if err != nil { // not from a window that was decoded; and if it were, it must not stop the rest
		s.stats.rejected.Add(int64(len(w.Points)))
		return s.send.bury(ctx, err, event.WindowKey(w.Site, w.Start, w.Shard), nil)
	}
	s.buf = lines
	if len(s.buf) < s.opts.MaxBytes {
		return nil
	}
	return s.flush(ctx)
}

func (s *Sink) flush(ctx context.Context) error {
	err := s.send.deliver(ctx, s.buf)
	s.buf = s.buf[:0]
	if cap(s.buf) > 4*s.opts.MaxBytes {
		s.buf = nil // one giant window is no reason to keep its memory
	}
	return err
}

// WriteProgress writes how far partitions have been counted. What it speaks of must have been written.
func (s *Sink) WriteProgress(ctx context.Context, ps []window.Progress) error {
	return s.writeProgress(ctx, ps, nil)
}

func (s *Sink) writeProgress(ctx context.Context, ps []window.Progress, fence func() error) error {
	last := map[int32]int{}
	var keep []window.Progress
	for _, p := range ps {
		i, ok := last[p.Partition]
		switch {
		case !ok:
			last[p.Partition] = len(keep)
			keep = append(keep, p)
		case p.Offset >= keep[i].Offset:
			keep[i] = p
		}
	}
	if len(keep) == 0 {
		return nil
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.send.fence = fence
	defer func() { s.send.fence = nil }()
	s.buf = s.buf[:0]
	for _, p := range keep {
		s.buf = p.AppendLines(s.buf)
	}
	return s.flush(ctx)
}

// maxStart is the last window InfluxDB's nanoseconds have room for, with some to spare: the year 2200.
const maxStart event.Time = 7258118400000

// ErrWindow is wrapped by the error about a window that can't be written.
var ErrWindow = errors.New("not a window of a minute")

func checkWindows(ws []*window.Window) error {
	for _, w := range ws {
		if err := checkWindow(w); err != nil {
			return err
		}
	}
	return nil
}

func checkWindow(w *window.Window) error {
	if w.Start%event.Minute != 0 || w.Start < 0 || w.Start > maxStart {
		return fmt.Errorf("%w: it starts at %d ms", ErrWindow, w.Start)
	}
	if err := event.ValidSite(w.Site); err != nil {
		return fmt.Errorf("%w: %w", ErrWindow, err)
	}
	return nil
}
