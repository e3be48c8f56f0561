package query

import (
	"context"
	"slices"

	"millrace/engine/hits"
	"millrace/engine/window"
)

// Where rollups and hits can both answer, rollups do unless hits are cheaper: windows of a family with many values have a point for
// nearly each event.

// manyValues are the families that have so many values that hits may be cheaper, with about how many of them an hour of a large
// site has.
var manyValues = map[window.Family]int64{
	window.Pages: 500, window.EntryPages: 500, window.ExitPages: 500, window.Referrers: 200, window.Cities: 200,
}

// What things cost, in nanoseconds of a processor, as measured on archives of 60,000 and 3 million events.
const (
	costWindow = 400    // a window that has something
	costPoint  = 300    // a point of it, with its sketch
	costFile   = 90_000 // a file of hits that is looked at
	costValue  = 200    // a value in the dictionary of a file
	costRow    = 40     // a row that is the site's
)

// maxSized is how many files are looked at to find out what hits cost.
const maxSized = 400

// cheaper returns the execution of the query by hits, if it is cheaper and its answer is as good; else nil.
func (x *Executor) cheaper(ctx context.Context, e *execution) *execution {
	q := e.q
	from := max(q.from, q.kept)
	many := slices.ContainsFunc(e.plans, func(p *plan) bool { return manyValues[p.family] > 0 })
	switch {
	case x.opts.Hits == nil || x.opts.Alike == nil || !many || from >= q.to:
		return nil
	case !e.progress.known || q.to > e.progress.low: // hits come later than rollups
		return nil
	case q.checkHits() != nil || !x.opts.Alike(ctx, from):
		return nil
	}
	snapshot, err := x.opts.Hits.Snapshot(ctx)
	if err != nil {
		return nil // rollups answer
	}
	at := snapshot.Extent()
	if at.Imported || at.Began > from || at.Partitions < max(x.opts.Partitions, 1) {
		return nil
	}
	own := x.byHits(q, snapshot, at)
	if !own.complete() || e.late {
		return nil
	}
	rows, files, err := snapshot.Rows(ctx, &hits.Selection{Site: q.site, From: from, To: q.to})
	if err != nil || files > maxSized {
		return nil
	}
	if float64(e.costOfHits(rows, int64(files))) >= x.opts.RollupWeight*float64(e.costOfRollups(rows)) {
		return nil
	}
	return own
}

// valuesOf is about how many values a family has in an hour of a large site.
func valuesOf(f window.Family) int64 {
	if n := manyValues[f]; n > 0 {
		return n
	}
	return 20
}

// costOfHits is about what hits cost that have so many rows of the range.
func (e *execution) costOfHits(rows, files int64) (sum int64) {
	for _, p := range e.plans {
		sum += files*costFile + rows*costRow + min(rows, files*valuesOf(p.family))*costValue
	}
	return sum
}

// costOfRollups is about what rollups cost that hold so many events of the range.
func (e *execution) costOfRollups(events int64) (sum int64) {
	for _, p := range e.plans {
		var buckets *bucketer
		if e.q.timeDim >= 0 {
			buckets = e.q.buckets()
		}
		var windows int64
		for _, seg := range p.segments(e.q, e.progress.hours, buckets) {
			windows += int64((seg.to - seg.from) / seg.kind.Length())
		}
		windows = min(windows, events)
		// Of few events of a window each second one has a value of its own.
		points := min(events/2, windows*valuesOf(p.family))
		sum += windows*costWindow + points*costPoint
	}
	return sum
}
