package offline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
)

// Count makes the rollup store hold the archive's windows of the imported range, and the archive the hits of imported events.
func (i *Import) Count(ctx context.Context) error {
	defer i.done()
	if len(i.sites) == 0 {
		return nil
	}
	// Hits first: they are made in less time, and no query is answered by them that lack what rollups have.
	err := i.s.hits(ctx, hitsOptions{newDeriver: i.o.NewDeriver, steps: i.o.Steps, log: i.o.Log, from: i.from, to: i.to, done: i.topics})
	if err != nil {
		err = fmt.Errorf("make hits of the imported events: %w", err)
	}
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, i.countWindows(ctx))
}

func (i *Import) countWindows(ctx context.Context) error {
	o, err := i.s.base(ctx, i.o.NewDeriver)
	if err != nil {
		return err
	}
	o.From, o.To = i.from.Floor(event.Minute), (i.to + event.Minute - 1).Floor(event.Minute)
	if len(i.sites) == 1 {
		for site := range i.sites {
			o.Site = site
		}
	}
	if err := i.findStream(ctx); err != nil {
		return err
	}
	// Where a stream is archived too, minutes that it is not done with can't be counted yet.
	if i.streams {
		o.To = max(min(o.To, i.end.Floor(event.Minute)), o.From)
	}
	if err := i.keepUnarchived(ctx, &o); err != nil {
		return err
	}
	if o.To <= o.From {
		return nil
	}
	set, end := i.o.Steps.start("count")
	defer end()
	o.Progress = func(p replay.Progress) { set(int64(p.Hours), int64(p.HoursTotal), p.Events) }
	report, err := replay.Run(ctx, o)
	for site := range i.sites {
		i.sum.Visits += report.Visits[site]
	}
	return errors.Join(err, i.s.failed)
}

// findStream looks whether a serve has begun the archive of its stream since NewImport. Until every
// partition has begun, all events are behind its end.
func (i *Import) findStream(ctx context.Context) error {
	if i.streams {
		return nil
	}
	end, streams, err := NewLake(i.s.Stores.Lake).CompleteUntil(ctx)
	if err != nil || !streams {
		return err
	}
	i.streams, i.end = true, end
	if i.from >= end.Floor(event.Minute) {
		i.behind, i.recent = i.sum.Events, 0
	}
	return nil
}

// keepUnarchived leaves the time before the archive began out of the range, if the store has
// numbers of the sites there that it may have from a stream.
func (i *Import) keepUnarchived(ctx context.Context, o *replay.Options) error {
	whole, err := o.CompleteFrom(ctx)
	if err != nil || o.From >= whole {
		return err
	}
	for _, site := range slices.Sorted(maps.Keys(i.sites)) {
		found, err := hasNumbers(ctx, o.Reader, site, o.From, min(o.To, whole))
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		i.o.Log.Warn("events from before the archive began are in it, but not counted, because the store has numbers of that time "+
			"that the archive does not have: \"millrace replay --incomplete --from … --site …\" puts the archive's in their place",
			"site", site, "from", o.From, "archive", whole)
		o.From = whole
		return nil
	}
	o.Incomplete = true // there is nothing to lose
	return nil
}

// hasNumbers reports whether the store has any event of a site in [from, to).
func hasNumbers(ctx context.Context, r replay.Reader, site string, from, to event.Time) (found bool, err error) {
	sel := window.Selection{Kind: window.Minute, Site: site, Family: window.Totals, From: from, To: to}
	err = r.Scan(ctx, sel, func(start event.Time, _ bool, p *window.Point) error {
		found = found || start >= from && start < to && p.Events > 0
		return nil
	})
	return found, err
}
