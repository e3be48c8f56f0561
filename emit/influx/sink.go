package influx

import (
	"context"
	"hash/maphash"
	"slices"
	"sync/atomic"

	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// Sink writes rollups. Make one with NewSink.
//
// Its calls take turns: one request at a time is under way, so that of two versions of a window the
// one that was given later arrives later. InfluxDB's own parallelism is over shards, of which a
// live stream writes one.
type Sink struct {
	opts   Options
	client *influxdb.Client
	stats  counters
	turn   chan struct{} // holds a token while no call has the turn, which guards what follows
	send   sender
	known  versions
	seed   maphash.Seed
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
	// Regressed windows were found in an older version than had been acknowledged: see the
	// package's comment on J10.
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
		known:  newVersions(),
		seed:   maphash.MakeSeed(),
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
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Sink) leave() { s.turn <- struct{}{} }

// Write writes windows that the stream has fired. A window whose version is older than that in
// InfluxDB is left out. A newer one takes its place: values of the older that it has not are
// overwritten with zeros. One of the same version is a part of the same firing, or the same again,
// and adds to what is there. It returns when every point is written or a dead letter, however long
// that takes, or with the error of ctx or of the dead letter; then it is to be called again with
// the same windows.
func (s *Sink) Write(ctx context.Context, ws []*window.Window) error {
	_, err := s.writeLive(ctx, ws, nil)
	return err
}

// writeLive is Write behind a fence, which is called before each request. Stale is how many windows
// were left out.
func (s *Sink) writeLive(ctx context.Context, ws []*window.Window, fence func() error) (stale int, err error) {
	if err := checkWindows(ws); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	s.send.fence = fence
	defer func() { s.send.fence = nil }()

	live := newest(ws)
	s.stats.older.Add(int64(len(ws) - len(live)))
	if err := s.learn(ctx, live); err != nil {
		return 0, err
	}
	outs := s.admit(live)
	if err := s.findGone(ctx, outs); err != nil {
		return 0, err
	}
	s.buf = s.buf[:0]
	for i := range outs {
		o := &outs[i]
		if err := s.appendWindow(ctx, o.gone); err != nil {
			return 0, err
		}
		if err := s.appendWindow(ctx, o.w); err != nil {
			return 0, err
		}
	}
	if err := s.flush(ctx); err != nil {
		return 0, err
	}
	for i := range outs {
		s.known.written(outs[i].w, outs[i].values)
	}
	s.known.forgetSome()
	s.stats.windows.Add(int64(len(outs)))
	return len(ws) - len(outs), nil
}

// out is a window on its way.
type out struct {
	w *window.Window
	// values are what InfluxDB will have of it.
	values []uint64
	// read: which values InfluxDB has is not known, or some of them may be gone.
	read bool
	// gone holds the zeros.
	gone *window.Window
}

// admit sorts out what is older than known.
func (s *Sink) admit(live []*window.Window) []out {
	outs := make([]out, 0, len(live))
	for _, w := range live {
		before, ok := s.known.admit(w)
		if !ok {
			s.stats.older.Add(1)
			continue
		}
		o := out{w: w, values: s.hashes(w), gone: &window.Window{}}
		switch {
		case before.values == nil:
			o.read = true
		case before.version == w.Version:
			o.values = union(o.values, before.values)
		default:
			o.read = !includes(o.values, before.values)
		}
		outs = append(outs, o)
	}
	return outs
}

// hashes returns those of a window's values, sorted.
func (s *Sink) hashes(w *window.Window) []uint64 {
	list := make([]uint64, len(w.Points))
	for i := range w.Points {
		list[i] = s.hash(value{w.Points[i].Family, w.Points[i].Dims})
	}
	slices.Sort(list)
	return list
}

func (s *Sink) hash(v value) uint64 { return maphash.Comparable(s.seed, v) }

// union returns what is in one of two sorted lists.
func union(a, b []uint64) []uint64 {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// includes reports whether all of small is in large; both are sorted.
func includes(large, small []uint64) bool {
	for _, v := range small {
		i, ok := slices.BinarySearch(large, v)
		if !ok {
			return false
		}
		large = large[i:]
	}
	return true
}

// newest keeps of each window the largest version, with its parts joined, in the order of their
// first appearance.
func newest(ws []*window.Window) []*window.Window {
	at := make(map[windowKey]int, len(ws))
	out := make([]*window.Window, 0, len(ws))
	for _, w := range ws {
		k := keyOf(w)
		i, ok := at[k]
		switch {
		case !ok:
			at[k] = len(out)
			out = append(out, w)
		case w.Version > out[i].Version:
			out[i] = w
		case w.Version == out[i].Version:
			out[i] = join(out[i], w)
		}
	}
	return out
}

// join returns a window with the values of both; b's count where both have one.
func join(a, b *window.Window) *window.Window {
	w := *b
	have := valuesOf(b)
	w.Points = slices.Clip(w.Points)
	for _, p := range a.Points {
		if !have[value{p.Family, p.Dims}] {
			w.Points = append(w.Points, p)
		}
	}
	return &w
}

// learn reads the versions of the windows' moments, where they are not known.
func (s *Sink) learn(ctx context.Context, ws []*window.Window) error {
	list := make([]moment, len(ws))
	for i, w := range ws {
		list[i] = momentOf(w)
	}
	for _, sp := range spans(s.known.stale(list)) {
		var read map[windowKey]known
		err := s.send.persist(ctx, sortRead, func() (err error) {
			read, err = readVersions(ctx, s.client, sp)
			return err
		})
		if err != nil {
			return err
		}
		if n := s.known.learned(sp, read); n > 0 {
			s.stats.regressed.Add(int64(n))
			s.opts.Log.Warn("InfluxDB holds windows in an older version than was written; replay repairs them",
				"windows", n, "kind", sp.kind, "from", sp.from, "to", sp.to)
		}
	}
	return nil
}

// appendWindow adds a window's lines to the buffer, and sends the buffer when it is full.
func (s *Sink) appendWindow(ctx context.Context, w *window.Window) error {
	if len(w.Points) == 0 {
		return nil
	}
	lines, err := appendWhole(s.buf, w)
	if err != nil { // not from a window that was decoded; and if it were, it must not stop the rest
		s.stats.rejected.Add(int64(len(w.Points)))
		return s.send.bury(ctx, err, window.RecordKey(w.Kind, w.Site, w.Start, w.Shard), nil)
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

// WriteProgress writes how far partitions have been counted. What it speaks of must have been
// written.
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
