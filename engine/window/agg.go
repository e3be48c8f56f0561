package window

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// NeverFired is Status.FiredAt of a window that has not fired.
const NeverFired = -1

// Status is what a window's state says about its firings.
type Status struct {
	// FiredAt is the offset of the log at which the window last fired, or NeverFired.
	FiredAt int64
	// Final is set once the watermark has passed the window: a firing before that is an early one.
	Final bool
	// Dirty is set if rows were added after the last firing.
	Dirty bool
}

// Agg folds the chunks of one window, oldest first, into rollups.
//
// Type Agg is used in two ways that differ only in limit: with the whole state of a window (limit is the
// cardinality budget), and by the store's merge operator with a part of it that does not begin at the
// beginning (no limit: whether a value is among the first of its family can't be known there).
type Agg struct {
	status Status
	limit  int
	fams   [NumFamilies]famAgg
	key    []byte
}

type famAgg struct {
	index map[string]int32 // value -> place in cells
	cells []cell           // in order of first appearance
	other *cell            // what came past the limit
}

type cell struct {
	value             string // the family's dimensions joined by sep
	events, pageviews int64
	visitors          sketch.Sketch
}

// sep joins the values of a family with two dimensions. Clean values hold no control characters.
const sep = "\x1f"

// NewAgg returns an empty Agg that keeps at most limit values per family besides Other; 0 means no limit.
func NewAgg(limit int) *Agg {
	a := &Agg{limit: limit, status: Status{FiredAt: NeverFired}}
	for f := range a.fams {
		a.fams[f].index = make(map[string]int32)
	}
	return a
}

// Reset empties a and keeps its memory.
func (a *Agg) Reset(limit int) {
	a.limit, a.status = limit, Status{FiredAt: NeverFired}
	for f := range a.fams {
		fa := &a.fams[f]
		clear(fa.index)
		fa.cells, fa.other = fa.cells[:0], nil
	}
}

// Len returns the number of values held, over all families.
func (a *Agg) Len() int {
	n := 0
	for f := range a.fams {
		n += len(a.fams[f].cells)
	}
	return n
}

// Status returns what the chunks added so far say about firings.
func (a *Agg) Status() Status { return a.status }

// Add folds in a sequence of chunks, oldest first. It may be called again with the chunks that follow. After an
// error a is to be thrown away.
func (a *Agg) Add(chunks []byte) error {
	return eachChunk(chunks, func(kind byte, payload []byte) error {
		switch kind {
		case chunkRows:
			a.status.Dirty = true
			return readRows(payload, a.AddRow)
		case chunkFolded:
			return a.addFolded(payload)
		case chunkMark:
			return a.addMark(payload)
		}
		return fmt.Errorf("%w: chunk of unknown kind %d", ErrChunk, kind)
	})
}

func eachChunk(b []byte, fn func(kind byte, payload []byte) error) error {
	for len(b) > 0 {
		kind := b[0]
		l, n := binary.Uvarint(b[1:])
		if n <= 0 || l > uint64(len(b)-1-n) {
			return fmt.Errorf("%w: chunk cut short", ErrChunk)
		}
		if err := fn(kind, b[1+n:1+n+int(l)]); err != nil {
			return err
		}
		b = b[1+n+int(l):]
	}
	return nil
}

// ReadStatus returns what a sequence of chunks says about firings, without folding its rows.
func ReadStatus(chunks []byte) (Status, error) {
	a := Agg{status: Status{FiredAt: NeverFired}}
	err := eachChunk(chunks, func(kind byte, payload []byte) error {
		switch kind {
		case chunkRows:
			a.status.Dirty = true
			return nil
		case chunkFolded:
			_, err := a.addHeader(payload)
			return err
		case chunkMark:
			return a.addMark(payload)
		}
		return fmt.Errorf("%w: chunk of unknown kind %d", ErrChunk, kind)
	})
	return a.status, err
}

