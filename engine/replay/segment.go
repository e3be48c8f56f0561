package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"millrace/engine/event"
	"millrace/engine/window"
)

// day is how much of a gap is compared at a time: it bounds what is held of the store.
const day = 24 * event.Hour

// gap is segment for a range in which the archive has nothing. Gaps may be decades long, so it first asks which days
// the store has anything in.
func (r *run) gap(ctx context.Context, from, to event.Time) error {
	if from >= to {
		return nil
	}
	days := make(map[event.Time]bool)
	for _, site := range r.sites {
		for f := range window.NumFamilies {
			sel := window.Selection{Site: site, Family: f, From: from, To: to}
			err := r.o.Reader.Scan(ctx, sel, func(start event.Time, _ bool, _ *window.Point) error {
				days[start.Floor(day)] = true
				return nil
			})
			if err != nil {
				return fmt.Errorf("read %s of %s from the store: %w", f, site, err)
			}
		}
	}
	for _, d := range slices.Sorted(maps.Keys(days)) {
		if err := r.segment(ctx, max(d, from), min(d+day, to), nil); err != nil {
			return err
		}
	}
	return nil
}

// segment compares the windows of [from, to) with the store, site by site, and in mode Write makes the store equal.
// Windows are sorted and are all that the archive gives for the range.
func (r *run) segment(ctx context.Context, from, to event.Time, windows []*window.Window) error {
	if from >= to {
		return nil
	}
	bySite := make(map[string][]*window.Window)
	for _, w := range windows {
		bySite[w.Site] = append(bySite[w.Site], w)
	}
	for _, s := range r.sites {
		bySite[s] = append(bySite[s], nil...)
	}
	var batch []*window.Window
	points := 0
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		write, err := r.compare(ctx, site, from, to, bySite[site])
		if err != nil {
			return err
		}
		if r.o.Mode != Write {
			continue
		}
		if len(r.hours) == 0 && len(write) > 0 {
			return fmt.Errorf("replay %s to %s: %w: nothing was changed; is it the right archive?", r.report.From, r.report.To, ErrEmpty)
		}
		for _, w := range r.replacements(site, write, bySite[site]) {
			batch, points = append(batch, w), points+len(w.Points)
			if len(batch) >= maxBatchWindows || points >= maxBatchPoints {
				if err := r.replace(ctx, batch); err != nil {
					return err
				}
				batch, points = batch[:0], 0
			}
		}
	}
	return r.replace(ctx, batch)
}

// Bounds of one call of Sink.Replace: a few megabytes with sketches.
const (
	maxBatchWindows = 256
	maxBatchPoints  = 20_000
)

// replacements returns, for the minutes to be written, the recomputed windows, and for shards without one a
// window that clears.
func (r *run) replacements(site string, write map[event.Time]bool, windows []*window.Window) []*window.Window {
	shards := uint16(1)
	if r.o.Shards != nil {
		shards = max(r.o.Shards(site), 1)
	}
	has := make(map[windowID]*window.Window, len(windows))
	for _, w := range windows {
		has[windowID{site, w.Start, w.Shard}] = w
	}
	var out []*window.Window
	for _, start := range slices.Sorted(maps.Keys(write)) {
		for shard := range shards {
			w := has[windowID{site, start, shard}]
			if w == nil {
				w = &window.Window{Site: site, Shard: shard, Start: start, Version: r.version(site), Final: true}
			}
			out = append(out, w)
		}
	}
	return out
}

func (r *run) replace(ctx context.Context, batch []*window.Window) error {
	if len(batch) == 0 {
		return nil
	}
	if err := r.o.Sink.Replace(ctx, batch); err != nil {
		return fmt.Errorf("write %d windows from %s on: %w", len(batch), batch[0].Start, err)
	}
	r.report.Written += int64(len(batch))
	return nil
}
