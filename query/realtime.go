package query

import (
	"context"

	"millrace/engine/event"
	"millrace/engine/window"
)

// realtimeMinutes is how far back the realtime visitors go, besides the minute under way.
const realtimeMinutes = 5

// Realtime returns the number of visitors of a site in the last 5 minutes. The error is an *Error
// if it is meant for the client.
func (x *Executor) Realtime(ctx context.Context, site string) (uint64, error) {
	release, err := x.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, x.opts.Timeout)
	defer cancel()
	if err := x.checkSite(ctx, site); err != nil {
		return 0, err
	}
	now := event.TimeOf(x.opts.Now()).Floor(event.Minute)
	e := execution{x: x, q: &Query{site: site, from: now - realtimeMinutes*event.Minute, to: now + event.Minute}}
	a := newAggregation(true, 1)
	if err := e.scan(ctx, &plan{family: window.Totals, filter: And()}, a, false); err != nil {
		return 0, err
	}
	return a.only(), nil
}
