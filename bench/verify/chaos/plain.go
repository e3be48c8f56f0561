package chaos

import (
	"context"
	"time"

	"millrace/bench/verify/sim"
	"millrace/engine/event"
)

// quietly counts a log with nobody disturbing, and checks it. The engine must not end once.
func quietly(ctx context.Context, o Options, w Workload) error {
	r, err := open(ctx, o, plan{work: w})
	if err != nil {
		return err
	}
	defer r.close()
	if _, err := r.start(ctx, r.job(0)); err != nil {
		return err
	}
	began := time.Now()
	if err := r.finish(ctx); err != nil {
		return err
	}
	if n := r.fleet.ended; n > 0 {
		r.report.Fail("the engine ended %d times", n)
	}
	r.report.Add("pace", "%.0f events/s, the writing of the log and the recount in the same process beside it", float64(o.Events)/time.Since(began).Seconds())
	return nil
}

// late is T13.
func late(ctx context.Context, o Options) error {
	w := crowd(o)
	w.Late, w.Dropped, w.Jitter = 0.2, 0.07, 5*event.Second // a twentieth of all: half of the sites have seven tenths
	w.Span, w.Pages = 100*event.Minute, 300                 // long enough for visits to end
	if o.Events < 50_000 {
		w.Span = 40 * event.Minute
	}
	return quietly(ctx, o, w)
}

// poison is T19.
func poison(ctx context.Context, o Options) error {
	w := crowd(o)
	w.Poison, w.Batch = 0.01, 20
	return quietly(ctx, o, w)
}

// simulate is T15: the schedules of package sim.
func simulate(ctx context.Context, o Options) error { return simulated(ctx, o, sim.Options{}) }

// disk is T7: the same schedules on disks that refuse writes.
func disk(ctx context.Context, o Options) error { return simulated(ctx, o, sim.Options{BadDisk: true}) }

// simulated plays schedules that differ in their seed only.
func simulated(ctx context.Context, o Options, run sim.Options) error {
	run.Seed = o.Seed
	sum, err := sim.RunSeeds(ctx, run, o.Times, func(done int) { o.progress("simulate", done, o.Times) })
	o.report.Wrong = append(o.report.Wrong, sum.Wrong...)
	o.report.Add("simulated", "%d seeds from %d: %s", o.Times, o.Seed, sum)
	return err
}
