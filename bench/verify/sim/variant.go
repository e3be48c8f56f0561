package sim

import (
	"math/rand/v2"

	"millrace/engine"
	"millrace/engine/event"
)

// variant is what one seed's run is like beside its schedule. Most of it makes bounds so small that
// a short log reaches them.
type variant struct {
	rules    engine.Rules
	limit    int // cardinality budget, -1 for none
	bounds   engine.Bounds
	foldFrom int // see state.Options

	partitions int // of the topic; 0 if sites have no shards
	collectors int
	visitors   uint64
	pages      int
	batch      int  // most events of a record
	odd        bool // events of the future, without an id, and without a visitor
	jumps      bool // of collectors' clocks
}

// exact reports whether the recount knows all values of the run. With a budget it does not know
// which values of visits were kept, but for the totals.
func (v *variant) exact() bool { return v.counted() && v.limit < 0 }

// counted reports whether the recount finds the same duplicates and visits.
func (v *variant) counted() bool { return v.rules.MaxIDs == 0 && v.rules.MaxVisits == 0 }

// plain is the variant with nothing special about it.
func plain(seed uint64) variant {
	v := variant{
		// The state of a run is short-lived. No visit comes near to its greatest length.
		rules: engine.Rules{
			Lateness: 20 * event.Second, SilentAfter: 2 * event.Hour, VisitTimeout: 40 * event.Second, VisitLength: 8 * event.Minute,
			DedupHorizon: 4 * event.Minute,
		},
		limit: -1, collectors: 2, visitors: 40, pages: 5, batch: 3,
	}
	if seed%2 == 0 {
		v.rules.EarlyEvery = -1
	}
	return v
}

// newVariant chooses the variant of a seed.
func newVariant(seed uint64) variant {
	rng := rand.New(rand.NewPCG(seed, 0x76617279))
	v := plain(seed)
	one := func(of int) bool { return rng.IntN(of) == 0 }
	if one(3) {
		v.rules.Lateness = []event.Time{3 * event.Minute, 70 * event.Minute}[rng.IntN(2)]
	}
	if one(3) {
		v.collectors, v.rules.SilentAfter = 2+rng.IntN(4), event.Time(20+rng.IntN(100))*event.Second
	}
	if one(3) {
		v.visitors, v.batch, v.pages, v.rules.VisitLength = 6, 12, 12, 2*event.Hour
	}
	if one(6) {
		v.limit = 1 + rng.IntN(5)
	}
	if one(6) {
		v.rules.MaxIDs = 1 + rng.IntN(40)
	}
	if one(6) {
		v.rules.MaxVisits, v.rules.VisitLength = 1+rng.IntN(8), event.Minute
	}
	if one(2) {
		// An empty window takes some kilobytes.
		v.bounds = engine.Bounds{HotWindows: 1 + rng.IntN(8_000<<rng.IntN(6)), HotHours: 1 + rng.IntN(8_000<<rng.IntN(6)), Pending: 1 + rng.IntN(300), Compact: 1 + rng.IntN(600)}
	}
	if one(4) {
		v.bounds.Record = 1 + rng.IntN(2000)
	}
	if one(2) {
		v.foldFrom = 1 + rng.IntN(400)
	}
	if one(4) {
		v.partitions = 1 + rng.IntN(8)
	}
	v.odd = one(2)
	v.jumps = one(3)
	if one(3) {
		v.rules.FiredBytes = 80 + rng.IntN(450) // four names, and some twenty
	}
	return v
}
