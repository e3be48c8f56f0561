package hitread

import (
	"context"
	"slices"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// foldDims are the dimensions of events that a visit has its own from.
var foldDims = func() (list []window.Dim) {
	for d := range window.NumDims {
		if d.OfVisit() || d == window.Hostname || d == window.Page {
			list = append(list, d)
		}
	}
	return list
}()

// folds are the visits of a partition that come about of their hits.
type folds map[visit.ID]*hits.Fold

// fold adds the hits of a site's visits that skip does not know, of all that may be of visits that begin in [from, to).
func (s *snapshot) fold(ctx context.Context, site string, from, to event.Time, skip func(partition int32, id visit.ID) bool) (map[int32]folds, error) {
	all := map[int32]folds{}
	length := s.a.o.VisitLength
	sel := &hits.Selection{Site: site, From: from - length, To: to + length, Workers: 1}
	err := s.Hits(ctx, sel, func(_ int, b hits.Block) error {
		if b.Partition() == Imports {
			return nil
		}
		of := all[b.Partition()]
		if of == nil {
			of = folds{}
			all[b.Partition()] = of
		}
		return of.add(b.(*block), skip)
	})
	return all, err
}

func (f folds) add(b *block, skip func(partition int32, id visit.ID) bool) error {
	ids, err := b.Visits()
	if err != nil {
		return err
	}
	human, err := b.Of(hits.Human)
	if err != nil {
		return err
	}
	pings, err := b.Of(hits.Ping)
	if err != nil {
		return err
	}
	var visitors []event.Visitor
	if len(b.erasures) > 0 {
		if visitors, err = b.Visitors(); err != nil {
			return err
		}
	}
	var rows []int
	for i, id := range ids {
		if visitors != nil && b.erasedVisit(visitors[i], id) {
			continue
		}
		if id != 0 && (human[i/64]|pings[i/64])>>(i%64)&1 != 0 && !skip(b.Partition(), id) {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	r, err := b.reader()
	if err != nil {
		return err
	}
	for _, i := range rows {
		h := r.hit(i)
		h.Visit = ids[i]
		if pings[i/64]>>(i%64)&1 != 0 {
			h.Class = hits.Ping
		}
		if f[h.Visit] == nil {
			f[h.Visit] = hits.NewFold(h.Visit)
		}
		f[h.Visit].Add(h)
	}
	return nil
}

// hitReader makes hits of rows, with what a fold needs.
type hitReader struct {
	times           []event.Time
	visitors        []event.Visitor
	views, passive  []uint64
	offsets, places []int64
	dims            []*hits.Text
	h               hits.Hit
	row             window.Row
}

func (b *block) reader() (r *hitReader, err error) {
	r = &hitReader{}
	if r.times, err = b.Times(); err != nil {
		return nil, err
	}
	if r.visitors, err = b.Visitors(); err != nil {
		return nil, err
	}
	if r.views, err = b.Pageviews(); err != nil {
		return nil, err
	}
	if r.passive, err = b.flags("non_interactive", b.m); err != nil {
		return nil, err
	}
	b.scratch = append(b.scratch, r.passive)
	for name, into := range map[string]*[]int64{"source_offset": &r.offsets, "source_index": &r.places} {
		if *into, err = b.piece.ints(name, &memory{}, nil); err != nil {
			return nil, err
		}
	}
	for _, d := range foldDims {
		t, err := b.Text(d)
		if err != nil {
			return nil, err
		}
		r.dims = append(r.dims, t)
	}
	return r, nil
}

// hit returns the hit of a row, until the next call.
func (r *hitReader) hit(i int) *hits.Hit {
	r.row = window.Row{Visitor: r.visitors[i]}
	if r.views[i/64]>>(i%64)&1 != 0 {
		r.row.Flags = window.PageviewRow
	}
	for k, d := range foldDims {
		r.row.Dims[d] = r.dims[k].Values[r.dims[k].Codes[i]]
	}
	r.h = hits.Hit{
		Offset: r.offsets[i], Index: int32(r.places[i]), Time: r.times[i], Row: &r.row,
		NonInteractive: r.passive[i/64]>>(i%64)&1 != 0,
	}
	return &r.h
}

// folded implements hits.VisitBlock over visits in memory.
type folded struct {
	partition int32
	list      []*visit.Visit
}

// maxFolded is the number of visits of a block.
const maxFolded = 16 << 10

// blocks returns the visits that begin in [from, to), in the order of their names.
func (f folds) blocks(partition int32, from, to event.Time) (list []*folded) {
	var all []*visit.Visit
	for _, fold := range f {
		if v := fold.Visit(); v.Events > 0 && from <= v.Begin && v.Begin < to {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(x, y *visit.Visit) int { return compareIDs(x.ID, y.ID) })
	for part := range slices.Chunk(all, maxFolded) {
		list = append(list, &folded{partition, part})
	}
	return list
}

func compareIDs(x, y visit.ID) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (f *folded) Len() int         { return len(f.list) }
func (f *folded) Partition() int32 { return f.partition }

// Selected returns all: others are in no block.
func (f *folded) Selected() ([]uint64, error) {
	list := make([]uint64, words(len(f.list)))
	for i := range f.list {
		list[i/64] |= 1 << (i % 64)
	}
	return list, nil
}

func (f *folded) Text(d window.Dim) (*hits.Text, error) {
	t := &hits.Text{Codes: make([]uint32, len(f.list))}
	index := map[string]uint32{}
	for i, v := range f.list {
		value := v.Dims[d]
		code, ok := index[value]
		if !ok {
			code = uint32(len(t.Values))
			index[value] = code
			t.Values = append(t.Values, value)
		}
		t.Codes[i] = code
	}
	return t, nil
}

// listOf returns a number of each visit.
func listOf[T any](f *folded, of func(v *visit.Visit) T) ([]T, error) {
	list := make([]T, len(f.list))
	for i, v := range f.list {
		list[i] = of(v)
	}
	return list, nil
}

func (f *folded) IDs() ([]visit.ID, error) {
	return listOf(f, func(v *visit.Visit) visit.ID { return v.ID })
}

func (f *folded) Begins() ([]event.Time, error) {
	return listOf(f, func(v *visit.Visit) event.Time { return v.Begin })
}
func (f *folded) Seconds() ([]int64, error) { return listOf(f, (*visit.Visit).Seconds) }
func (f *folded) Views() ([]int64, error) {
	return listOf(f, func(v *visit.Visit) int64 { return int64(v.Views) })
}

func (f *folded) Bounces() ([]uint64, error) {
	list := make([]uint64, words(len(f.list)))
	for i, v := range f.list {
		if v.Bounced() {
			list[i/64] |= 1 << (i % 64)
		}
	}
	return list, nil
}
