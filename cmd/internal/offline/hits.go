package offline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
)

const (
	day = 24 * event.Hour
	// endOfDays is the last whole day that there may be events of.
	endOfDays = replay.EndOfTime / day * day
)

// hitsOptions are those of Session.hits.
type hitsOptions struct {
	newDeriver func() engine.Deriver
	steps      Steps
	log        *slog.Logger
	// from and to are the time of which imported events have come or gone: [from, to).
	from, to event.Time
	// done are topics of files whose events all lie in that time.
	done []string
	// replay: what the archive has no rows of goes, also around that time.
	replay bool
}

// hits makes the hits and visits of imported events anew, of all days that the events of a time have anything to do with.
func (s *Session) hits(ctx context.Context, o hitsOptions) error {
	r, err := s.streamRules(ctx)
	if err != nil {
		return err
	}
	known, err := lake.Imports(ctx, s.Stores.Lake)
	if err != nil {
		return err
	}
	around, sum := replay.HitsReach(r), sha256.Sum256(engine.EncodeRules(r.WithDefaults()))
	set, end := o.steps.start("hits")
	defer end()
	of := replay.HitsOptions{
		Lake: NewLake(s.Stores.Lake), Rules: r, NewDeriver: o.newDeriver,
		From: max(o.from-around, 0).Floor(day), To: min((o.to + around + day - 1).Floor(day), endOfDays),
		Progress: func(p replay.Progress) { set(int64(p.Hours), int64(p.HoursTotal), p.Events) },
	}
	if !o.replay {
		if err := keepAround(ctx, &of, o.from, o.to); err != nil {
			return err
		}
	}
	_, err = lake.ReplaceImported(ctx, lake.ImportedOptions{
		Store: s.Stores.Lake, From: of.From, To: of.To, Rules: hex.EncodeToString(sum[:8]), Log: o.log,
		Make: func(ctx context.Context, to *lake.ImportedHits) error { return replay.Hits(ctx, of, to) },
		Covered: func(before []string) []string {
			all := slices.Concat(before, o.done)
			slices.Sort(all)
			return slices.DeleteFunc(slices.Compact(all), func(t string) bool { return !slices.Contains(known, t) })
		},
	})
	return err
}

// keepAround leaves days around a time out of which the archive has no imported rows, so that they can have nothing to do with it: their rows
// may have been deleted by now, and their hits are all that there is.
func keepAround(ctx context.Context, of *replay.HitsOptions, from, to event.Time) error {
	files, err := of.Lake.Files(ctx, of.From, of.To)
	if err != nil {
		return err
	}
	has := map[event.Time]bool{}
	for _, f := range files {
		if lake.IsImport(f.Topic) {
			has[f.Hour.Floor(day)] = true
		}
	}
	for of.From+day <= from && !has[of.From] {
		of.From += day
	}
	for of.To-day >= to && !has[of.To-day] {
		of.To -= day
	}
	return nil
}

// replayedHits makes the hits of imported events of a range that is replayed. An archive that can't be written to is replayed all the same.
func (s *Session) replayedHits(ctx context.Context, o *ReplayOptions) error {
	l := NewLake(s.Stores.Lake)
	files, err := l.Files(ctx, 0, replay.EndOfTime)
	if err != nil {
		return err
	}
	to, in := o.To, map[string]bool{}
	if to == 0 {
		to = endOfDays
	}
	for _, f := range files {
		if lake.IsImport(f.Topic) {
			before, seen := in[f.Topic]
			in[f.Topic] = (before || !seen) && f.Hour >= o.From && f.Hour+event.Hour <= to
		}
	}
	has, err := lake.HasImportedHits(ctx, s.Stores.Lake)
	if err != nil || len(in) == 0 && !has {
		return err
	}
	done := slices.DeleteFunc(slices.Sorted(maps.Keys(in)), func(t string) bool { return !in[t] })
	err = s.hits(ctx, hitsOptions{newDeriver: o.NewDeriver, steps: o.Steps, log: o.Log, from: o.From, to: to, done: done, replay: true})
	if err != nil && ctx.Err() == nil {
		o.Log.Warn("the windows are counted again, and the single events of imported files, which queries of any dimensions are counted by, "+
			"could not be: they are as they were", "err", err)
		return nil
	}
	return err
}
