package offline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"millrace/cmd/internal/rules"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
)

// Steps begins to show a step of a command, "import", "count" or "replay", and returns what shows
// how far it is, and what ends it. The units of done and total are the step's own.
type Steps func(step string) (set func(done, total, events int64), end func())

// start returns functions that do nothing where nothing is shown.
func (s Steps) start(step string) (set func(done, total, events int64), end func()) {
	if s == nil {
		return func(_, _, _ int64) {}, func() {}
	}
	return s(step)
}

// ReplayOptions are the settings of a replay. The zero value counts the whole archive again and
// changes the store.
type ReplayOptions struct {
	// From and To are the range, [From, To), on whole minutes; 0 is as far as the archive goes.
	From, To event.Time
	// Site is the only site; empty is all.
	Site string
	// Incomplete lets the range begin before the archive does, and the archive lack events.
	Incomplete bool
	// LogLost counts the end of the archive too, which no serve will finish.
	LogLost bool
	Mode    replay.Mode
	// NewDeriver makes the deriver of each partition. Required.
	NewDeriver func() engine.Deriver
	// KeptFrom is replay.Options.KeptFrom.
	KeptFrom func(site string) event.Time
	// NoGoals warns of numbers of goals in the store, because the deriver has none.
	NoGoals bool
	Steps   Steps
	Log     *slog.Logger
}

const (
	// mostDifferences is how many differences a report has; all are counted.
	mostDifferences = 100_000
	// verifications is how often a difference beside a running serve is looked for again before it
	// is one.
	verifications = 3
	// verifyPause is the time between them.
	verifyPause = 2 * time.Second
)

// Replay counts the archived events again and makes the store hold just that, or compares the two.
func (s *Session) Replay(ctx context.Context, o ReplayOptions) (replay.Report, error) {
	if o.NoGoals {
		if err := s.warnGoals(ctx, o.Log); err != nil {
			return replay.Report{}, err
		}
	}
	if o.Mode == replay.Write {
		defer s.hold(ctx, "replay")()
		if err := rules.LeaveReplayed(ctx, s.Stores.Lake, o.From, o.To); err != nil {
			return replay.Report{}, fmt.Errorf("note the replay in the archive: %w", err)
		}
	}
	report, err := s.replayOnce(ctx, &o)
	// Beside a serve at work the archive may be read a moment before the store has counted what it
	// got.
	for try := 1; try < verifications && err == nil && o.Mode == replay.Verify && s.beside != nil && report.Differing > 0; try++ {
		select {
		case <-ctx.Done():
			return replay.Report{}, ctx.Err()
		case <-time.After(verifyPause):
		}
		report, err = s.replayOnce(ctx, &o)
	}
	if err == nil && o.Mode == replay.Write {
		err = s.replayedHits(ctx, &o)
	}
	if err == nil {
		s.warnLeft(o.Log)
	}
	return report, err
}

func (s *Session) replayOnce(ctx context.Context, o *ReplayOptions) (replay.Report, error) {
	r, err := s.replayOptions(ctx, o)
	if err != nil {
		return replay.Report{}, err
	}
	set, end := o.Steps.start("replay")
	defer end()
	r.Progress = func(p replay.Progress) { set(int64(p.Hours), int64(p.HoursTotal), p.Events) }
	if o.Mode == replay.Write && !o.Incomplete {
		if err := s.notLost(ctx, &r); err != nil {
			return replay.Report{}, err
		}
	}
	report, err := replay.Run(ctx, r)
	if o.Mode != replay.Write && err == nil && report.Differing > 0 {
		err = s.notLost(ctx, &r)
	}
	return report, errors.Join(err, s.failed)
}

// notLost returns an error if the archive has lost objects that a replay reads: the store has
// numbers of their events then that it would take out.
func (s *Session) notLost(ctx context.Context, r *replay.Options) error {
	from, to := event.Time(0), replay.EndOfTime
	around := r.Reach() + r.Rules.Lateness
	if r.From != 0 {
		from = max(r.From-around, 0)
	}
	if r.To != 0 {
		to = r.To + around
	}
	return NewLake(s.Stores.Lake).Lost(ctx, from, to)
}

func (s *Session) replayOptions(ctx context.Context, o *ReplayOptions) (replay.Options, error) {
	r, err := s.base(ctx, o.NewDeriver)
	if err != nil {
		return r, err
	}
	r.From, r.To, r.Site, r.Mode = o.From, o.To, o.Site, o.Mode
	r.Incomplete = o.Incomplete
	if r.KeptFrom, err = NewLake(s.Stores.Lake).KeptFrom(ctx, o.KeptFrom); err != nil {
		return r, err
	}
	r.LogGone = o.LogLost || s.bucket && s.neverServed()
	if o.Mode == replay.Verify || o.Mode == replay.DryRun {
		r.MaxDifferences = mostDifferences
	}
	if s.live() {
		// serve may be writing to the same store, and be behind the archive.
		r.Grace = 2 * event.Minute
	}
	return r, s.openEnd(ctx, &r)
}

// base returns what a replay of this session has in any case.
func (s *Session) base(ctx context.Context, newDeriver func() engine.Deriver) (replay.Options, error) {
	r, a, err := s.common(ctx, newDeriver)
	if err != nil {
		return r, err
	}
	r.Ahead, err = s.ahead(ctx, a, r.Rules)
	return r, err
}

// common is base without Ahead, with how far the archive is.
func (s *Session) common(ctx context.Context, newDeriver func() engine.Deriver) (replay.Options, *archived, error) {
	l := NewLake(s.Stores.Lake)
	a, err := readArchived(ctx, l)
	if err != nil {
		return replay.Options{}, nil, err
	}
	stream, err := s.streamRules(ctx)
	if err != nil {
		return replay.Options{}, nil, err
	}
	return replay.Options{
		Lake: l, Reader: s.Stores.Rollups(), Sink: s.Stores.ReplaySink(), NewDeriver: newDeriver,
		Rules: stream, Limit: stream.Values,
		MaxDifferences: 1, // none is shown
		Partitions:     a.partitions, Version: a.version,
	}, a, nil
}

// openEnd sets the end of a verification that has none: what the stream has not yet made final in
// the store is no difference. (After a kill the archive can be ahead of it.)
func (s *Session) openEnd(ctx context.Context, r *replay.Options) error {
	if r.To != 0 || r.Mode != replay.Verify {
		return nil
	}
	final, streams, err := s.storeComplete(ctx)
	if err != nil || !streams {
		return err
	}
	archived, streams, err := r.Lake.CompleteUntil(ctx)
	if err != nil || !streams {
		return err
	}
	if final < archived-r.Grace {
		r.Grace = archived - final
	}
	return nil
}
