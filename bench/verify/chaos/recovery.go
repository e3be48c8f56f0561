package chaos

import (
	"context"
	"errors"
	"time"

	"millrace/engine/window"
)

// What T11 asks for: either.
const (
	leastDeltas  = 200_000
	leastUpdates = 1_000_000
)

// recover1M is T11: the state of a log of many values comes back from the changelog.
func recover1M(ctx context.Context, o Options) error {
	w := crowd(o)
	w.Visitors, w.Pages, w.Partitions = 50_000, 20_000, 2
	r, err := open(ctx, o, plan{work: w})
	if err != nil {
		return err
	}
	defer r.close()
	p, err := r.start(ctx, r.job(0))
	if err != nil {
		return err
	}
	if err := r.feed.until(ctx, r.share(1)); err != nil {
		return err
	}
	if err := r.drain(ctx); err != nil {
		return err
	}
	if r.audits != nil { // it takes nothing of what is measured now
		if err := r.audits.emitted(ctx); err != nil {
			return err
		}
	}
	if err := p.stop(ctx); err != nil {
		return err
	}
	if err := r.wipe(0); err != nil {
		return err
	}
	o.progress("recover", 0, 0)
	if p, err = r.start(ctx, r.job(0)); err != nil {
		return err
	}
	took := p.ready.Sub(p.began)
	if err := r.finish(ctx); err != nil { // only then is what came back known to be right
		return err
	}
	got := p.status().Recovery
	if got == nil {
		return errors.New("nothing was read from the changelog")
	}
	updates := int64(0)
	for k, cells := range r.counts.windows() {
		if k.Kind != window.Minute {
			continue
		}
		for _, c := range cells.All() {
			updates += c.Events
		}
	}
	perSec := func(n int64, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 0.001) }
	r.report.Add("recovered", "%d deltas of %.1f MB in %v, ready after %v", got.Deltas, float64(got.Bytes)/1e6, got.Took.Round(time.Millisecond), took.Round(time.Millisecond))
	r.report.Add("rate", "%.0f deltas/s, %.0f events/s, %.0f updates of a value per second", perSec(got.Deltas, got.Took),
		perSec(int64(r.counts.total().Events), got.Took), perSec(updates, got.Took))
	// A short log is read before anything is warm.
	if o.Events >= 1_000_000 && perSec(got.Deltas, got.Took) < leastDeltas && perSec(updates, got.Took) < leastUpdates {
		r.report.Fail("recovery is slower than %d deltas/s and %d updates/s", leastDeltas, leastUpdates)
	}
	return nil
}
