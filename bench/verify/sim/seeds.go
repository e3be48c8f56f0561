package sim

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// RunSeeds makes runs that differ in their seed only: n of them, from o.Seed on, two at a time. The
// Result adds them up; each line of Wrong names its seed. Progress is called after each run. The
// first run that could not be played to its end stops the others.
func RunSeeds(ctx context.Context, o Options, n int, progress func(done int)) (*Result, error) {
	var mu sync.Mutex // guards sum
	var sum Result
	_, err := EachSeed(ctx, o.Seed, n, progress, func(seed uint64) error {
		run := o
		run.Seed = seed
		r, err := Run(run)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sum.Add(r)
		for _, line := range r.Wrong {
			sum.Wrong = append(sum.Wrong, fmt.Sprintf("seed %d: %s", seed, line))
		}
		return nil
	})
	return &sum, err
}

// EachSeed calls play for n seeds from the first on, two at a time, and returns how many were
// played to their end. Progress is called after each, with how many were. The first error ends it.
func EachSeed(ctx context.Context, first uint64, n int, progress func(done int), play func(seed uint64) error) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, played atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				if err := play(first + uint64(i)); err != nil {
					cancel(err)
					return
				}
				progress(int(played.Add(1)))
			}
		})
	}
	wg.Wait()
	return int(played.Load()), cmp.Or(context.Cause(ctx), ctx.Err())
}
