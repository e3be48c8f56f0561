package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/emit/local"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
)

// run is a scenario in progress: a cluster, a log that is being written to it, the workers that
// count it, and what they have written.
type run struct {
	opts   Options
	work   Workload
	rng    *rand.Rand // of the schedule
	dir    string
	world  *world
	counts *counts
	feed   *feeder
	sink   *sink
	fleet  *fleet
	audits *auditor // nil if nothing is audited
	report *Report
	cut    int            // connections
	merged map[string]int // files of hits and visits in the end, by level
}

// plan is what a scenario needs of a run.
type plan struct {
	work    Workload
	group   string                          // of the workers, the engine's if it is ""
	brokers int                             // 1 if it is 0
	fired   func(*window.Window, time.Time) // told each window
	read    bool                            // workers read the windows
	wrote   func(rec *record, offset int64) // told each record of the log
	seen    func(*proc, *status)            // told each line of a worker
	archive bool                            // the scenario archives by itself
}

// open starts a run. It has to be closed.
func open(ctx context.Context, o Options, p plan) (_ *run, err error) {
	p.work.Seed = o.Seed
	p.work = p.work.withDefaults()
	r := &run{opts: o, work: p.work, rng: rand.New(rand.NewPCG(o.Seed, 0x7363686564)), report: o.report}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.dir, err = os.MkdirTemp(o.Dir, "millrace-chaos-"); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	if r.world, err = openWorld(ctx, max(p.brokers, 1), p.work.Partitions, r.dir, &o); err != nil {
		return nil, err
	}
	r.fleet = &fleet{world: r.world, group: cmp.Or(p.group, engine.Group), worker: o.Worker, at: map[int32]progress{}, seen: p.seen}
	r.counts = newCounts(p.work)
	next, stop := iter.Pull(p.work.records())
	r.feed = &feeder{counts: r.counts, next: next, stop: stop, wrote: p.wrote}
	if r.feed.client, err = r.world.client(); err != nil {
		return nil, err
	}
	if r.sink, err = newSink(r.world, p.fired, !p.read && len(o.Kafka) == 0); err != nil {
		return nil, err
	}
	if o.Audit != nil {
		r.sink.reader = local.Group
		r.audits, err = startAuditor(ctx, &r.opts, r.world, r.dir, r.job(0), !p.archive)
	}
	return r, err
}

// openSteady starts a run with one worker, which goes on when its processor fails, as serve does.
// It has to be closed.
func openSteady(ctx context.Context, o Options, p plan) (*run, *proc, error) {
	r, err := open(ctx, o, p)
	if err != nil {
		return nil, nil, err
	}
	j := r.job(0)
	j.Steady = true
	worker, err := r.start(ctx, j)
	if err != nil {
		r.close()
		return nil, nil, err
	}
	return r, worker, nil
}

// close ends the workers first: without brokers they would only fill their logs.
func (r *run) close() {
	if r.fleet != nil {
		r.fleet.end()
	}
	if r.audits != nil {
		r.audits.fleet.end()
	}
	if r.feed != nil {
		r.feed.stop()
		if r.feed.client != nil {
			r.feed.client.Close()
		}
	}
	if r.sink != nil {
		r.sink.close()
	}
	if r.world != nil {
		r.world.close()
	}
	if r.dir != "" {
		os.RemoveAll(r.dir)
	}
}

// job is what the run's workers do; each instance has a state folder of its own.
func (r *run) job(instance int) job {
	var goals []string
	for _, site := range r.counts.sites {
		goals = append(goals, goalsOf(site))
	}
	return job{
		Dir: r.stateDir(instance), Lateness: r.work.Lateness, Partitions: int(r.work.Partitions),
		Goals: "{" + strings.Join(goals, ",") + "}",
	}
}

// stateDir is the folder of an instance's state.
func (r *run) stateDir(instance int) string {
	return filepath.Join(r.dir, fmt.Sprintf("state-%d", instance))
}

// start starts a worker and waits until it is ready.
func (r *run) start(ctx context.Context, j job) (*proc, error) {
	p, err := r.fleet.start(j)
	if err != nil {
		return nil, err
	}
	return p, p.waitReady(ctx)
}

