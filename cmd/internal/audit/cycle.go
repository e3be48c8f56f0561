package audit

import (
	"context"
	"errors"
	"runtime"

	"millrace/engine/event"
)

// Cycle is what came of comparing each hour once.
type Cycle struct {
	// Hours were compared, and WrongHours of them have wrong numbers.
	Hours      int
	WrongHours []event.Time
	// Points were compared, and Wrong of them are not what the archive gives.
	Points, Wrong int64
	// Skipped has the hours that could not be judged, by the reason of the metric.
	Skipped map[string]int
	// Why says why there was no hour to compare.
	Why string
}

// Cycle compares every hour that can be compared once, without a pause between two, for stores to
// which nothing is written meanwhile. Its error is that of a store, or says that a command is at
// work. It must not run beside Run.
func (a *Auditor) Cycle(ctx context.Context) (Cycle, error) {
	c := Cycle{Skipped: map[string]int{}}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a.picker.open, a.picker.to, a.picker.picked = nil, 0, 0
	for {
		a.pacer.begin()
		hour, of, err := a.pick(ctx)
		if err != nil {
			return c, err
		}
		if of == nil {
			c.Why = a.Note()
			return c, nil
		}
		v, err := a.judge(ctx, hour, of)
		a.settle(ctx, hour, &v, err)
		if err := ctx.Err(); err != nil {
			return c, err
		}
		var why *skip
		switch {
		case errors.As(err, &why):
			c.Skipped[why.reason]++
		case err != nil:
			return c, err
		default:
			c.Hours++
			c.Points += v.points
			c.Wrong += v.wrong
			if v.wrong > 0 {
				c.WrongHours = append(c.WrongHours, hour)
			}
		}
		if len(a.picker.open) == 0 {
			return c, nil
		}
	}
}
