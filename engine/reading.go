package engine

import (
	"millrace/engine/dedup"
	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// reading is how far a partition's log has been read, and what decides about each event of it: whether it is a duplicate, a
// ping, a bot's or too late, which minute takes its row, and what its visit is. Core makes windows of that, and Ledger
// hits: there is no second place that decides.
type reading struct {
	rules   Rules
	derive  Deriver
	counter *Counter
	visits  *visit.Table
	seen    *dedup.Set
	meta    meta

	decoder event.Decoder
	env     event.Envelope // the record in hand
}

func newReading(r Rules, d Deriver) reading { return reading{rules: r.WithDefaults(), derive: d} }

// clear begins anew with these visits.
func (d *reading) clear(visits *visit.Table) {
	d.meta = meta{last: delta.None}
	d.visits = visits
	d.seen = dedup.NewSet(d.rules.IDs())
	d.counter = NewCounter(d.derive, d.seen, d.visits)
}

// loadMeta takes over where a reading stood. The visits are those that it had.
func (d *reading) loadMeta(b []byte) error {
	if err := d.meta.decode(b); err != nil {
		return err
	}
	// With more lateness than they ended under, visits would be back that are still on this disk, and on no other.
	d.visits.ExpireBefore(d.meta.closed)
	return nil
}

// Watermark returns the event time up to which the partition's input is complete.
func (d *reading) Watermark() event.Time { return d.meta.watermark }

// Counters returns what has been counted since the log began.
func (d *reading) Counters() Counters { return d.meta.counters }

// decode reads the next record into env. If it can't be read the error says why, and the record is counted as dead.
func (d *reading) decode(value []byte) (dead error) {
	dead = d.decoder.Decode(value, &d.env)
	d.decoded(dead)
	return dead
}

// decoded counts a record.
func (d *reading) decoded(dead error) {
	d.meta.counters.Records++
	if dead != nil {
		d.meta.counters.Dead++
	}
}

// next counts an event of the record, and returns the window that takes its row, if one does. Horizon is that before the record.
func (d *reading) next(e *event.Event, horizon event.Time) (start event.Time, row *window.Row, v Verdict, ok bool) {
	start = e.Time.Floor(event.Minute)
	closed := start < horizon
	row, v = d.counter.Count(e, closed)
	start, ok = d.place(start, row, v, closed)
	return start, row, v, ok
}

// moveOn does what a record's low brings about, after its events.
func (d *reading) moveOn() {
	d.meta.observe(d.env.Collector, d.env.Low, len(d.env.Events) == 0, d.rules.SilentAfter)
	d.meta.closed = max(d.meta.closed, d.horizon())
	d.visits.Expire(d.meta.watermark)
}

// place counts an event in its class, and returns the window that takes its row, if one does.
func (d *reading) place(start event.Time, row *window.Row, v Verdict, closed bool) (event.Time, bool) {
	n := &d.meta.counters
	n.Events++
	switch {
	case v == Duplicate:
		n.Duplicates++
		return 0, false
	case v == Ping:
		n.Pings++
		return 0, false
	case v == Bot:
		n.Bots++
		return start, !closed && row.Flags&window.UncountedRow == 0
	case closed:
		// It is counted as dropped in the minute of the watermark, so that the site's owner sees it.
		n.Dropped++
		row.Flags |= window.DroppedRow
		return d.meta.watermark.Floor(event.Minute), true
	case d.final(start):
		n.Late++
	default:
		n.OnTime++
	}
	return start, true
}

// final reports whether the watermark has passed a minute. One that was final stays so where a restart brings more grace: its
// window may not be among the open ones any more, and a row would be taken for its first.
func (d *reading) final(start event.Time) bool {
	// This way around a start at the end of time can't overflow.
	return start <= max(d.meta.watermark-d.rules.Grace, d.meta.finals)-event.Minute
}

// horizon returns the start of the oldest minute that has not closed. One that has stays closed where a restart brings more
// lateness: its state is gone, and it would fire with nothing but what came since.
func (d *reading) horizon() event.Time {
	if d.meta.watermark == 0 {
		return -1 << 62
	}
	return max(d.meta.closed, (d.meta.watermark - d.rules.Lateness).Floor(event.Minute))
}