// share is the log time at which a part of the log's span has passed.
func (r *run) share(part float64) event.Time {
	return r.work.Start + event.Time(part*float64(r.work.Span))
}

// patience is how long a run waits for something to move.
const patience = 90 * time.Second

// settle writes the rest of the log and waits until the workers have counted and committed all of
// it. Somebody must be there to do it.
func (r *run) settle(ctx context.Context) error {
	if err := r.feed.until(ctx, event.Time(1)<<60); err != nil {
		return err
	}
	return r.drain(ctx)
}

// drain waits until everything written so far is committed.
func (r *run) drain(ctx context.Context) error {
	var last int64 = -1
	moved := time.Now()
	for {
		at, err := r.world.committed(ctx, engine.Group)
		if err != nil && (ctx.Err() != nil || time.Since(moved) > patience) {
			return err
		}
		done := int64(0)
		for p := range at {
			done += min(at[p], r.counts.ends[p])
		}
		if err == nil {
			r.opts.progress("count", int(done), int(r.counts.records()))
		}
		if err == nil && done == r.counts.records() {
			return nil
		}
		if done != last {
			last, moved = done, time.Now()
		}
		if len(r.fleet.live()) == 0 {
			return fmt.Errorf("every worker has ended; %d of %d records are committed\n%s", done, r.counts.records(), r.fleet.lastWords())
		}
		if time.Since(moved) > patience {
			return fmt.Errorf("nothing has moved for %v: %d of %d records are committed\n%s", patience, done, r.counts.records(), r.words())
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the workers: %w: %d of %d records are committed\n%s", err, done, r.counts.records(), r.words())
		}
	}
}

// words is what the live workers said last.
func (r *run) words() string {
	s := ""
	for i, p := range r.fleet.live() {
		s += fmt.Sprintf("worker %d: %s\n", i, p.errs.String())
	}
	return s
}

// check compares everything that was written with the recount, and puts it into the report.
func (r *run) check(ctx context.Context) error {
	for _, topic := range []string{engine.WindowsTopic, deadletter.Topic} {
		ends, err := r.world.ends(ctx, topic)
		if err == nil {
			err = r.sink.readTo(ctx, topic, ends)
		}
		if err != nil {
			return err
		}
	}
	ends, err := r.world.ends(ctx, engine.EventsTopic)
	if err != nil {
		return err
	}
	rep := r.report
	if !slices.Equal(ends, r.counts.ends) {
		rep.Fail("the log has %v records, written were %v", ends, r.counts.ends)
	}
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	v := r.counts.compare(r.sink.windows)
	rep.Wrong = append(rep.Wrong, v.Wrong...)
	rep.Wrong = append(rep.Wrong, r.counts.checkDead(engine.EventsTopic, r.sink.letters)...)
	got, at := r.fleet.counters()
	for p, end := range r.counts.ends {
		if at[int32(p)] != end-1 {
			return fmt.Errorf("nobody has told the counters of partition %d at its end", p)
		}
	}
	want := r.counts.total()
	rep.Wrong = append(rep.Wrong, checkCounters(got, want)...)
	rep.Add("log", "%d events in %d records, %d partitions, %d sites, %s of event time", want.Events, want.Records,
		r.work.Partitions, r.work.Sites, r.work.Span.Std().Sub(event.Time(0).Std()))
	rep.Add("accounting", "%d on time + %d late + %d dropped + %d duplicates + %d of bots + %d pings = %d events; %d records dead",
		got.OnTime, got.Late, got.Dropped, got.Duplicates, got.Bots, got.Pings, got.Events, got.Dead)
	rep.Add("compared", "%d windows with %d values in %d firings, %.1f MB", v.Windows, v.Values, r.sink.firings, float64(r.sink.bytes)/1e6)
	return nil
}

// finish is settle, check and audit.
func (r *run) finish(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	// The last line of each worker comes a moment after its commit.
	for deadline := time.Now().Add(patience); ; {
		_, at := r.fleet.counters()
		told := true
		for p, end := range r.counts.ends {
			told = told && at[int32(p)] == end-1
		}
		if told || time.Now().After(deadline) {
			break
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	return r.audit(ctx)
}

// wipe empties a state folder.
func (r *run) wipe(instance int) error {
	return errors.Join(os.RemoveAll(r.stateDir(instance)))
}