// AddRow counts one row. The row's strings are copied if they are kept.
func (a *Agg) AddRow(r *Row) {
	cl := r.Flags.class()
	var views int64
	if r.Flags&PageviewRow != 0 {
		views = 1
	}
	for f := range families {
		fam := &families[f]
		if fam.class != cl {
			continue
		}
		var c *cell
		switch len(fam.dims) {
		case 0:
			c = a.cell(Family(f), nil)
		case 1:
			v := r.Dims[fam.dims[0]]
			if v == "" {
				continue
			}
			a.key = append(a.key[:0], v...)
			c = a.cell(Family(f), a.key)
		default:
			v, w := r.Dims[fam.dims[0]], r.Dims[fam.dims[1]]
			if v == "" || w == "" {
				continue
			}
			a.key = append(append(append(a.key[:0], v...), sep...), w...)
			if v == Other && w == Other {
				a.key = append(a.key[:0], Other...) // the same tags in line protocol
			}
			c = a.cell(Family(f), a.key)
		}
		c.events++
		c.pageviews += views
		if r.Visitor != 0 {
			c.visitors.Add(uint64(r.Visitor))
		}
	}
}

// cell returns the cell of a value, made if there is none and the budget allows, else that of Other.
func (a *Agg) cell(f Family, value []byte) *cell {
	fa := &a.fams[f]
	if i, ok := fa.index[string(value)]; ok {
		return &fa.cells[i]
	}
	if string(value) == Other || a.limit > 0 && len(fa.cells) >= a.limit {
		if fa.other == nil {
			fa.other = &cell{value: Other}
		}
		return fa.other
	}
	s := string(value)
	fa.index[s] = int32(len(fa.cells))
	if len(fa.cells) < cap(fa.cells) {
		fa.cells = fa.cells[:len(fa.cells)+1]
		c := &fa.cells[len(fa.cells)-1]
		c.value, c.events, c.pageviews = s, 0, 0
		c.visitors.Reset()
		return c
	}
	fa.cells = append(fa.cells, cell{value: s})
	return &fa.cells[len(fa.cells)-1]
}

func (a *Agg) addMark(payload []byte) error {
	off, n := binary.Uvarint(payload)
	if n <= 0 || len(payload) != n+1 || payload[n] > 1 {
		return fmt.Errorf("%w: bad mark", ErrChunk)
	}
	a.status = Status{FiredAt: int64(off), Final: payload[n] == 1}
	return nil
}

// A folded chunk is: status (flags, FiredAt + 1 as uvarint), and per family its number (1 byte), the number of
// values (uvarint) and for each its value, events, pageviews, sketch (length-prefixed). Values are in order of
// first appearance, Other last: the order is part of the state, because it decides which values stay.
const (
	foldedFinal = 1 << iota
	foldedDirty
)

// AppendFolded appends everything added so far as one chunk.
func (a *Agg) AppendFolded(dst []byte) []byte {
	var p []byte
	var flags byte
	if a.status.Final {
		flags |= foldedFinal
	}
	if a.status.Dirty {
		flags |= foldedDirty
	}
	p = append(p, flags)
	p = binary.AppendUvarint(p, uint64(a.status.FiredAt+1))
	var sk []byte
	for f := range a.fams {
		fa := &a.fams[f]
		n := len(fa.cells)
		if fa.other != nil {
			n++
		}
		if n == 0 {
			continue
		}
		p = append(p, byte(f))
		p = binary.AppendUvarint(p, uint64(n))
		for i := range n {
			c := fa.other
			if i < len(fa.cells) {
				c = &fa.cells[i]
			}
			p = binary.AppendUvarint(p, uint64(len(c.value)))
			p = append(p, c.value...)
			p = binary.AppendUvarint(p, uint64(c.events))
			p = binary.AppendUvarint(p, uint64(c.pageviews))
			sk = c.visitors.AppendBinary(sk[:0])
			p = binary.AppendUvarint(p, uint64(len(sk)))
			p = append(p, sk...)
		}
	}
	dst = append(dst, chunkFolded)
	dst = binary.AppendUvarint(dst, uint64(len(p)))
	return append(dst, p...)
}

