package replay

import (
	"context"
	"fmt"
	"slices"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// HitsSink takes the hits, joins and visits of imported events.
type HitsSink interface {
	hits.Sink
	// Done says that all has been given of visits that began before an instant, and of hits that are of no visit or of one of these.
	Done(ctx context.Context, before event.Time) error
}

// HitsOptions are those of Hits.
type HitsOptions struct {
	// Lake, Rules and NewDeriver are as in Options.
	Lake       Lake
	Rules      engine.Rules
	NewDeriver func() engine.Deriver
	// From and To bound the time in which the visits begin whose hits are to be right, and the hits that are of no visit: [From, To). The
	// sink is given others too, some of which are not.
	From, To event.Time
	// Progress is as in Options.
	Progress func(Progress)
}

// Hits makes hits and visits of the imported files: the events in the order, and with the duplicates and visits, that Run counts into
// windows, by the same code. So sums over them are what the windows have of imported events.
//
// Visits are named by visit.HashedID, and a hit's place is its topic, its line and its row in that.
func Hits(ctx context.Context, o HitsOptions, sink HitsSink) error {
	r := newRun(Options{Lake: o.Lake, Rules: o.Rules, NewDeriver: o.NewDeriver, Progress: o.Progress, From: o.From, To: o.To})
	r.report.From, r.report.To = o.From, o.To
	around := r.visitsWithin()
	files, err := o.Lake.Files(ctx, max(o.From-around, 0), min(o.To+around, EndOfTime))
	if err != nil {
		return fmt.Errorf("list the files of the archive: %w", err)
	}
	files = slices.DeleteFunc(slices.Clone(files), func(f File) bool { return !f.imported() })
	slices.SortFunc(files, File.compare)
	for _, f := range files {
		r.hours = append(r.hours, f.Hour)
	}
	slices.Sort(r.hours)
	r.hours = slices.Compact(r.hours)
	m := newImports(r, 0, files)
	r.imports = m
	h := &hitsOf{sink: sink}
	m.pass.hits = h
	m.visits.Watch(h)
	for _, hour := range r.hours {
		// What lies between has passed too: visits end in the hour that they end in, and none is given late.
		m.forget(hour)
		if err := sink.Done(ctx, hour-around); err != nil {
			return err
		}
		if err := m.count(ctx, hour); err != nil {
			return fmt.Errorf("hits of hour %s: %w", hour, err)
		}
		r.done++
		r.progress()
	}
	m.forget(EndOfTime)
	return sink.Done(ctx, EndOfTime)
}

// HitsReach returns how far an event has anything to do with others: whose hits and visits may be others for its coming.
func HitsReach(r engine.Rules) event.Time { return newRun(Options{Rules: r}).visitsWithin() }

// visitsWithin returns how long after the beginning of a visit it can be changed, in whole hours.
func (r *run) visitsWithin() event.Time {
	return ceil(r.visitLength+r.visitTimeout+event.Hour, event.Hour)
}

// hitsOf makes hits of a pass.
type hitsOf struct {
	sink HitsSink
	hit  hits.Hit
}

// event makes the hit of an event, if it has one.
func (h *hitsOf) event(p *pass, e *event.Event) {
	p.visits.Name(visit.HashedID(p.topic, p.place.offset, p.place.index))
	row, verdict := p.counter.Count(e, false)
	h.hit = hits.Hit{
		Topic: p.topic, Partition: p.partition, Offset: p.place.offset, Index: int32(p.place.index), Minute: e.Time.Floor(event.Minute),
	}
	taken := row != nil && row.Flags&window.UncountedRow == 0
	if p.counter.Hit(&h.hit, e, row, verdict, taken) {
		h.sink.Hit(&h.hit)
	}
}

// Joined implements visit.Watcher.
func (h *hitsOf) Joined(j visit.Join) {
	h.sink.Join(hits.Join{Visit: j.Visit, Into: j.Into, Site: j.Site, Visitor: j.Visitor, Begin: j.Begin})
}

// Ended implements visit.Watcher.
func (h *hitsOf) Ended(v *visit.Visit) { h.sink.Visit(v) }
