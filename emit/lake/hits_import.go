package lake

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// ImportedOptions are those of ReplaceImported.
type ImportedOptions struct {
	Store blob.Store
	// From and To bound the days that are replaced: [From, To), whole days of UTC.
	From, To event.Time
	// Make gives a sink the hits and visits of these days, among others. It may be called again.
	Make func(ctx context.Context, to *ImportedHits) error
	// Covered returns which topics have hits of all their events once the days are replaced, sorted, out of those that had before.
	Covered func(before []string) []string
	// Rules name what hits are made by.
	Rules string
	Log   *slog.Logger
}

// allLines is behind every line of a file, as Change.Next: all hits of imports are of "records" before it.
const allLines = 1 << 44

// ReplaceImported puts hits and visits of imported events in the place of those that the archive has of some days, in one commit, and reports
// whether anything changed: the same again changes nothing. Before the commit all is as it was; what was put and is not committed is
// deleted at the next time. Two at once end one after the other.
func ReplaceImported(ctx context.Context, o ImportedOptions) (changed bool, err error) {
	chain, err := openImports(ctx, o.Store, o.Log)
	if err != nil {
		return false, err
	}
	if _, err := commits.NewSweeper(commits.SweepOptions{}).Orphans(ctx, chain); err != nil {
		return false, err
	}
	for {
		state := chain.State()
		w := newImportedHits(&o, state)
		err := o.Make(ctx, w)
		if err == nil {
			err = w.end(ctx)
		}
		if err != nil {
			return false, err
		}
		w.change.Next, w.change.Rules, w.change.Imports = allLines, o.Rules, o.Covered(state.Imports)
		if len(w.change.Imports) == 0 && state.Version < 0 || w.change.Empty(state) {
			return false, nil
		}
		counted, err := chain.Commit(ctx, w.change)
		if err != nil || counted {
			return counted, err
		}
		o.Log.Info("hits of imports are made again: another import has committed meanwhile")
	}
}

func openImports(ctx context.Context, store blob.Store, log *slog.Logger) (*commits.Chain, error) {
	return commits.Open(ctx, commits.Options{
		Topic: commits.ImportsTopic, Store: store, Log: commits.NewStoredLog(store, commits.ImportsTopic, 0), Logger: log,
	})
}

// ImportedHits takes hits and visits of imported events, day by day, and makes the files of each day when it is whole. It implements
// hits.Sink.
//
// A day's file is one whatever it was made of: parts are kept encoded, some 15 bytes a row, and merged.
type ImportedHits struct {
	o      *ImportedOptions
	state  *commits.State
	change commits.Change
	rows   *hitRows
	cut    int
	joins  hits.Joins
	parts  map[importedDay]*importedParts
	done   event.Time // days before it have their files
	err    error      // of a cut
}

type importedDay struct {
	day   event.Time
	table commits.Table
}

func (x importedDay) compare(y importedDay) int {
	return cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(x.table, y.table))
}

// importedParts are the encoded rows of a day that are not in its files yet.
type importedParts struct {
	bodies [][]byte
	rows   int64
	files  int
}

// importedRows bounds the rows of a file, as merges of the stream do.
const importedRows = 8 << 20

func newImportedHits(o *ImportedOptions, s *commits.State) *ImportedHits {
	return &ImportedHits{
		o: o, state: s, change: s.Change(), rows: newHitRows(commits.ImportsTopic, 0), cut: importRows, joins: hits.Joins{},
		parts: map[importedDay]*importedParts{}, done: o.From,
	}
}

// within reports whether a row of a time is of the days that are replaced.
func (w *ImportedHits) within(at event.Time) bool { return at >= w.o.From && at < w.o.To }

// Hit implements hits.Sink.
func (w *ImportedHits) Hit(h *hits.Hit) {
	at := h.Time
	if h.Visit != 0 {
		at = h.VisitBegan
	}
	if !w.within(at) {
		return
	}
	if w.rows.Hit(h); w.rows.rows >= w.cut {
		w.encode()
	}
}

