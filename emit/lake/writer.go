package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/wire"
	"millrace/internal/blob"
	"millrace/internal/kafka"
)

// Group is the consumer group of the archiver.
const Group = "millrace.archive"

// Limit returns how far the offsets of a partition may be committed: a commit must never pass what it
// returns at that moment.
type Limit func(topic string, partition int32) int64

// Options configure an Archiver.
type Options struct {
	Brokers []string
	// Goka returns the options of a processor that keeps to the limit when it commits offsets.
	// Required.
	//
	// The archiver does not use goka's DeferCommit. goka waits up to a minute at the end of a
	// session for deferred records, and the archiver always holds some: a whole segment. Ending
	// them with an error instead would stop the processor at each rebalance, and two instances
	// would do that to each other for ever. Under a limit goka finishes each record at once, and a
	// session ends at once.
	Goka func(Limit) []goka.ProcessorOption
	// Topic is the topic of event envelopes, by the name that the archive has of it. Required.
	Topic string
	// Names are what Topic and Group are called in Kafka. An archive is that of one prefix: another
	// Archiver of it ends with ErrLog.
	Names kafka.Names
	// Partitions is the topic's number of partitions. Required, 1 or more.
	Partitions int32
	// End returns the offset behind the last record of a partition of the topic. With it a log that
	// ends before the archive is refused at its first record; without it, when it has grown as long
	// as the archive. May be nil.
	End func(ctx context.Context, partition int32) (int64, error)
	// Begin returns the offset of the first record of a partition that the topic still has. With it a
	// log that has lost records is told from a group that has been moved on. nil: it can't be told.
	Begin func(ctx context.Context, partition int32) (int64, error)
	// Store is the lake. Required.
	Store blob.Store
	// Sole: no other archiver can have a partition of the topic, not even one that was
	// thought dead, as with a broker of this process. A Run that is told to end then writes what it
	// has, see seal. With a cluster it must be false: the partition's next owner has the records,
	// and files of a segment that two owners cut differently would replace each other.
	Sole bool
	// Log gets what an operator should know. Required.
	Log *slog.Logger
	// Hits, if not nil, has hits and visits written beside the raw rows.
	Hits *HitsOptions
	// Retain, if not nil, has deleted what sites keep no longer.
	Retain *RetainOptions

	// MaxRows cuts a segment, 250,000 by default, 1 to 10 million. Not larger, because a segment is
	// held in memory, 30 MB of rows and their strings for each busy partition; not smaller, because
	// files of a few megabytes are what keeps the lake quick to read.
	MaxRows int
	// MaxBytes cuts a segment by the size of its records, 128 MiB by default, at least 1: it bounds
	// the memory where events are unusually large.
	MaxBytes int64
	// FlushInterval cuts a segment when the low watermark of some collector has moved by this
	// within it; one minute by default, at least one second. It bounds how far the archive lags,
	// and so how much is read again after a crash.
	FlushInterval time.Duration
	// SilentAfter is the time of the log after which a silent collector no longer holds
	// the progress's Low back; one minute by default.
	SilentAfter time.Duration

	// backoff is the pause after the first failed request; it doubles up to backoffMost. Tests set
	// it.
	backoff time.Duration
	// keepProgress is how long progress stays that was replaced: 10 minutes, for readers of the
	// whole folder. Tests set it.
	keepProgress time.Duration
	// keepErasures is keepErasures. Tests set it.
	keepErasures time.Duration
	// now is time.Now. Tests set it: the pool of zstd's encoders does not bear testing/synctest.
	now func() time.Time
	// chain changes the options of the chains of commits. Tests set it.
	chain func(*commits.Options)
}

// backoffMost caps the pause between two tries of a request to the store.
const backoffMost = 30 * time.Second

func (o Options) withDefaults() Options {
	set(&o.MaxRows, 250_000)
	set(&o.MaxBytes, 128<<20)
	set(&o.FlushInterval, time.Minute)
	set(&o.SilentAfter, time.Minute)
	set(&o.backoff, 100*time.Millisecond)
	set(&o.keepProgress, 10*time.Minute)
	set(&o.keepErasures, keepErasures)
	if o.now == nil {
		o.now = time.Now
	}
	if o.Hits != nil {
		h := *o.Hits
		set(&h.Settle, 13*event.Hour)
		o.Hits = &h
	}
	return o
}

