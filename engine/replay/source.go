package replay

import (
	"context"
	"fmt"
	"strings"

	"millrace/engine"
	"millrace/engine/dedup"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// source counts the events of one log with the engine's own Counter, in the order in which they are given.
type source struct {
	run    *run
	index  int // its place among the sources: windows hold the rows of the first one first
	shard  func(site string) uint16
	visits *visit.Table
	derive engine.Deriver

	// Where hits are wanted: see Hits and Options.Hits.
	hits      *hitsOf
	topic     string
	partition int32
}

func newSource(r *run, index int, shard func(site string) uint16) source {
	rules := r.o.Rules.Visits()
	// Visits are forgotten once all events that could touch them have been read (forget), not by a clock of the log: so
	// also events find their visit that came too late for the stream. That also makes for many more visits than the engine
	// holds at a time.
	rules.Lateness = event.Minute
	rules.MaxPerSite *= visitsFactor
	return source{run: r, index: index, shard: shard, visits: visit.NewTable(rules), derive: r.o.NewDeriver()}
}

// visitsFactor is how many times as many live visits as the engine a replay holds before it leaves some uncounted.
const visitsFactor = 4

// pass is one reading of files: records in order, duplicates among them only.
type pass struct {
	*source
	seen    *dedup.Set
	counter *engine.Counter
	offset  int64 // of the record under way; -1 for none
	place   place // of the event in hand, where hits are wanted
}

func (s *source) newPass() *pass { return s.newPassOver(s.run.o.Rules.IDs()) }

func (s *source) newPassOver(ids dedup.Options) *pass {
	seen := dedup.NewSet(ids)
	return &pass{source: s, seen: seen, counter: engine.NewCounter(s.derive, seen, s.visits), offset: -1}
}

// read counts the events of files of one segment. Those that skip says so of are passed over; it may be nil.
func (p *pass) read(ctx context.Context, files []File, skip func(offset int64, index int) bool) error {
	r, n := p.run, 0
	err := r.o.Lake.ReadSegment(ctx, files, r.o.Site, func(e *event.Event, offset int64, index int) error {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if skip != nil && skip(offset, index) {
			return nil
		}
		if offset != p.offset {
			p.endRecord()
			p.seen.Flush(offset)
			p.offset = offset
		}
		if e.Site == "" || r.o.Site != "" && e.Site != r.o.Site {
			p.seen.Add("", "", e.Received) // it only moves the clock
			return nil
		}
		if err := inHours(e, files, offset, index); err != nil {
			return err
		}
		p.place = place{offset, index}
		p.event(e)
		return nil
	})
	p.endRecord()
	return err
}

// inHours returns an error if an event is not of the hours of the files that it came from.
func inHours(e *event.Event, files []File, offset int64, index int) error {
	hour := e.Time.Floor(event.Hour)
	for i := range files {
		if files[i].Hour == hour {
			return nil
		}
	}
	return fmt.Errorf("the archive gave an event of %s for this hour: %s, partition %d, offset %d, index %d",
		e.Time, files[0].Topic, files[0].Partition, offset, index)
}

// event counts one event.
func (p *pass) event(e *event.Event) {
	r := p.run
	if r.events++; r.events%(1<<16) == 0 {
		r.progress()
	}
	if p.hits != nil {
		p.hits.name(p)
	}
	row, verdict := p.counter.Count(e, false)
	if p.hits == nil || !p.hits.alone {
		p.count(e, row, verdict)
	}
	if p.hits != nil {
		p.hits.event(p, e, row, verdict)
	}
}

// count puts an event into its window.
func (p *pass) count(e *event.Event, row *window.Row, verdict engine.Verdict) {
	r := p.run
	switch verdict {
	case engine.Duplicate:
		r.duplicate(e)
		return
	case engine.Ping:
		if r.inRange(e) {
			r.report.Pings++
		}
		return
	}
	if r.inRange(e) {
		r.note(row)
	}
	if row.Flags&window.UncountedRow != 0 {
		return
	}
	if p.index < r.imports.index && r.refires(e.Received) {
		r.open.noteLate(e.Site, e.Time)
	}
	r.open.addRow(p.index, e.Site, e.Time.Floor(event.Minute), p.shard(e.Site), row)
}

// endRecord takes over what a record did to visits.
func (p *pass) endRecord() {
	if p.offset < 0 {
		return
	}
	if p.hits != nil && p.hits.alone {
		p.visits.EndRecord()
		p.offset = -1
		return
	}
	p.visits.Flush(func(site string, start event.Time, chunk []byte) {
		p.run.open.addVisits(p.index, site, start, p.shard(site), chunk)
	})
	p.offset = -1
}

func (r *run) inRange(e *event.Event) bool { return e.Time >= r.report.From && e.Time < r.report.To }

func (r *run) duplicate(e *event.Event) {
	if r.inRange(e) {
		r.report.Duplicates++
	}
}

// forget lets go of the visits that no event at or past an instant can touch.
func (s *source) forget(before event.Time) { s.visits.Expire(before) }

// note keeps the report's numbers of events.
func (r *run) note(row *window.Row) {
	r.report.Events++
	if row.Flags&window.BotRow == 0 {
		return
	}
	r.report.Bots++
	reason := row.Dims[window.Reason]
	if _, ok := r.report.Reasons[reason]; !ok {
		reason = strings.Clone(reason)
		if len(r.report.Reasons) >= maxReasons {
			reason = window.Other
		}
	}
	r.report.Reasons[reason]++
}

// maxReasons bounds Report.Reasons: collectors may give reasons of their own.
const maxReasons = 100