// Join implements hits.Sink.
func (w *ImportedHits) Join(j hits.Join) {
	w.joins.Add(j)
	if w.within(j.Begin) {
		w.rows.Join(j)
	}
}

// Visit implements hits.Sink.
func (w *ImportedHits) Visit(v *visit.Visit) {
	if w.within(v.Begin) {
		w.rows.Visit(v)
	}
}

// encode makes parts of the rows.
func (w *ImportedHits) encode() {
	if w.err != nil {
		return
	}
	w.err = w.rows.files(func(f commits.File, body []byte) error {
		at := importedDay{f.Day, f.Table}
		if w.parts[at] == nil {
			w.parts[at] = &importedParts{}
		}
		p := w.parts[at]
		p.bodies, p.rows = append(p.bodies, bytes.Clone(body)), p.rows+f.Rows
		return nil
	})
	w.rows.reset()
}

// Done says that all has been given of visits that began before an instant, and of hits of these or of none.
func (w *ImportedHits) Done(ctx context.Context, before event.Time) error {
	if before = min(before, w.o.To).Floor(day); before > w.done {
		w.encode()
		w.done = before
	}
	for _, at := range slices.SortedFunc(maps.Keys(w.parts), importedDay.compare) {
		if p := w.parts[at]; w.err == nil && (at.day < w.done && len(p.bodies) > 0 || p.rows > importedRows) {
			w.err = w.file(ctx, at, p)
		}
	}
	if w.err == nil {
		w.err = ctx.Err()
	}
	return w.err
}

// file makes a file of the parts of a day, and puts it, unless the archive has that already.
func (w *ImportedHits) file(ctx context.Context, at importedDay, p *importedParts) error {
	o := hitmerge.Options{Table: hitfile.Hits}
	if at.table == commits.Visits {
		o.Table = hitfile.Visits
	} else {
		o.Joins = w.joins
	}
	var parts []*colfile.File
	for _, body := range p.bodies {
		f, err := o.Table.Open("part", bytes.NewReader(body), int64(len(body)))
		if err != nil {
			return err
		}
		parts = append(parts, f)
	}
	out, err := hitmerge.Merge(ctx, o, parts)
	if err != nil {
		return err
	}
	n := p.files
	p.bodies, p.rows, p.files = nil, 0, n+1
	sum := sha256.Sum256(out.Body)
	name := func(base commits.Base) string {
		return commits.FileName(commits.ImportsTopic, 0, base, at.table, at.day, commits.Daily, 0, 1, n, hex.EncodeToString(sum[:]))
	}
	for _, f := range w.state.Files(at.table) {
		if base, ok := commits.BaseOf(f.Key); ok && f.Day == at.day && f.Key == name(base) {
			w.change.Add = append(w.change.Add, *f) // see end
			return nil
		}
	}
	f := commits.File{
		Table: at.table, Key: name(w.state.Base()), Day: at.day, MinTime: out.MinTime, MaxTime: out.MaxTime, MinSite: out.MinSite, MaxSite: out.MaxSite,
		Size: int64(len(out.Body)), Rows: out.Rows, Level: commits.Daily, Next: 1,
	}
	w.change.Add = append(w.change.Add, f)
	return w.o.Store.Put(ctx, f.Key, out.Body)
}

// end makes the change whole.
func (w *ImportedHits) end(ctx context.Context) error {
	if err := w.Done(ctx, w.o.To); err != nil {
		return err
	}
	kept := map[string]bool{}
	w.change.Add = slices.DeleteFunc(w.change.Add, func(f commits.File) bool {
		kept[f.Key] = w.state.File(f.Key) != nil
		return kept[f.Key]
	})
	for _, t := range commits.Tables() {
		for _, f := range w.state.Files(t) {
			if w.within(f.Day) && !kept[f.Key] {
				w.change.Remove = append(w.change.Remove, f.Key)
			}
		}
	}
	return nil
}