// addHeader applies the status of a folded chunk, which follows what was added before.
func (a *Agg) addHeader(p []byte) (rest []byte, err error) {
	if len(p) < 2 || p[0] > foldedFinal|foldedDirty {
		return nil, fmt.Errorf("%w: bad folded header", ErrChunk)
	}
	fired, n := binary.Uvarint(p[1:])
	if n <= 0 {
		return nil, fmt.Errorf("%w: bad folded header", ErrChunk)
	}
	if fired > 0 {
		a.status = Status{FiredAt: int64(fired) - 1, Final: p[0]&foldedFinal != 0}
	}
	a.status.Dirty = a.status.Dirty || p[0]&foldedDirty != 0
	return p[1+n:], nil
}

func (a *Agg) addFolded(p []byte) error {
	p, err := a.addHeader(p)
	if err != nil {
		return err
	}
	for len(p) > 0 {
		f := Family(p[0])
		count, n := binary.Uvarint(p[1:])
		if f >= NumFamilies || n <= 0 {
			return fmt.Errorf("%w: bad family header", ErrChunk)
		}
		p = p[1+n:]
		for range count {
			if p, err = a.addCell(f, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Agg) addCell(f Family, p []byte) (rest []byte, err error) {
	value, p, err := cutString(p)
	if err != nil {
		return nil, err
	}
	events, n := binary.Uvarint(p)
	if n <= 0 {
		return nil, fmt.Errorf("%w: bad counter", ErrChunk)
	}
	p = p[n:]
	views, n := binary.Uvarint(p)
	if n <= 0 {
		return nil, fmt.Errorf("%w: bad counter", ErrChunk)
	}
	sk, p, err := cutString(p[n:])
	if err != nil {
		return nil, err
	}
	c := a.cell(f, []byte(value))
	c.events += int64(events)
	c.pageviews += int64(views)
	if err := c.visitors.MergeBinary([]byte(sk)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrChunk, err)
	}
	return p, nil
}

// Window returns the rollups as a Window to be written to a sink. It shares no memory with a.
func (a *Agg) Window(site string, shard uint16, start event.Time, version int64, final bool) *Window {
	w := &Window{Site: site, Shard: shard, Start: start, Version: version, Final: final}
	a.eachSorted(func(f Family, c *cell) {
		p := Point{Family: f, Rollup: Rollup{
			Events: c.events, Pageviews: c.pageviews,
			Visitors: c.visitors.Estimate(), Sketch: c.visitors.AppendBinary(nil),
		}}
		p.setDims(c.value)
		w.Points = append(w.Points, p)
	})
	return w
}

func (p *Point) setDims(value string) {
	switch len(families[p.Family].dims) {
	case 0:
	case 1:
		p.Dims[0] = value
	default:
		first, second, ok := strings.Cut(value, sep)
		if !ok {
			second = first // Other stands for both
		}
		p.Dims = [2]string{first, second}
	}
}

// eachSorted calls fn for each value, by family and then by value, Other last.
func (a *Agg) eachSorted(fn func(Family, *cell)) {
	var order []*cell
	for f := range a.fams {
		fa := &a.fams[f]
		order = order[:0]
		for i := range fa.cells {
			order = append(order, &fa.cells[i])
		}
		slices.SortFunc(order, func(x, y *cell) int { return strings.Compare(x.value, y.value) })
		for _, c := range order {
			fn(Family(f), c)
		}
		if fa.other != nil {
			fn(Family(f), fa.other)
		}
	}
}

// Merge concatenates operands and, once they are worth it, folds them. It is the store's merge operator
// as a function: older holds the chunks that come first. Whole says that nothing lies before them.
func Merge(chunks []byte, whole bool, limit int) ([]byte, error) {
	if len(chunks) < foldFrom {
		return chunks, nil
	}
	if !whole {
		limit = 0
	}
	a := NewAgg(limit)
	if err := a.Add(chunks); err != nil {
		return nil, err
	}
	return a.AppendFolded(make([]byte, 0, len(chunks)/2)), nil
}

// foldFrom is the size in bytes from which Merge folds. Most windows never reach it: they are folded once, when they
// fire, and folding them at every flush too is work for nothing. A much larger value makes a giant window's state grow
// before anything bounds it.
const foldFrom = 512 << 10
