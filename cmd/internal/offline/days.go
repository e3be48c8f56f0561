package offline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"millrace/cmd/internal/rules"
	"millrace/emit/lake"
	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/internal/kafka"
)

// DaysOptions are the settings of a recount of days.
type DaysOptions struct {
	// From and To are the range, [From, To), whole days of UTC; 0 is as far as the archive goes, and as far as days are over.
	From, To event.Time
	// NewDeriver makes the deriver of each partition, and By names what it counts by (rules.CountedBy). Required.
	NewDeriver func() engine.Deriver
	By         string
	// KeptFrom is replay.Options.KeptFrom.
	KeptFrom func(site string) event.Time
	// Kafka has the topic of commits. Without Brokers it is the embedded broker of the data folder.
	Kafka kafka.Cluster
	Steps Steps
	Log   *slog.Logger
}

// DaysHelp is the help of the command.
const DaysHelp = `Counts archived days again by today's rules: goals, currencies, spelling, bots and shards as serve has them now. One pass over the archived events makes
both what is stored of them, rollups and hits with visits; replay makes rollups alone. Use it after such a rule was changed, or where hits are missing: they
were switched on later, or are of events that Kafka has no more.

Days are UTC. The days that may still change are left out: those that ended less than 27 hours ago, more with a longer --lateness. serve may run beside
it, and has to have been started with the rules before: give this command the same --goals or --sites-file. Queries go on. Each day's hits are replaced in one step,
the old files are deleted an hour later by serve. What was erased stays so. If a run fails or is ended, run it again.

Examples:

  millrace recount --sites-file sites.yaml
      count all days again that are over

  millrace recount --from 2026-03-01 --to 2026-03-31 --sites-file sites.yaml
      count March again`

// Errors of RecountDays for errors.Is.
var (
	// ErrDays: the range can't be counted again.
	ErrDays = errors.New("these days can't be counted again")
	// ErrOtherRules: serve counts by something else.
	ErrOtherRules = errors.New("serve counts by other goals or sites than this command, or is another build")
)

// Days is what was done.
type Days struct {
	replay.Report
	Hits lake.RecountStats
	// Without are partitions of which there are no hits.
	Without int
}

// Print says what was done.
func (d *Days) Print(w io.Writer) {
	const form = "2006-01-02"
	fmt.Fprintf(w, "%s to %s UTC: %d events (%d of bots), %d windows changed\n", d.From.Std().Format(form), (d.To - day).Std().Format(form),
		d.Events, d.Bots, d.Total().Changed)
	if d.Hits.Hits+d.Hits.Visits > 0 {
		fmt.Fprintf(w, "%d hits and %d rows of visits: %d files put in the place of %d, in %d commits; %d files were the same already\n",
			d.Hits.Hits, d.Hits.Visits, d.Hits.Added, d.Hits.Removed, d.Hits.Commits, d.Hits.Kept)
	}
}

// RecountDays counts archived days again, and makes rollups and hits hold just that. Done again it changes nothing; what one that was ended has left
// undone another does.
//
// Windows of a day, and its hits, are those of one pass, and get into the stores at different times: until the end the archive has a note that
// they may be of two generations, so that no query takes one for the other.
func (s *Session) RecountDays(ctx context.Context, o DaysOptions) (d Days, err error) {
	r, a, err := s.planDays(ctx, &o)
	if err != nil {
		return d, err
	}
	if err := s.notLost(ctx, &r); err != nil {
		return d, err
	}
	recounts, done, err := s.recounts(ctx, &o, &r, a)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, done()) }()
	d.Without = a.partitions - len(recounts)
	defer s.hold(ctx, "recount")()
	if err := rules.LeaveReplayed(ctx, s.Stores.Lake, r.From, r.To); err != nil {
		return d, fmt.Errorf("note the recount in the archive: %w", err)
	}
	r.Hits = func(partition int32) replay.HitsSink {
		if to := recounts[partition]; to != nil {
			return to
		}
		return nil
	}
	set, end := o.Steps.start("recount")
	r.Progress = func(p replay.Progress) { set(int64(p.Hours), int64(p.HoursTotal), p.Events) }
	d.Report, err = replay.Run(ctx, r)
	end()
	for _, to := range recounts {
		d.add(to.Stats())
	}
	if err = errors.Join(err, s.failed); err != nil {
		return d, err
	}
	of := ReplayOptions{From: r.From, To: r.To, NewDeriver: o.NewDeriver, Steps: o.Steps, Log: o.Log}
	if err := s.replayedHits(ctx, &of); err != nil {
		return d, err
	}
	s.warnLeft(o.Log)
	if d.Without > 0 || s.Stores.Served != nil && s.Stores.Served.Left() > 0 {
		return d, nil
	}
	from := r.From
	if first, err := s.firstDay(ctx, &r); err == nil && from <= first {
		from = 0 // there is nothing before
	}
	return d, rules.LeaveRecounted(ctx, s.Stores.Lake, from, r.To, o.By, r.Rules)
}

func (d *Days) add(h lake.RecountStats) {
	d.Hits.Hits += h.Hits
	d.Hits.Visits += h.Visits
	d.Hits.Commits += h.Commits
	d.Hits.Lost += h.Lost
	d.Hits.Added += h.Added
	d.Hits.Kept += h.Kept
	d.Hits.Removed += h.Removed
}

