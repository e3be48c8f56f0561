package offline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
)

// RecountOptions are the settings of a recount of one hour.
type RecountOptions struct {
	// NewDeriver makes the deriver of each partition. Required.
	NewDeriver func() engine.Deriver
	// Of tells the sites that are counted; nil: all. The others cost no memory.
	Of func(site string) bool
	// Pace is called before each query of the store, and now and then while events are counted and
	// points are read. It may wait; an error ends the recount. Required. What it costs to read the
	// archive is for whoever has made Session.Stores.Lake.
	Pace func(ctx context.Context, query bool) error
}

const (
	// mostRecounted is how many differences a recount lists.
	mostRecounted = 1000
	// recountedAtOnce is how many points a recount holds, about, some 15 MB: it runs all day beside a
	// server, and compares one site after the other.
	recountedAtOnce = 20_000
)

// Recounted is what came out of a recount.
type Recounted struct {
	replay.Report
	// Points were read from the store, or are missing there.
	Points int64
}

// Recount counts an hour again from the archive, as [Session.Replay] with replay.Verify does, and
// compares with the store. REQUIRES: the hour is one of Closed's.
func (s *Session) Recount(ctx context.Context, hour event.Time, o RecountOptions) (Recounted, error) {
	r, a, err := s.common(ctx, o.NewDeriver)
	if err != nil {
		return Recounted{}, err
	}
	out := Recounted{}
	if r.KeptFrom, err = NewLake(s.Stores.Lake).KeptFrom(ctx, nil); err != nil {
		return Recounted{}, err
	}
	r.Lake = pacedLake{NewLake(s.Stores.Lake), &o}
	r.Reader = &pacedReader{s.Stores.Rollups(), &o, &out.Points}
	r.Mode, r.From, r.To, r.MaxDifferences, r.MaxPoints = replay.Verify, hour, hour+event.Hour, mostRecounted, recountedAtOnce
	if s.Stores.Local != nil {
		r.Ahead = s.firedIn(ctx, s.Stores.Local, a)
	}
	out.Report, err = replay.Run(ctx, r)
	for _, d := range out.Differences {
		if d.Kind == replay.Missing {
			out.Points++
		}
	}
	return out, errors.Join(err, s.failed)
}

// closedSlack is how much longer than the rules say a window is left alone: the longest grace, the
// wait for a slot, and what collectors lag behind one another.
const closedSlack = 5 * event.Minute

// Closed returns the hours [from, to) of which archive and store have all that they will ever have,
// but for imports and replays: no visit that began in them goes on, nothing comes late, and nothing
// of them was counted by anything else than By, so that a recount gives the same. From and to are
// equal where there is none, and why says so.
func (s *Session) Closed(ctx context.Context, by string) (from, to event.Time, why string, err error) {
	counting, found, err := rules.LoadCounting(ctx, s.Stores.Lake)
	switch {
	case err != nil:
		return 0, 0, "", err
	case !found:
		return 0, 0, "no process with the role process has left with the archive what it counts by: give it the archive's address", nil
	case counting.By != by:
		return 0, 0, "the role process counts by other goals or sites, or is another build, than this process", nil
	}
	o, _, err := s.common(ctx, nil)
	if err != nil {
		return 0, 0, "", err
	}
	complete, streams, err := o.Lake.CompleteUntil(ctx)
	if err != nil {
		return 0, 0, "", fmt.Errorf("ask how far the archive is complete: %w", err)
	}
	progress, err := s.Stores.Rollups().Progress(ctx)
	if err != nil {
		return 0, 0, "", fmt.Errorf("ask the rollup store for its progress: %w", err)
	}
	if !streams || len(progress) < o.Partitions {
		return 0, 0, "archive and rollup store have not begun with each partition yet", nil
	}
	for _, p := range progress {
		complete = min(complete, p.Low)
	}
	if from, err = o.CompleteFrom(ctx); err != nil {
		return 0, 0, "", err
	}
	if counting.Since > 0 {
		from = max(from, (counting.Since+closedSlack+event.Hour).Floor(event.Hour)+o.Reach())
	}
	v := o.Rules.Visits()
	to = max(complete-v.MaxLength-v.Timeout-o.Rules.Lateness-closedSlack, 0).Floor(event.Hour)
	if to <= from {
		return from, from, fmt.Sprintf("no hour is complete yet: they are compared from %s on, once they ended %s ago", from, v.MaxLength+v.Timeout+o.Rules.Lateness), nil
	}
	return from, to, "", nil
}

