package chaos

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"millrace/bench/sim"
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
		r.report.wrong("the engine ended %d times", n)
	}
	r.report.figure("pace", "%.0f events/s, the writing of the log and the recount in the same process beside it", float64(o.Events)/time.Since(began).Seconds())
	return nil
}

// late is T13.
func late(ctx context.Context, o Options) error {
	w := crowd(o)
	w.Late, w.Dropped, w.Jitter = 0.2, 0.05, 5*event.Second
	w.Span, w.Pages = 100*event.Minute, 300 // long enough for visits to end
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
func simulate(ctx context.Context, o Options) error {
	var next atomic.Int64
	var mu sync.Mutex // guards what follows
	var sum sim.Result
	played := 0
	var failed error
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= o.Times {
					return
				}
				seed := o.Seed + uint64(i)
				r, err := sim.Run(sim.Options{Seed: seed})
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					played++
					sum.Windows += r.Windows
					sum.Crashes += r.Crashes
					sum.Wipes += r.Wipes
					sum.Takeovers += r.Takeovers
					sum.Failed += r.Failed
					sum.Repeated += r.Repeated
					for _, line := range r.Wrong {
						o.report.wrong("seed %d: %s", seed, line)
					}
				}
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
				o.progress("simulate", i, o.Times)
			}
		})
	}
	wg.Wait()
	if failed == nil {
		failed = ctx.Err()
	}
	o.report.figure("simulated", "%d seeds from %d: %d windows after %d crashes, %d wiped disks, %d zombies, %d failed and %d repeated produces",
		played, o.Seed, sum.Windows, sum.Crashes, sum.Wipes, sum.Takeovers, sum.Failed, sum.Repeated)
	return failed
}
