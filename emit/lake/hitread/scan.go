package hitread

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	pq "github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

	"millrace/engine/event"
	"millrace/engine/hits"
)

// piece is the rows [lo, hi) of a row group: those of the selected site.
type piece struct {
	file   *opened
	group  pq.RowGroup
	number int // of the row group
	from   *File
	lo, hi int64
	inside bool // all of them are in the selected time
}

// Hits implements hits.Snapshot.
func (s *snapshot) Hits(ctx context.Context, sel *hits.Selection, fn func(worker int, b hits.Block) error) error {
	files := selected(s.list.Hits, sel.Site, sel.From, sel.To)
	joins := sync.OnceValues(func() (map[int32]hits.Joins, error) { return s.joins(ctx, sel) })
	memories := make([]memory, sel.Workers)
	return s.a.each(ctx, files, sel, "ts", anyPiece, func(worker int, p *piece) error {
		b := newBlock(p, &memories[worker], joins)
		err := fn(worker, b)
		b.release()
		return err
	})
}

// anyPiece is for each.
func anyPiece(*piece) (bool, error) { return true, nil }

// each calls fn for the pieces of files that may have rows of a selection, by the sel.Workers at once: of the row groups that want
// lets pass. Timed names the column of the time that is selected by.
func (a *Archive) each(ctx context.Context, files []File, sel *hits.Selection, timed string, want func(*piece) (bool, error), fn func(worker int, p *piece) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan *piece)
	var wg sync.WaitGroup
	var first error
	var once sync.Once
	fail := func(err error) {
		once.Do(func() { first = err })
		cancel()
	}
	for worker := range sel.Workers {
		wg.Go(func() {
			for p := range work {
				if ctx.Err() == nil {
					if err := fn(worker, p); err != nil {
						fail(fmt.Errorf("read hits %q: %w", p.from.Key, err))
					}
				}
				p.file.done()
			}
		})
	}
	a.pieces(ctx, files, &finding{sel, timed, want}, work, fail)
	close(work)
	wg.Wait()
	if first != nil {
		return first
	}
	return ctx.Err()
}

// finding is what pieces are looked for by, see each.
type finding struct {
	sel   *hits.Selection
	timed string
	want  func(*piece) (bool, error)
}

// openers is how many files are opened at once: that is waiting for the store, most of the time.
const openers = 8

// pieces sends the pieces of files to work, and calls fail with what goes wrong.
func (a *Archive) pieces(ctx context.Context, files []File, by *finding, work chan<- *piece, fail func(error)) {
	var g errgroup.Group
	g.SetLimit(openers)
	for i := range files {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			o, err := a.open(ctx, &files[i])
			if err != nil {
				fail(err)
				return nil
			}
			defer o.done()
			if err := o.pieces(&files[i], by, work); err != nil {
				fail(fmt.Errorf("read hits %q: %w", files[i].Key, err))
			}
			return nil
		})
	}
	_ = g.Wait() // it is only to wait
}

func (o *opened) pieces(from *File, by *finding, work chan<- *piece) error {
	for i, group := range o.RowGroups() {
		p := &piece{file: o, group: group, number: i, from: from}
		found, err := by.want(p)
		if err == nil && found {
			found, err = p.find(by.sel, by.timed)
		}
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		o.take()
		select {
		case work <- p:
		case <-o.ctx.Done():
			o.done()
			return o.ctx.Err()
		}
	}
	return nil
}

// find sets which rows are the site's, and reports whether there are any in the time.
func (p *piece) find(sel *hits.Selection, timed string) (bool, error) {
	index, offsets, err := p.indexes("site")
	if err != nil {
		return false, err
	}
	p.lo, p.hi = -1, 0
	all := true // rows of these pages are the site's
	for i := range index.NumPages() {
		// Both are bounds, which may be cut: equal ones are exact.
		least, greatest := string(index.MinValue(i).ByteArray()), string(index.MaxValue(i).ByteArray())
		if least > sel.Site || greatest < sel.Site {
			continue
		}
		if p.lo < 0 {
			p.lo = offsets.FirstRowIndex(i)
		}
		p.hi = p.end(offsets, i)
		all = all && least == greatest
	}
	if p.lo < 0 {
		return false, nil
	}
	if some, err := p.timed(sel, timed); err != nil || !some || all {
		return some, err
	}
	var m memory
	text, err := p.text("site", &m)
	if err != nil {
		return false, err
	}
	at := func(i int) string { return text.Values[text.Codes[i]] }
	first := sort.Search(len(text.Codes), func(i int) bool { return at(i) >= sel.Site })
	n := sort.Search(len(text.Codes)-first, func(i int) bool { return at(first+i) > sel.Site })
	p.lo, p.hi = p.lo+int64(first), p.lo+int64(first+n)
	if n == 0 {
		return false, nil
	}
	return p.timed(sel, timed)
}

// indexes returns the indexes of a column's pages.
func (p *piece) indexes(column string) (pq.ColumnIndex, pq.OffsetIndex, error) {
	chunk, err := p.column(column)
	if err != nil {
		return nil, nil, err
	}
	index, err := chunk.ColumnIndex()
	if err != nil {
		return nil, nil, err
	}
	offsets, err := chunk.OffsetIndex()
	return index, offsets, err
}

// end returns the row behind a page.
func (p *piece) end(offsets pq.OffsetIndex, page int) int64 {
	if page+1 < offsets.NumPages() {
		return offsets.FirstRowIndex(page + 1)
	}
	return p.group.NumRows()
}

// timed sets whether all rows of the piece are in the selected time, and reports whether any may be.
func (p *piece) timed(sel *hits.Selection, column string) (bool, error) {
	p.inside = sel.From <= p.from.MinTime && p.from.MaxTime < sel.To
	if p.inside {
		return true, nil
	}
	index, offsets, err := p.indexes(column)
	if err != nil {
		return false, err
	}
	some := false
	p.inside = true
	for i := range index.NumPages() {
		if p.end(offsets, i) <= p.lo || offsets.FirstRowIndex(i) >= p.hi || index.NullPage(i) {
			continue
		}
		first, last := event.Time(index.MinValue(i).Int64()), event.Time(index.MaxValue(i).Int64())
		some = some || first < sel.To && sel.From <= last
		p.inside = p.inside && sel.From <= first && last < sel.To
	}
	return some, nil
}

// column finds a column of the row group.
func (p *piece) column(name string) (*pq.FileColumnChunk, error) {
	leaf, ok := p.file.Schema().Lookup(name)
	if !ok {
		return nil, fmt.Errorf("there is no column %q", name)
	}
	chunk, ok := p.group.ColumnChunks()[leaf.ColumnIndex].(*pq.FileColumnChunk)
	if !ok {
		return nil, errors.New("column is not of a file")
	}
	return chunk, nil
}