// Whole proves that the archive has all that a recount of an hour reads.
func (s *Session) Whole(ctx context.Context, hour event.Time) error {
	o, _, err := s.common(ctx, nil)
	if err != nil {
		return err
	}
	around := o.Reach() + o.Rules.Lateness
	return NewLake(s.Stores.Lake).Whole(ctx, max(hour-around, 0), hour+event.Hour+around)
}

// HasDropped reports whether the stream has dropped events of a site as too late that a recount of
// an hour counts: until the next replay the store lacks them.
func (s *Session) HasDropped(ctx context.Context, site string, hour event.Time) (found bool, err error) {
	o, _, err := s.common(ctx, nil)
	if err != nil {
		return false, err
	}
	sel := window.Selection{
		Kind: window.Hour, Site: site, Family: window.Dropped, From: max(hour-o.Reach(), 0), To: hour + event.Hour + o.Reach(),
	}
	err = s.Stores.Rollups().Scan(ctx, sel, func(_ event.Time, _ bool, p *window.Point) error {
		found = found || p.Events > 0
		return nil
	})
	return found, err
}

// HasErased reports whether the archive lacks events of a site that a recount of an hour would have counted, because they are erased.
func (s *Session) HasErased(ctx context.Context, site string, hour event.Time) (bool, error) {
	o, _, err := s.common(ctx, nil)
	if err != nil {
		return false, err
	}
	around := o.Reach() + o.Rules.Lateness
	return NewLake(s.Stores.Lake).HasErased(ctx, site, max(hour-around, 0), hour+event.Hour+around)
}

// HasOlder reports whether the store has any number of a site from before an hour or in it.
func (s *Session) HasOlder(ctx context.Context, site string, hour event.Time) (found bool, err error) {
	return hasNumbers(ctx, s.Stores.Rollups(), site, 0, hour+event.Hour)
}

// firedIn is Options.Ahead of a store that a serve is writing to. An error is kept in failed; the
// window is then left as it is.
func (s *Session) firedIn(ctx context.Context, store interface {
	Fired(ctx context.Context, k window.Kind, site string, start event.Time) ([]window.Window, error)
}, a *archived) func(window.Kind, string, event.Time) bool {
	return func(k window.Kind, site string, start event.Time) bool {
		ws, err := store.Fired(ctx, k, site, start)
		if err != nil {
			s.failed = errors.Join(err, ctx.Err())
			return true
		}
		return slices.ContainsFunc(ws, func(w window.Window) bool { return w.Version > a.version(site, w.Shard) })
	}
}

// pacedLake is the archive for a recount: it waits, and gives of the events of other sites no more
// than when they came.
type pacedLake struct {
	Lake
	o *RecountOptions
}

// paceEvery is how many events or points are a step.
const paceEvery = 256

func (l pacedLake) ReadSegment(ctx context.Context, files []replay.File, site string,
	fn func(e *event.Event, offset int64, index int) error) error {
	if err := l.o.Pace(ctx, false); err != nil {
		return err
	}
	n, last := 0, ""
	counted := true
	return l.Lake.ReadSegment(ctx, files, site, func(e *event.Event, offset int64, index int) error {
		if n++; n%paceEvery == 0 {
			if err := l.o.Pace(ctx, false); err != nil {
				return err
			}
		}
		if l.o.Of != nil && e.Site != "" {
			if e.Site != last {
				last, counted = e.Site, l.o.Of(e.Site)
			}
			if !counted {
				return fn(&event.Event{Received: e.Received}, offset, index)
			}
		}
		return fn(e, offset, index)
	})
}

// pacedReader is the rollup store for a recount.
type pacedReader struct {
	stores.Rollups
	o      *RecountOptions
	points *int64
}

func (r *pacedReader) Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	if err := r.o.Pace(ctx, true); err != nil {
		return err
	}
	return r.Rollups.Scan(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
		if *r.points++; *r.points%paceEvery == 0 {
			if err := r.o.Pace(ctx, false); err != nil {
				return err
			}
		}
		return fn(start, final, p)
	})
}

func (r *pacedReader) Sites(ctx context.Context) ([]string, error) {
	if err := r.o.Pace(ctx, true); err != nil {
		return nil, err
	}
	sites, err := r.Rollups.Sites(ctx)
	if r.o.Of != nil {
		sites = slices.DeleteFunc(sites, func(site string) bool { return !r.o.Of(site) })
	}
	return sites, err
}
