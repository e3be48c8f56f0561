package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// points is T3: rounds in each of which the engine kills itself at every named point once.
func points(ctx context.Context, o Options) error {
	hits := map[string]int{}
	windows := 0
	for round := range o.Times {
		o.progress("round", round, o.Times)
		ro := o
		ro.Seed = o.Seed + uint64(round)
		ro.report = &Report{}
		ro.Progress = nil
		err := pointsRound(ctx, ro, hits)
		for _, line := range ro.report.Wrong {
			o.report.Fail("seed %d: %s", ro.Seed, line)
		}
		if err != nil {
			return fmt.Errorf("round of seed %d: %w", ro.Seed, err)
		}
		windows++
	}
	var list []string
	total := 0
	for _, name := range Points() {
		list = append(list, fmt.Sprintf("%s %d", name, hits[name]))
		total += hits[name]
		if hits[name] == 0 {
			o.report.Fail("point %s was never hit", name)
		}
	}
	o.report.Add("points", "%d, %d kills in %d rounds of %d events", len(list), total, o.Times, o.Events)
	o.report.Add("hits", "%s", strings.Join(list, ", "))
	return nil
}

// pointsRound goes through all points in random order on one log.
func pointsRound(ctx context.Context, o Options, hits map[string]int) error {
	r, err := open(ctx, o, plan{work: crowd(o)})
	if err != nil {
		return err
	}
	defer r.close()
	names := Points()
	r.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	// The last part of the log is for second tries: a point may not have been passed often enough.
	const tries = 6
	slices, used := len(names)+tries+1, 0
	try := func(name string, nth int64) (bool, error) {
		from := float64(used) / float64(slices)
		used++
		hit, err := r.killAt(ctx, name, nth, from, float64(used)/float64(slices))
		if err != nil {
			return false, fmt.Errorf("point %s: %w", name, err)
		}
		if hit {
			hits[name]++
		}
		return hit, nil
	}
	var missed []string
	for _, name := range names {
		hit, err := try(name, r.nth(name))
		if err != nil {
			return err
		}
		if !hit {
			missed = append(missed, name)
		}
	}
	for _, name := range missed[:min(len(missed), tries)] {
		if _, err := try(name, 1); err != nil {
			return err
		}
	}
	if _, err := r.start(ctx, r.job(0)); err != nil {
		return err
	}
	return r.finish(ctx)
}

// killAt writes the log from one share of it to another and lets an engine work until it kills
// itself at a point, or has been waited for long enough: then it is killed where it is.
func (r *run) killAt(ctx context.Context, point string, nth int64, from, to float64) (bool, error) {
	j := r.job(0)
	j.Point, j.Nth, j.MemTable = point, nth, 64<<10
	if point == midRecovery {
		if err := r.wipe(0); err != nil {
			return false, err
		}
	}
	return r.killWhile(ctx, j, from, to, 12, 1500*time.Millisecond)
}

// killWhile is killAt for any worker. The log is written in so many pieces, and waited is so long after the last.
func (r *run) killWhile(ctx context.Context, j job, from, to float64, pieces int, wait time.Duration) (bool, error) {
	p, err := r.fleet.start(j)
	if err != nil {
		return false, err
	}
	// However slow the machine is: what is waited for below is the point, not the start.
	if err := p.waitReady(ctx); err != nil && p.alive() {
		return false, err
	}
	// In small pieces, so that ticks, acknowledgements and commits come between the events.
	for i := 1; i <= pieces && p.alive(); i++ {
		if err := r.feed.until(ctx, r.share(from+(to-from)*float64(i)/float64(pieces))); err != nil {
			return false, err
		}
		select {
		case <-p.done:
		case <-time.After(30 * time.Millisecond):
		}
	}
	if err := r.feed.until(ctx, r.share(to)); err != nil {
		return false, err
	}
	select {
	case <-p.done:
	case <-time.After(wait):
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if p.alive() {
		return false, p.kill(ctx)
	}
	if !p.selfKilled() {
		return false, fmt.Errorf("the worker ended, and not by a kill: %w\n%s", p.err, p.errs.String())
	}
	return true, r.fleet.bury(ctx)
}

// nth is how often a worker comes by a point before it kills itself there: some points are passed
// with each record, some a few times in a life.
func (r *run) nth(point string) int64 {
	most := 300
	switch point {
	case storeOpen:
		most = int(r.work.Partitions)
	case beforeCommit, afterCommitSent, midDelete:
		most = 2
	case afterCommit, tableWrite, beforeSend, afterSend, produceAnswered:
		most = 8
	case midRedelivery:
		most = 10
	case manifestWrite:
		most = 3
	case midFire:
		most = 60
	}
	return int64(1 + r.rng.IntN(most))
}
