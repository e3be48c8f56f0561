package hitread

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"millrace/emit/lake/hitfile"
	"millrace/engine/event"
	"millrace/engine/hits"
)

// piece is the rows [lo, hi) of a row group: those of the selected site.
type piece struct {
	file   *opened
	group  int
	from   *File
	lo, hi int
	inside bool // all of them are in the selected time
	some   bool // any of them may be
}

// Hits implements hits.Snapshot.
func (s *snapshot) Hits(ctx context.Context, sel *hits.Selection, fn func(worker int, b hits.Block) error) error {
	files := selected(s.list.Hits, sel.Site, sel.From, sel.To)
	joins := sync.OnceValues(func() (map[int32]hits.Joins, error) { return s.joins(ctx, sel) })
	memories, giveBack := s.a.borrow(sel.Workers)
	defer giveBack()
	return s.a.each(ctx, hitfile.Hits, files, sel, anyPiece, func(worker int, p *piece) error {
		b := newBlock(p, memories[worker], joins)
		b.erasures = s.erased(p.from.Partition, sel.Site)
		err := fn(worker, b)
		b.release()
		return err
	})
}

// Rows implements hits.Snapshot: by the statistics of sites and times in the pages of the site's column.
func (s *snapshot) Rows(ctx context.Context, sel *hits.Selection, most int) (n int64, files int, err error) {
	list := selected(s.list.Hits, sel.Site, sel.From, sel.To)
	if len(list) > most {
		return 0, len(list), nil
	}
	var found atomic.Int64
	var g errgroup.Group
	g.SetLimit(openers)
	for i := range list {
		g.Go(func() error {
			o, err := s.a.open(ctx, hitfile.Hits, &list[i])
			if err != nil {
				return err
			}
			defer o.done()
			for k := range o.Groups() {
				p := &piece{file: o, group: k, from: &list[i]}
				if rows, _ := p.run(sel.Site); rows > 0 && p.timed(sel, hitfile.Hits.Time) {
					found.Add(int64(rows))
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return found.Load(), len(list), err
}

// anyPiece is for each.
func anyPiece(*piece) (bool, error) { return true, nil }

// each calls fn for the pieces of files that may have rows of a selection, by the sel.Workers at once: of the row groups that want
// lets pass.
func (a *archive) each(ctx context.Context, t *hitfile.Table, files []File, sel *hits.Selection, want func(*piece) (bool, error), fn func(worker int, p *piece) error) error {
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
	a.pieces(ctx, files, &finding{t, sel, want}, work, fail)
	close(work)
	wg.Wait()
	if first != nil {
		return first
	}
	return ctx.Err()
}

// finding is what pieces are looked for by, see each.
type finding struct {
	table *hitfile.Table
	sel   *hits.Selection
	want  func(*piece) (bool, error)
}

// openers is how many files are opened at once: that is waiting for the store, most of the time.
const openers = 8

// pieces sends the pieces of files to work, and calls fail with what goes wrong.
func (a *archive) pieces(ctx context.Context, files []File, by *finding, work chan<- *piece, fail func(error)) {
	var g errgroup.Group
	g.SetLimit(openers)
	for i := range files {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			o, err := a.open(ctx, by.table, &files[i])
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
	for i := range o.Groups() {
		p := &piece{file: o, group: i, from: from}
		found, err := by.want(p)
		if err == nil && found {
			found, err = p.find(by.sel, by.table.Time)
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

// find sets which rows are the site's, and reports whether there are any in the time, which is that of a column.
func (p *piece) find(sel *hits.Selection, timed string) (bool, error) {
	n, all := p.run(sel.Site)
	if n == 0 {
		return false, nil
	}
	if !p.timed(sel, timed) || all {
		return p.some, nil
	}
	m := &memory{}
	text, err := p.text("site", m)
	if err != nil {
		return false, err
	}
	at := func(i int) string { return text.Values[text.Codes[i]] }
	first := sort.Search(len(text.Codes), func(i int) bool { return at(i) >= sel.Site })
	n = sort.Search(len(text.Codes)-first, func(i int) bool { return at(first+i) > sel.Site })
	p.lo, p.hi = p.lo+first, p.lo+first+n
	return n > 0 && p.timed(sel, timed), nil
}

// run sets which rows may be a site's, by the statistics of pages, and returns how many, and whether all of them are.
func (p *piece) run(id string) (n int, all bool) {
	site := p.file.column("site")
	p.lo, p.hi, all = -1, -1, true
	for i := range p.file.Pages(p.group, site) {
		least, greatest, ok := p.file.PageTexts(p.group, site, i)
		if ok && (least > id || greatest < id) {
			continue
		}
		from, to := p.file.PageRows(p.group, site, i)
		if p.lo < 0 {
			p.lo = from
		}
		p.hi = to
		all = all && ok && least == greatest
	}
	return p.hi - p.lo, all
}

// timed sets whether all rows of the piece are in the selected time, and whether any may be, which it returns.
func (p *piece) timed(sel *hits.Selection, name string) bool {
	p.inside, p.some = sel.From <= p.from.MinTime && p.from.MaxTime < sel.To, true
	if p.inside {
		return true
	}
	column := p.file.column(name)
	p.some, p.inside = false, true
	for i := range p.file.Pages(p.group, column) {
		if from, to := p.file.PageRows(p.group, column, i); to <= p.lo || from >= p.hi {
			continue
		}
		first, last, ok := p.file.PageInts(p.group, column, i)
		p.some = p.some || !ok || event.Time(first) < sel.To && sel.From <= event.Time(last)
		p.inside = p.inside && ok && sel.From <= event.Time(first) && event.Time(last) < sel.To
	}
	return p.some
}

// column returns the place of a column. REQUIRES: the table has it.
func (o *opened) column(name string) int { return o.table.Schema().Index(name) }