func set[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Validate returns all that is wrong with the options, after defaults.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("archive: "+what))
		}
	}
	need(len(o.Brokers) > 0, "no brokers")
	need(o.Goka != nil, "no goka options")
	need(blob.ValidKey(o.Topic) == nil, fmt.Sprintf("topic %q can't be part of an object's key", o.Topic))
	need(o.Partitions > 0, "the number of partitions must be 1 or more")
	need(o.Store != nil, "no store")
	need(o.Log != nil, "no log")
	need(o.MaxRows >= 1 && o.MaxRows <= 10_000_000, "max rows must be 1 to 10,000,000")
	need(o.MaxBytes >= 1, "max bytes must be 1 or more")
	need(o.FlushInterval >= time.Second, "flush interval must be 1 s or more")
	need(o.SilentAfter >= time.Second, "silent after must be 1 s or more")
	if r := o.Retain; r != nil {
		need(r.Retention != nil && r.Busy != nil && r.Reach >= 0, "no retention of sites, or none that says when it may be obeyed")
	}
	if o.Hits != nil {
		for _, what := range o.Hits.validate() {
			need(false, what)
		}
	}
	return errors.Join(errs...)
}

func (o Options) cut() Cut {
	return Cut{Rows: o.MaxRows, Bytes: o.MaxBytes, Flush: event.Time(o.FlushInterval.Milliseconds())}
}

// Stats are counters since New.
type Stats struct {
	Rows     int64 // events in objects that were uploaded
	Objects  int64 // uploaded
	Bytes    int64 // of these objects
	Segments int64 // finished
	Skipped  int64 // records that could not be decoded
	Failures int64 // failed requests to the store, each of which is repeated
	// Stored is when a segment was finished last, in ms since the epoch; 0: none yet.
	Stored event.Time
}

// HitStats returns the counters of hits as they are now.
func (a *Archiver) HitStats() HitStats {
	s := &a.stats
	return HitStats{
		Hits: s.hits.Load(), Visits: s.visits.Load(), Objects: s.hitObjects.Load(), Bytes: s.hitBytes.Load(),
		Commits: s.commits.Load(), Passed: s.passed.Load(), CaughtUp: s.caughtUp.Load(), Anew: s.anew.Load(),
		Merges: s.merges.Load(), MergesOff: s.mergesOff.Load(), MergesFailed: s.mergesFailed.Load(),
		MergedFiles: s.mergedFiles.Load(), MergedRows: s.mergedRows.Load(), MergedBytes: s.mergedBytes.Load(), Swept: s.swept.Load(),
	}
}

// Archiver moves a topic's events into the lake.
type Archiver struct {
	o     Options
	stats struct {
		rows, objects, bytes, segments, skipped, failures, stored atomic.Int64

		hits, visits, hitObjects, hitBytes, commits, passed, caughtUp, anew, merges, mergesOff atomic.Int64

		mergesFailed, mergedFiles, mergedRows, mergedBytes, swept atomic.Int64
	}

	retained      retainCounts
	gone          erasures                // of the store
	expired       atomic.Pointer[Expired] // of the store, as it was known last; nil: not yet
	probeReported atomic.Bool             // what the first probe has found is logged

	mu         sync.Mutex // guards the following, not what partitions point to
	partitions map[int32]*partition
	offered    map[int32]*offered
	waits      map[*wait]struct{}
	failed     error // why consume gave up: goka passes on only the text of an error
}

// New returns an archiver. It makes no request yet.
func New(o Options) (*Archiver, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Archiver{o: o.withDefaults(), partitions: map[int32]*partition{}, offered: map[int32]*offered{}, waits: map[*wait]struct{}{}}, nil
}