// planDays makes out the range and how it is counted.
func (s *Session) planDays(ctx context.Context, o *DaysOptions) (r replay.Options, a *archived, err error) {
	if o.From.Floor(day) != o.From || o.To.Floor(day) != o.To {
		return r, nil, fmt.Errorf("%w: %s to %s are no whole days of UTC", ErrDays, o.From, o.To)
	}
	if err := s.sameRules(ctx, o); err != nil {
		return r, nil, err
	}
	if r, err = s.base(ctx, o.NewDeriver); err != nil {
		return r, nil, err
	}
	if a, err = readArchived(ctx, NewLake(s.Stores.Lake)); err != nil {
		return r, nil, err
	}
	complete, streams, err := r.Lake.CompleteUntil(ctx)
	if err != nil {
		return r, nil, fmt.Errorf("ask how far the archive is complete: %w", err)
	}
	if !streams {
		return r, nil, fmt.Errorf("%w: the archive has no events that serve has taken in; imported files are counted again by \"millrace replay\"", ErrDays)
	}
	kept, err := NewLake(s.Stores.Lake).KeptFrom(ctx, o.KeptFrom)
	if err != nil {
		return r, nil, err
	}
	r.Mode, r.KeptFrom, r.Lake = replay.Write, kept, upTo{r.Lake, a}
	r.Partitions, r.Version = a.partitions, a.version
	first, err := s.firstDay(ctx, &r)
	if err != nil {
		return r, nil, err
	}
	over := max(complete-settles(r.Rules), 0).Floor(day)
	r.From, r.To = o.From, o.To
	if r.From == 0 {
		r.From = first
	}
	if r.To == 0 {
		r.To = over
	}
	const form = time.DateOnly
	switch {
	case r.To > over:
		return r, nil, fmt.Errorf("%w: visits that began on %s may still go on, or events come late. The archive is complete until %s, and days before %s are over",
			ErrDays, (r.To - day).Std().Format(form), complete, over.Std().Format(form))
	case r.From < first && o.From != 0:
		return r, nil, fmt.Errorf("%w: the archive has whole days from %s on only", ErrDays, first.Std().Format(form))
	case r.To <= r.From:
		return r, nil, fmt.Errorf("%w: no day is over yet that the archive has whole. It has them from %s on, and days before %s are over", ErrDays,
			first.Std().Format(form), over.Std().Format(form))
	}
	return r, a, nil
}

// settles returns how long after its end a day may still change, and hits behind it be of visits that began in it and have no row yet.
func settles(r engine.Rules) event.Time {
	v := r.Visits()
	return 2*v.MaxLength + v.Timeout + r.WithDefaults().Lateness + event.Hour
}

// firstDay returns the first day that the archive has whole.
func (s *Session) firstDay(ctx context.Context, r *replay.Options) (event.Time, error) {
	whole, err := r.CompleteFrom(ctx)
	if err != nil || whole > 0 {
		return (whole + day - 1).Floor(day), err
	}
	files, err := r.Lake.Files(ctx, 0, replay.EndOfTime)
	if err != nil || len(files) == 0 {
		return 0, err
	}
	first := replay.EndOfTime
	for _, f := range files {
		first = min(first, f.Hour.Floor(day))
	}
	return first, nil
}

// sameRules refuses a command that counts by other rules than the stream goes on with.
func (s *Session) sameRules(ctx context.Context, o *DaysOptions) error {
	c, found, err := rules.LoadCounting(ctx, s.Stores.Lake)
	if err != nil {
		return err
	}
	if found && c.By != o.By {
		return fmt.Errorf("%w: days counted so would not go together with what comes after them. Start serve with the new rules first, and give this command "+
			"the same --goals or --sites-file, of the same build (serve: %s; this command: %s)", ErrOtherRules, c.By, o.By)
	}
	return nil
}

// upTo is an archive up to how far it was.
type upTo struct {
	replay.Lake
	a *archived
}

func (l upTo) Files(ctx context.Context, from, to event.Time) (files []replay.File, err error) {
	all, err := l.Lake.Files(ctx, from, to)
	for _, f := range all {
		if f.Topic != engine.EventsTopic || f.First <= l.a.last[f.Partition] {
			files = append(files, f)
		}
	}
	return files, err
}

// recounts opens what takes the hits of each partition that has hits.
func (s *Session) recounts(ctx context.Context, o *DaysOptions, r *replay.Options, a *archived) (map[int32]*lake.Recount, func() error, error) {
	nothing := func() error { return nil }
	reader := commits.NewReader(commits.ReaderOptions{Store: s.Stores.Lake, Topic: engine.EventsTopic, Partitions: int32(a.partitions)})
	snapshot, err := reader.Snapshot(ctx)
	if err != nil {
		return nil, nothing, err
	}
	has := false
	for _, state := range snapshot.Partitions {
		has = has || state.Version >= 0
	}
	if !has {
		o.Log.Warn("the archive has no hits, and only rollups are counted again: a serve with the role archive, and without --no-hits, makes them")
		return nil, nothing, nil
	}
	topics, done, err := s.topics(o)
	if err != nil {
		return nil, nothing, err
	}
	began := r.From
	if whole, err := r.CompleteFrom(ctx); err == nil && whole == 0 {
		if first, err := s.firstDay(ctx, r); err == nil && began <= first {
			began = 0
		}
	}
	all := map[int32]*lake.Recount{}
	for partition, last := range a.last {
		all[partition], err = lake.OpenRecount(ctx, lake.RecountOptions{
			Store: s.Stores.Lake, Topic: engine.EventsTopic, Partition: partition, Commits: topics.Partition(partition), From: r.From, To: r.To,
			Next: last + 1, Began: began, Log: o.Log,
		})
		if errors.Is(err, lake.ErrNoHits) {
			o.Log.Warn("only rollups of a partition are counted again", "err", err)
			delete(all, partition)
		} else if err != nil {
			return nil, nothing, errors.Join(o.Kafka.Explain(ctx, err), done())
		}
	}
	return all, done, nil
}
