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

// output takes the finished windows of one kind, in order of hours, and in each hour in order of sites, and holds them
// against the store, many hours at a time: each costs a question for every site and family. An hour that is too large to
// be held is compared site by site.
type output struct {
	run  *run
	kind window.Kind
	// from and to bound the windows that are compared; those before at have been, and those before end are at hand.
	from, to, at, end event.Time
	windows           []counted
	points            int
	// hour has those of the hour that is being given, of which the sites up to after have been compared.
	hour       []counted
	hourPoints int
	after      string
	peak       int // the most points at hand
}

func newOutput(r *run, k window.Kind, from, to event.Time) *output {
	return &output{run: r, kind: k, from: from, to: max(from, to), at: from, end: from}
}

const (
	// day is how much is compared at a time, at most; it bounds what is held of the store.
	day = 24 * event.Hour
	// defaultPoints is Options.MaxPoints of who does not say, some 150 MB with the sketches.
	defaultPoints = 200_000
)

// wants reports whether a window is compared.
func (o *output) wants(start event.Time) bool { return start >= o.from && start < o.to }

// part returns what of an hour is compared.
func (o *output) part(hour event.Time) (from, to event.Time) {
	return max(hour, o.from), min(hour+event.Hour, o.to)
}

// take takes a window of the hour that is being given, one that it wants.
func (o *output) take(w counted) {
	o.hour = append(o.hour, w)
	o.hourPoints += len(w.Points)
	o.peak = max(o.peak, o.points+o.hourPoints)
}

// siteDone says that an hour's windows of all sites up to one have been given. Where that is more than may be held, it
// compares the hours before, and then, if need be, those of this one.
func (o *output) siteDone(ctx context.Context, hour event.Time, site string) error {
	if o.points+o.hourPoints < o.run.o.MaxPoints {
		return nil
	}
	from, to := o.part(hour)
	if err := o.reach(ctx, from); err != nil {
		return err
	}
	if len(o.windows) > 0 {
		if err := o.flush(ctx); err != nil {
			return err
		}
	}
	if o.hourPoints < o.run.o.MaxPoints {
		return nil
	}
	return o.sites(ctx, to, site)
}

// sites compares, until a time, the sites up to last of which that has not been done, or all if last is "".
func (o *output) sites(ctx context.Context, to event.Time, last string) error {
	err := o.segment(ctx, span{o.at, to, o.after, last}, o.hour)
	clear(o.hour) // the memory of the points
	o.hour, o.hourPoints, o.after = o.hour[:0], 0, last
	return err
}

// reach compares what the store has where the archive had nothing for more than a day.
func (o *output) reach(ctx context.Context, from event.Time) error {
	if from-o.end > day {
		return o.gap(ctx, from)
	}
	return nil
}

// hourDone says that all windows of an hour have been given.
func (o *output) hourDone(ctx context.Context, hour event.Time) error {
	from, to := o.part(hour)
	if from >= to {
		return nil
	}
	if err := o.reach(ctx, from); err != nil {
		return err
	}
	o.end = to
	if o.after != "" {
		err := o.sites(ctx, to, "")
		o.at = to
		return err
	}
	o.windows, o.points = append(o.windows, o.hour...), o.points+o.hourPoints
	clear(o.hour)
	o.hour, o.hourPoints = o.hour[:0], 0
	if o.points >= o.run.o.MaxPoints || o.end-o.at >= day {
		return o.flush(ctx)
	}
	return nil
}

// finish compares what is left.
func (o *output) finish(ctx context.Context) error {
	if err := o.reach(ctx, o.to); err != nil {
		return err
	}
	o.end = o.to
	return o.flush(ctx)
}

// flush compares the hours that are at hand.
func (o *output) flush(ctx context.Context) error {
	err := o.segment(ctx, span{from: o.at, to: o.end}, o.windows)
	clear(o.windows)
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
		if err := o.segment(ctx, span{from: max(d, from), to: min(d+day, to)}, nil); err != nil {
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

// span is a part of what is compared: a time, and of it the sites behind one, up to last or all if that is "".
type span struct {
	from, to    event.Time
	after, last string
}

func (s *span) has(site string) bool { return site > s.after && (s.last == "" || site <= s.last) }

// segment compares the windows of a span with the store, site by site, and in mode Write makes the store equal.
// Windows are all that the archive gives for it.
func (o *output) segment(ctx context.Context, of span, windows []counted) error {
	from, to := of.from, of.to
	if from >= to {
		return nil
	}
	r := o.run
	bySite := make(map[string][]counted)
	for _, w := range windows {
		bySite[w.Site] = append(bySite[w.Site], w)
	}
	for _, s := range r.sites {
		if of.has(s) {
			bySite[s] = append(bySite[s], nil...)
		}
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
