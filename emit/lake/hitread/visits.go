package hitread

import (
	"context"
	"sync"

	"millrace/emit/lake/hitfile"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// Visits implements hits.Snapshot.
func (s *snapshot) Visits(ctx context.Context, sel *hits.Selection, fn func(worker int, b hits.VisitBlock) error) error {
	memories, giveBack := s.a.borrow(sel.Workers)
	defer giveBack()
	err := s.a.each(ctx, hitfile.Visits, selected(s.list.Visits, sel.Site, sel.From, sel.To), sel, anyPiece, func(worker int, p *piece) error {
		b := &visitBlock{block: newBlock(p, memories[worker], nil), sel: sel}
		b.erasures = s.erased(p.from.Partition, sel.Site)
		err := fn(worker, b)
		b.release()
		return err
	})
	if err != nil {
		return err
	}
	// What has no row goes on, or went on lately.
	from := max(sel.From, s.extent.Watermark-s.a.o.VisitSettles-s.a.o.VisitLength-slack)
	if from >= sel.To {
		return nil
	}
	ended, err := s.ended(ctx, &hits.Selection{Site: sel.Site, From: from - s.a.o.VisitLength, To: sel.To, Workers: sel.Workers})
	if err != nil {
		return err
	}
	all, err := s.fold(ctx, sel.Site, from, sel.To, func(partition int32, id visit.ID) bool { return ended[partition][id] })
	if err != nil {
		return err
	}
	for partition, of := range all {
		for _, b := range of.blocks(partition, from, sel.To) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(0, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// slack is how much earlier visits are looked for than they can be. It costs reading, and needs no rule to be exact.
const slack = event.Hour

// ended returns the visits that have a row, of those that began in the selection's time.
func (s *snapshot) ended(ctx context.Context, sel *hits.Selection) (map[int32]map[visit.ID]bool, error) {
	memories, giveBack := s.a.borrow(sel.Workers)
	defer giveBack()
	all := map[int32]map[visit.ID]bool{}
	var mu sync.Mutex
	err := s.a.each(ctx, hitfile.Visits, selected(s.list.Visits, sel.Site, sel.From, sel.To), sel, anyPiece, func(worker int, p *piece) error {
		b := &visitBlock{block: newBlock(p, memories[worker], nil), sel: sel}
		defer b.release()
		ids, err := b.IDs()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if all[p.from.Partition] == nil {
			all[p.from.Partition] = map[visit.ID]bool{}
		}
		// A join has no hits either: they are the other visit's.
		for _, id := range ids {
			all[p.from.Partition][id] = true
		}
		return nil
	})
	return all, err
}

// joins returns the joins that hits of a selection may be concerned by: they lie with the visit that is no more, which may be one
// of several that became one, but within its length.
func (s *snapshot) joins(ctx context.Context, sel *hits.Selection) (map[int32]hits.Joins, error) {
	const day = 24 * event.Hour
	from, to := (sel.From - 2*s.a.o.VisitLength).Floor(day), sel.To+2*s.a.o.VisitLength
	var files []File
	for _, f := range s.list.Visits {
		if f.MinSite <= sel.Site && sel.Site <= f.MaxSite && from <= f.Day && f.Day < to {
			f.MinTime, f.MaxTime = f.Day, f.Day+day-1 // of its joins, too
			files = append(files, f)
		}
	}
	all := map[int32]hits.Joins{}
	var mu sync.Mutex
	memories, giveBack := s.a.borrow(sel.Workers)
	defer giveBack()
	wide := &hits.Selection{Site: sel.Site, From: from - day, To: to + 2*day, Workers: sel.Workers}
	err := s.a.each(ctx, hitfile.Visits, files, wide, (*piece).hasJoins, func(worker int, p *piece) error {
		m := memories[worker]
		into, err := p.ints("into", m, nil)
		if err != nil {
			return err
		}
		defer m.giveInts(into)
		ids, err := p.ints("visit", m, nil)
		if err != nil {
			return err
		}
		defer m.giveInts(ids)
		mu.Lock()
		defer mu.Unlock()
		if all[p.from.Partition] == nil {
			all[p.from.Partition] = hits.Joins{}
		}
		for i, id := range into {
			if id != 0 {
				all[p.from.Partition].Add(hits.Join{Visit: visit.ID(ids[i]), Into: visit.ID(id)})
			}
		}
		return nil
	})
	return all, err
}

// hasJoins reports whether the row group of visits has joins.
func (p *piece) hasJoins() (bool, error) {
	return p.file.Nulls(p.group, p.file.column("into")) < p.file.GroupRows(p.group), nil
}

// visitBlock implements hits.VisitBlock over the rows of a file.
type visitBlock struct {
	*block
	sel     *hits.Selection
	begins  []int64
	seconds []int64
	counts  []int64
	bounces []uint64
}

func (b *visitBlock) release() {
	b.block.release()
	for _, list := range [...][]int64{b.begins, b.seconds, b.counts} {
		b.m.giveInts(list)
	}
	if b.bounces != nil {
		b.m.bits = append(b.m.bits, b.bounces)
	}
}

// Selected returns the rows that are no joins, in the time, and not erased.
func (b *visitBlock) Selected() ([]uint64, error) {
	out := b.bits()
	for i := range b.rows() {
		out[i/64] |= 1 << (i % 64)
	}
	if !b.inside {
		begins, err := b.Begins()
		if err != nil {
			return nil, err
		}
		for i, t := range begins {
			if t < b.sel.From || t >= b.sel.To {
				out[i/64] &^= 1 << (i % 64)
			}
		}
	}
	gone, err := b.gone("visit", ofVisit)
	if err != nil {
		return nil, err
	}
	b.without(out, gone)
	if some, err := b.hasJoins(); err != nil || !some {
		return out, err
	}
	joins := b.bits()
	into, err := b.piece.ints("into", b.m, joins)
	if err != nil {
		return nil, err
	}
	b.m.giveInts(into)
	for i := range out {
		out[i] &^= joins[i]
	}
	return out, nil
}

func (b *visitBlock) IDs() ([]visit.ID, error) {
	err := b.ints(&b.visits, "visit")
	return view[visit.ID](b.visits), err
}

func (b *visitBlock) Begins() ([]event.Time, error) {
	err := b.ints(&b.begins, "begin")
	return view[event.Time](b.begins), err
}

func (b *visitBlock) Seconds() ([]int64, error) {
	err := b.ints(&b.seconds, "seconds")
	return b.seconds, err
}

func (b *visitBlock) Views() ([]int64, error) {
	err := b.ints(&b.counts, "pageviews")
	return b.counts, err
}

func (b *visitBlock) Bounces() (_ []uint64, err error) {
	if b.bounces == nil {
		b.bounces, err = b.flags("bounce", b.m)
	}
	return b.bounces, err
}
