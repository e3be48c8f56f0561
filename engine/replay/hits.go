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

// HitsSink takes the hits, joins and visits of imported events, or of a partition's log.
type HitsSink interface {
	hits.Sink
	// Done says that all has been given of visits that began before an instant, and of hits that are of no visit or of one of these.
	Done(ctx context.Context, before event.Time) error
}

// nameInLog names a visit of a partition's log.
func nameInLog(p *pass) visit.ID { return visit.IDOf(p.place.offset, p.place.index) }

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
	m.giveHits(&hitsOf{sink: sink, alone: true, nameOf: func(p *pass) visit.ID { return visit.HashedID(p.topic, p.place.offset, p.place.index) }})
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

// hitsOf makes hits of a source.
type hitsOf struct {
	sink   HitsSink
	alone  bool // no windows are made
	nameOf func(p *pass) visit.ID
	hit    hits.Hit
}

// giveHits makes a source give hits.
func (s *source) giveHits(h *hitsOf) {
	s.hits = h
	s.visits.Watch(h)
}

// name names the visit that the event in hand may begin.
func (h *hitsOf) name(p *pass) { p.visits.Name(h.nameOf(p)) }

// event makes the hit of the event that was just counted, if it has one.
func (h *hitsOf) event(p *pass, e *event.Event, row *window.Row, verdict engine.Verdict) {
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

// hitsOf returns Options.Hits of a partition.
func (r *run) hitsOf(partition int32) HitsSink {
	if r.o.Hits == nil {
		return nil
	}
	return r.o.Hits(partition)
}

// hitsDone tells the sinks of hits what is whole before an hour is read.
func (r *run) hitsDone(ctx context.Context, hour event.Time) error {
	before := hour - r.visitsWithin()
	if hour == EndOfTime {
		before = hour
	}
	for _, c := range r.cursors {
		if c.hits == nil {
			continue
		}
		// What lies between has passed too: visits end in the hour that they end in, and none is given late.
		c.forget(hour)
		if err := c.hits.sink.Done(ctx, before); err != nil {
			return fmt.Errorf("hits of %s, partition %d: %w", c.topic, c.partition, err)
		}
	}
	return nil
}

// Ended implements visit.Watcher.
func (h *hitsOf) Ended(v *visit.Visit) { h.sink.Visit(v) }
