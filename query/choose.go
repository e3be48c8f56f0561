package query

import (
	"context"
	"slices"
	"sync"
	"time"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/window"
)

// Where rollups and hits can both answer, rollups do unless hits are cheaper: where windows have a point for nearly each event. How
// many points a family of a site has is known from the last time that they were read; until then rollups answer.

// What things cost, in nanoseconds of a processor, as measured on archives of 60,000 and 3 million events.
const (
	costPoint    = 450     // a point of a window, with its sketch
	costFile     = 200_000 // a file of hits, with the values that its dictionaries have
	costRow      = 45      // a row that is the site's
	costVisitors = 65      // more for a row whose visitor is counted by group
)

const (
	// leastCost is what rollups must cost for it to be worth finding out what hits do.
	leastCost = 5_000_000
	// maxSized is how many files are looked at to find out what hits cost.
	maxSized = 400
	// maxDensities bounds what is remembered.
	maxDensities = 20_000
)

// densityKey names a family of a site, of a kind of windows, or of days of them.
type densityKey struct {
	site   string
	kind   window.Kind
	family window.Family
	days   bool
}

// density is how many points there are in an hour of the range, as it was met at a time.
type density struct {
	perHour float64
	met     time.Time
}

// densityLives is for how long a density holds: a store may have fewer points of a time when it has summed up its days.
const densityLives = 10 * time.Minute

// densities are how many points there are in an hour of the range, as they were met lately. It forgets all when it is full.
type densities struct {
	mu sync.Mutex
	of map[densityKey]density
}

func (d *densities) get(k densityKey, now time.Time) (perHour float64, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	met, known := d.of[k]
	return met.perHour, known && now.Sub(met.met) < densityLives
}

func (d *densities) note(k densityKey, perHour float64, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil || len(d.of) >= maxDensities {
		d.of = map[densityKey]density{}
	}
	d.of[k] = density{perHour, now}
}

// densityKey returns what the density of a plan is known by, which reads segments.
func (e *execution) densityKey(p *plan, list segments) densityKey {
	days := slices.ContainsFunc(list, func(s segment) bool { return s.days })
	return densityKey{e.q.site, p.kind, p.family, days}
}

// leastNoted is the shortest range by which a density is known.
const leastNoted = event.Hour

// noteDensity remembers what a plan has read of segments, if it was all that a family has.
func (e *execution) noteDensity(p *plan, list segments, points int64) {
	if length := e.q.to - max(e.q.from, e.q.kept); length >= leastNoted && !p.bounded() {
		e.x.densities.note(e.densityKey(p, list), float64(points)*float64(event.Hour)/float64(length), e.x.opts.Now())
	}
}

// costOfRollups is about what rollups cost; 0 if it is not known, or little since they need not read all values.
func (e *execution) costOfRollups() (sum float64) {
	hours := float64(e.q.to-max(e.q.from, e.q.kept)) / float64(event.Hour)
	for _, p := range e.plans {
		if p.bounded() {
			return 0
		}
		var b *bucketer
		if e.q.timeDim >= 0 {
			b = e.q.buckets()
		}
		perHour, known := e.x.densities.get(e.densityKey(p, e.segments(p, b)), e.x.opts.Now())
		if !known {
			return 0
		}
		sum += perHour * hours * costPoint
	}
	return sum
}

// costOfHits is about what hits cost that have so many rows of the range.
func (e *execution) costOfHits(rows int64, files int) float64 {
	row := costRow
	if e.q.first(sketchMetrics) != "" {
		row += costVisitors
	}
	return float64(len(e.plans)) * (float64(files)*costFile + float64(rows)*float64(row))
}

// cheaper returns the execution of the query by hits, if it is cheaper and its answer is as good; else nil.
func (x *Executor) cheaper(ctx context.Context, e *execution) *execution {
	q := e.q
	from := max(q.from, q.kept)
	if x.opts.Hits == nil || x.opts.Alike == nil || from >= q.to {
		return nil
	}
	cost := x.opts.RollupWeight * e.costOfRollups()
	ofGoals := slices.ContainsFunc(q.allDims(), (*Dimension).isGoal) // which hits find by today's goals
	switch {
	case cost < leastCost || ofGoals || q.checkHits() != nil:
		return nil
	case !e.progress.known || q.to > e.progress.low || e.late: // hits come later than rollups
		return nil
	case !x.opts.Alike(ctx, from):
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
	if !own.complete() {
		return nil
	}
	rows, files, err := snapshot.Rows(ctx, &hits.Selection{Site: q.site, From: from, To: q.to}, maxSized)
	if err != nil || files > maxSized || e.costOfHits(rows, files) >= cost {
		return nil
	}
	return own
}
