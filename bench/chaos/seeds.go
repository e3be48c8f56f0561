package chaos

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
)

// seeds calls play for as many seeds as the options say, from their seed on, two at a time, and returns how many were
// played. The first error ends it.
func seeds(ctx context.Context, o Options, phase string, play func(seed uint64) error) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, played atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= o.Times {
					return
				}
				if err := play(o.Seed + uint64(i)); err != nil {
					cancel(err)
					return
				}
				o.progress(phase, int(played.Add(1)), o.Times)
			}
		})
	}
	wg.Wait()
	return int(played.Load()), cmp.Or(context.Cause(ctx), ctx.Err())
}
