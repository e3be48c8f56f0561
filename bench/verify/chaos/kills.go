package chaos

import (
	"context"
	"fmt"
	"time"

	"millrace/engine/event"
)

// crowd is the log of the scenarios that kill: some of everything.
func crowd(o Options) Workload {
	w := Workload{
		Events: o.Events, Sites: min(50, max(8, o.Events/5000)), Pages: 700,
		Late: 0.02, Dropped: 0.003, Bots: 0.03, Poison: 0.005, Duplicates: 0.02,
	}
	// A visitor comes back some ten times.
	w.Visitors = min(2000, max(50, o.Events/w.Sites/10))
	w.SaltChange = defaultStart + 8*event.Minute
	if o.Audit != nil { // which compares nothing that dropped events explain
		w.Dropped = 0
	}
	return w
}

// kills is T1.
func kills(ctx context.Context, o Options) error { return killing(ctx, o, 0) }

// wipes is T2.
func wipes(ctx context.Context, o Options) error { return killing(ctx, o, 0.25) }

// killing opens a run and kills its engine.
func killing(ctx context.Context, o Options, wipe float64) error {
	r, err := open(ctx, o, plan{work: crowd(o)})
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.kills(ctx, o.Times, wipe); err != nil {
		return err
	}
	return r.finish(ctx)
}

// kills writes the log in slices, one more than there are kills, and kills the engine at a random
// moment of each: while it starts, while it counts, or when it has nothing to do. Wipe is the share
// of restarts that find no state. At the end there is an engine.
func (r *run) kills(ctx context.Context, times int, wipe float64) error {
	wiped, early := 0, 0
	var up time.Duration
	for i := range times {
		r.opts.progress("kill", i, times)
		if err := r.feed.until(ctx, r.share(float64(i+1)/float64(times+1))); err != nil {
			return err
		}
		p, err := r.fleet.start(r.job(0))
		if err != nil {
			return err
		}
		if r.rng.IntN(8) == 0 { // while it starts
			early++
			if err := sleep(ctx, time.Duration(r.rng.IntN(800))*time.Millisecond); err != nil {
				return err
			}
		} else {
			if err := p.waitReady(ctx); err != nil {
				return err
			}
			up += p.ready.Sub(p.began)
			if err := sleep(ctx, killAfter(r.rng.IntN(2) == 0, r.rng.Float64())); err != nil {
				return err
			}
		}
		if !p.alive() {
			return fmt.Errorf("the worker ended by itself: %w\n%s", p.err, p.errs.String())
		}
		if err := p.kill(ctx); err != nil {
			return err
		}
		if r.rng.Float64() < wipe {
			wiped++
			if err := r.wipe(0); err != nil {
				return err
			}
		}
	}
	if _, err := r.start(ctx, r.job(0)); err != nil {
		return err
	}
	r.report.Add("kills", "%d, %d of them while starting; state wiped %d times", times, early, wiped)
	r.report.Add("start", "%v until the state was recovered, on average", (up / time.Duration(max(1, times-early))).Round(time.Millisecond))
	return nil
}

// killAfter is a moment of a worker's life, in its first third of a second or some time later.
func killAfter(soon bool, u float64) time.Duration {
	if soon {
		return time.Duration(u * float64(300*time.Millisecond))
	}
	return time.Duration(u * float64(1500*time.Millisecond))
}
