package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// output takes the finished windows of one kind, in order of hours, and holds them against the store, many hours at a
// time: each costs a question for every site and family.
type output struct {
	run  *run
	kind window.Kind
	// from and to bound the windows that are compared; those before at have been, and those before end are at hand.
	from, to, at, end event.Time
	windows           []counted
	points            int
}

func newOutput(r *run, k window.Kind, from, to event.Time) *output {
	return &output{run: r, kind: k, from: from, to: max(from, to), at: from, end: from}
}

const (
	// day is how much is compared at a time, at most; it bounds what is held of the store.
	day = 24 * event.Hour
	// maxPoints is how many points are held at a time, some 50 MB.
	maxPoints = 200_000
)

// wants reports whether a window is compared.
func (o *output) wants(start event.Time) bool { return start >= o.from && start < o.to }

// add takes the windows of an hour of the archive.
func (o *output) add(ctx context.Context, hour event.Time, windows []counted) error {
	from, to := max(hour, o.from), min(hour+event.Hour, o.to)
	if from >= to {
		return nil
	}
	if from-o.end > day {
		if err := o.gap(ctx, from); err != nil {
			return err
		}
	}
	o.end = to
	for _, w := range windows {
		o.points += len(w.Points)
	}
	o.windows = append(o.windows, windows...)
	if o.points >= maxPoints || o.end-o.at >= day {
		return o.flush(ctx)
	}
	return nil
}

// finish compares what is left.
func (o *output) finish(ctx context.Context) error {
	if o.to-o.end > day {
		return o.gap(ctx, o.to)
	}
	o.end = o.to
	return o.flush(ctx)
}

func (o *output) flush(ctx context.Context) error {
	err := o.segment(ctx, o.at, o.end, o.windows)
	o.at, o.windows, o.points = o.end, o.windows[:0], 0
	return err
}

// gap compares what is at hand and then what the store has from there on, where the archive has nothing. Gaps may be
// decades long, so it first asks which days there is anything in.
func (o *output) gap(ctx context.Context, to event.Time) error {
	if err := o.flush(ctx); err != nil {
		return err
	}
	from, days := o.at, make(map[event.Time]bool)
	for _, site := range o.run.sites {
		err := o.scan(ctx, site, from, to, func(_ window.Family, start event.Time, _ bool, _ *window.Point) error {
			days[start.Floor(day)] = true
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, d := range slices.Sorted(maps.Keys(days)) {
		if err := o.segment(ctx, max(d, from), min(d+day, to), nil); err != nil {
			return err
		}
	}
	o.at, o.end = to, to
	return nil
}

// scan reads all points of a site from the store.
func (o *output) scan(ctx context.Context, site string, from, to event.Time, fn func(f window.Family, start event.Time, final bool, p *window.Point) error) error {
	each := func(start event.Time, final bool, p *window.Point) error {
		if start < from || start >= to || isZero(p.Rollup) {
			return nil
		}
		return fn(p.Family, start, final, p)
	}
	sel := window.Selection{Kind: o.kind, Site: site, From: from, To: to}
	if r, ok := o.run.o.Reader.(FamiliesReader); ok {
		if err := r.ScanFamilies(ctx, sel, each); err != nil {
			return fmt.Errorf("read %s from the store: %w", site, err)
		}
		return nil
	}
	for f := range window.NumFamilies {
		if !f.In(o.kind) {
			continue
		}
		sel.Family = f
		if err := o.run.o.Reader.Scan(ctx, sel, each); err != nil {
			return fmt.Errorf("read %s of %s from the store: %w", window.Measurement(o.kind, f), site, err)
		}
	}
	return nil
}

// segment compares the windows of [from, to) with the store, site by site, and in mode Write makes the store equal.
// Windows are all that the archive gives for the range.
func (o *output) segment(ctx context.Context, from, to event.Time, windows []counted) error {
	if from >= to {
		return nil
	}
	r := o.run
	bySite := make(map[string][]counted)
	for _, w := range windows {
		bySite[w.Site] = append(bySite[w.Site], w)
	}
	for _, s := range r.sites {
		bySite[s] = append(bySite[s], nil...)
	}
	var batch []*window.Window
	points := 0
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		first := from
		if kept := r.o.KeptFrom; kept != nil {
			first = max(from, kept(site))
			bySite[site] = slices.DeleteFunc(bySite[site], func(w counted) bool { return w.Start < first })
			if first >= to {
				continue
			}
		}
		write, err := o.compare(ctx, site, first, to, bySite[site])
		if err != nil {
			return err
		}
		if r.o.Mode != Write {
			continue
		}
		if r.found == 0 && len(write) > 0 {
			return fmt.Errorf("replay %s to %s: %w: nothing was changed; is it the right archive?", r.report.From, r.report.To, ErrEmpty)
		}
		for _, w := range o.replacements(site, write, bySite[site]) {
			batch, points = append(batch, w), points+len(w.Points)
			if len(batch) >= maxBatchWindows || points >= maxBatchPoints {
				if err := o.replace(ctx, batch); err != nil {
					return err
				}
				batch, points = batch[:0], 0
			}
		}
	}
	return o.replace(ctx, batch)
}

// Bounds of one call of Sink.Replace: a few megabytes with sketches.
const (
	maxBatchWindows = 256
	maxBatchPoints  = 20_000
)

// replacements returns, for the starts to be written, the recomputed windows, and windows that clear for the shards without
// one, where the store has anything.
func (o *output) replacements(site string, write map[event.Time]bool, windows []counted) []*window.Window {
	r := o.run
	var out []*window.Window
	has := make(map[windowID]bool, len(windows))
	for _, w := range windows {
		if _, ok := write[w.Start]; ok {
			has[windowID{site, w.Start, w.Shard}] = true
			out = append(out, w.Window)
		}
	}
	for start, stored := range write {
		if !stored {
			continue
		}
		for _, shard := range r.shards(site) {
			if !has[windowID{site, start, shard}] {
				out = append(out, &window.Window{Kind: o.kind, Site: site, Shard: shard, Start: start, Version: r.version(site, shard), Final: true})
			}
		}
	}
	slices.SortFunc(out, func(a, b *window.Window) int {
		return cmp.Or(strings.Compare(a.Site, b.Site), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Start, b.Start))
	})
	return out
}

// shards returns the numbers of the shards that a site can have: one in each partition.
func (r *run) shards(site string) []uint16 {
	list, ok := r.shardsOf[site]
	if ok {
		return list
	}
	list = []uint16{0}
	for p := range r.o.Partitions {
		if n := event.ShardOf(site, int32(p), r.o.Partitions); n != 0 {
			list = append(list, n)
		}
	}
	if r.shardsOf == nil {
		r.shardsOf = map[string][]uint16{}
	}
	r.shardsOf[site] = list
	return list
}

func (o *output) replace(ctx context.Context, batch []*window.Window) error {
	if len(batch) == 0 {
		return nil
	}
	if err := o.run.o.Sink.Replace(ctx, batch); err != nil {
		return fmt.Errorf("write %d windows from %s on: %w", len(batch), batch[0].Start, err)
	}
	o.run.report.Kinds[o.kind].Written += int64(len(batch))
	return nil
}