// Run archives until ctx is done, and returns nil then, some seconds later at most if the archiver
// is the Sole one. An error is why archiving can't go on as it is; Run may be called again after
// it, but not while it runs.
//
// An error that wraps ErrGap, ErrLog or ErrProgress comes again until an operator has decided what
// to do.
func (a *Archiver) Run(ctx context.Context) error {
	graph := goka.DefineGroup(goka.Group(a.o.Names.Of(Group)), goka.Input(goka.Stream(a.stream()), new(codec.Bytes), a.consume))
	opts := append(a.o.Goka(a.Limit), goka.WithNilHandling(goka.NilProcess))
	proc, err := goka.NewProcessor(a.o.Brokers, graph, opts...)
	if err != nil {
		return fmt.Errorf("archive %s: %w", a.o.Topic, err)
	}
	a.fail(nil)
	moving, stop := context.WithCancel(ctx)
	var mover sync.WaitGroup
	mover.Go(func() {
		// It ends with the context, or at progress that can't be read, which whoever reads it reports.
		_ = a.retry(moving, "move old progress", func() error { return MoveProgress(moving, a.o.Store) })
	})
	merged, retained := a.startMerging(moving), a.startRetaining(moving)
	if a.o.Sole {
		err = a.runToTheEnd(ctx, proc)
	} else {
		err = proc.Run(ctx)
	}
	stop()
	mover.Wait()
	merged()
	retained()
	if a.o.Sole && ctx.Err() != nil {
		a.seal(context.WithoutCancel(ctx))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil
	case a.failed != nil:
		err = a.failed
	case err == nil:
		err = errors.New("the processor stopped by itself")
	}
	return fmt.Errorf("archive %s: %w", a.o.Topic, err)
}

// erased returns whose events are left out of all that is written.
func (a *Archiver) erased(ctx context.Context) (gone erased, err error) {
	err = a.retry(ctx, "list what is erased", func() (err error) { gone, _, err = a.gone.of(ctx, a.o.Store, a.o.keepErasures); return err })
	return gone, err
}

// stream returns what the topic is called in Kafka.
func (a *Archiver) stream() string { return a.o.Names.Of(a.o.Topic) }

func (a *Archiver) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = err
}

// Limit is the Limit of this archiver: everything below it is in the lake.
func (a *Archiver) Limit(topic string, partition int32) int64 {
	if topic != a.stream() {
		return 0
	}
	return a.partition(partition).limit.Load()
}

// Stats returns the counters as they are now.
func (a *Archiver) Stats() Stats {
	s := &a.stats
	return Stats{
		Rows: s.rows.Load(), Objects: s.objects.Load(), Bytes: s.bytes.Load(),
		Segments: s.segments.Load(), Skipped: s.skipped.Load(), Failures: s.failures.Load(),
		Stored: event.Time(s.stored.Load()),
	}
}

func (a *Archiver) partition(id int32) *partition {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.partitions[id]
	if p == nil {
		p = &partition{a: a, id: id}
		a.partitions[id] = p
	}
	return p
}

// consume is goka's callback: it runs in the goroutine of its partition and may block there. While
// it does, the partition's few buffers fill and nothing more is fetched; the session lives on,
// because it is kept alive elsewhere.
func (a *Archiver) consume(ctx goka.Context, msg any) {
	value, _ := msg.([]byte)
	err := a.partition(ctx.Partition()).consume(ctx.Context(), ctx.Offset(), value)
	// When the session is over an error means nothing, and what was not archived stays above the
	// limit.
	if err != nil && ctx.Context().Err() == nil {
		a.fail(err)
		ctx.Fail(err)
	}
}

// retry calls f until it succeeds, ctx is done, or the error is one that stays.
func (a *Archiver) retry(ctx context.Context, what string, f func() error) error {
	pause := a.o.backoff
	w := a.waitFor()
	defer a.waited(w)
	for failed := 0; ; failed++ {
		err := f()
		if err == nil {
			if failed > 0 {
				a.o.Log.Info("the lake answers again", "what", what, "failures", failed)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if e, ok := errors.AsType[finalError](err); ok {
			return e.error
		}
		if errors.Is(err, ErrProgress) || errors.Is(err, wire.ErrNewer) {
			return err
		}
		a.stats.failures.Add(1)
		a.why(w, err)
		level := slog.LevelDebug // once is enough; the counter has the rest
		if failed == 0 {
			level = slog.LevelWarn
		}
		a.o.Log.Log(ctx, level, "the lake can't be reached, trying on", "what", what, "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, backoffMost)
	}
}
