package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// place is where an event has to be in the lake.
type place struct {
	partition int32
	offset    int64
	index     int32
}

// lakePoints are those at which an archiver kills itself.
var lakePoints = []string{beforePut, afterPut, beforeChain, afterChain, beforeCommit, afterCommitSent, midMerge, beforeDelete, afterDelete}

// perKill is how much of the log's time is written for each kill: each partition has some segments and a merge in it.
const perKill = 3 * event.Minute

// killArchiver is T9: the archiver is killed around its uploads and commits, or suspended until another has its partitions, and its
// store fails one request in ten.
func killArchiver(ctx context.Context, o Options) error {
	w := crowd(o)
	w.Span = max(20*event.Minute, event.Time(o.Times)*perKill)
	want := map[place]uint32{}
	r, err := open(ctx, o, plan{work: w, group: lake.Group, archive: true, wrote: func(rec *record, offset int64) {
		for i := range rec.events {
			want[place{rec.partition, offset, int32(i)}] = rec.events[i].number
		}
	}})
	if err != nil {
		return err
	}
	defer r.close()
	address := o.Store
	if address == "" {
		address = filepath.Join(r.dir, "lake")
	}
	if r.audits != nil {
		r.audits.spec.Lake = address
	}
	store, err := blob.Open(address)
	if err != nil {
		return err
	}
	unwatch := r.watchHits(ctx, store)
	defer unwatch()
	job := func() job {
		j := r.job(0)
		j.Role, j.Store, j.Faults, j.Seed, j.Flush = roleArchive, address, 0.1, r.rng.Uint64(), 20*time.Second
		return j
	}
	hits, err := r.killArchivers(ctx, job)
	if err != nil {
		return err
	}
	p, err := r.start(ctx, job())
	if err != nil {
		return err
	}
	if err := r.feed.until(ctx, event.Time(1)<<60); err != nil {
		return err
	}
	l := lake.NewReader(store)
	rows, err := r.filled(ctx, l, p, len(want))
	if err != nil {
		return err
	}
	if err := p.stop(ctx); err != nil {
		return err
	}
	report, err := l.Check(ctx)
	if err := errors.Join(err, report.Err()); err != nil {
		o.report.Fail("%v", err)
	}
	if err := r.checkLake(ctx, l, want); err != nil {
		return err
	}
	snapshots := unwatch()
	r.merged = map[string]int{}
	n, err := r.checkHits(ctx, store, job())
	if err != nil {
		return err
	}
	o.report.Add("snapshots", "%d taken meanwhile, none of which went back or lacked a file; files in the end by level: %v", snapshots, r.merged)
	o.report.Add("hits", "%d, each once, and those of a log read without a stop", n)
	o.report.Add("lake", "%d events in %d objects of %s", rows, report.Objects, store)
	named := 0
	for _, name := range lakePoints {
		named += hits[name]
	}
	o.report.Add("kills", "%d at named points, of %d rounds: %v", named, o.Times, hits)
	if tried := o.Times - hits["suspended"]; named < tried*9/10 {
		o.report.Fail("of %d kills at named points %d have happened", tried, named)
	}
	if r.audits == nil {
		return nil
	}
	// An engine counts the log now, and the archive goes on.
	if _, err := r.start(ctx, job()); err != nil {
		return err
	}
	if _, err := r.start(ctx, r.job(1)); err != nil {
		return err
	}
	return r.audit(ctx)
}

// killArchivers is the harm, in as many rounds as Options.Times says, each of which has its part of the log. It returns how often each point
// was come by, and what else was done. A point that is not reached in a round is tried once more in a part of its own, while there are some.
func (r *run) killArchivers(ctx context.Context, job func() job) (hits map[string]int, err error) {
	hits = map[string]int{}
	times := r.opts.Times
	spare := times / 5
	parts, used := times+spare+1, 0
	try := func(f func(from, to float64) error) error {
		from := float64(used) / float64(parts)
		used++
		return f(from, float64(used)/float64(parts))
	}
	at := func(point string, nth int) (hit bool, err error) {
		err = try(func(from, to float64) (err error) {
			j := job()
			j.Point, j.Nth = point, int64(nth)
			if hit, err = r.killWhile(ctx, j, from, to, 40, 15*time.Second); err != nil {
				err = fmt.Errorf("point %s: %w", point, err)
			}
			return err
		})
		return hit, err
	}
	var names []string
	for i := range times {
		r.opts.progress("kill", i, times)
		if i%4 == 1 {
			if err := try(func(from, to float64) error { return r.suspendArchiver(ctx, job(), job(), from, to) }); err != nil {
				return hits, err
			}
			hits["suspended"]++
			continue
		}
		if len(names) == 0 {
			names = slices.Clone(lakePoints)
			r.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		}
		name := names[0]
		names = names[1:]
		hit, err := at(name, 1+r.rng.IntN(4))
		for ; err == nil && !hit && spare > 0; spare-- {
			hits["none"]++
			hit, err = at(name, 1)
		}
		switch {
		case err != nil:
			return hits, err
		case hit:
			hits[name]++
		default:
			hits["none"]++
		}
	}
	return hits, nil
}

// filled waits until the lake holds so many rows, or nothing comes any more.
func (r *run) filled(ctx context.Context, l *lake.Reader, p *proc, want int) (int, error) {
	last, moved := -1, time.Now()
	for {
		n := 0
		err := eachRow(ctx, l, func(*event.Event, lake.Source) error { n++; return nil })
		if err != nil {
			return 0, err
		}
		r.opts.progress("archive", n, want)
		if n >= want {
			return n, nil
		}
		if n != last {
			last, moved = n, time.Now()
		}
		if time.Since(moved) > patience || !p.alive() {
			r.report.Fail("the lake has %d events, %d were written: %s", n, want, p.errs.String())
			return n, nil
		}
		if err := sleep(ctx, 300*time.Millisecond); err != nil {
			return 0, fmt.Errorf("the lake has %d of %d events: %w\n%s", n, want, err, p.errs.String())
		}
	}
}

// checkLake compares each event of the lake with the one that was written to its place.
func (r *run) checkLake(ctx context.Context, l *lake.Reader, want map[place]uint32) error {
	seen := make(map[place]bool, len(want))
	err := eachRow(ctx, l, func(e *event.Event, s lake.Source) error {
		at := place{s.Partition, s.Offset, s.Index}
		number, ok := want[at]
		switch {
		case !ok || s.Topic != engine.EventsTopic:
			r.report.Fail("%s: nobody wrote it", s)
		case seen[at]:
			r.report.Fail("%s is there twice", s)
		case e.ID != eventID(number):
			r.report.Fail("%s is event %s, written was %s", s, e.ID, eventID(number))
		}
		seen[at] = true
		return nil
	})
	for at := range want {
		if !seen[at] {
			r.report.Fail("%v is missing", at)
		}
	}
	return err
}

// eachRow calls fn for every event of the archive.
func eachRow(ctx context.Context, l *lake.Reader, fn func(*event.Event, lake.Source) error) error {
	hours, err := l.Hours(ctx, 0, event.Time(1)<<60)
	if err != nil {
		return err
	}
	for _, h := range hours {
		if err := l.ReadHour(ctx, h.Start, "", fn); err != nil {
			return err
		}
	}
	return nil
}
