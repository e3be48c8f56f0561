package lake

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
	"millrace/engine/visit"
)

// recounting is what a commit of a Recount takes away and adds, by a state.
type recounting struct {
	state    *commits.State
	from, to event.Time
	files    []recountFile
	remove   []string
	kept     int // files that are there already
}

// recountFile is a file that is to be put.
type recountFile struct {
	commits.File
	body []byte
}

// recounted is a file without its name; it may have no rows.
type recounted struct {
	*hitmerge.Output
	sum string // of its bytes
}

// fileDay is a table's day.
type fileDay struct {
	table commits.Table
	day   event.Time
}

func (x fileDay) compare(y fileDay) int {
	return cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(x.table, y.table))
}

// replaces reports whether a file may have rows that are counted again.
func (r *Recount) replaces(f *commits.File, from, to event.Time) bool {
	if f.First >= r.o.Next {
		return false
	}
	if f.Table == commits.Visits { // of joins the file does not say when they were
		return f.Day >= from && f.Day < to
	}
	return f.MaxTime >= from && f.MinTime < to
}

// keeps reports whether a file may have rows that are not counted again.
func (r *Recount) keeps(f *commits.File, from, to event.Time) bool {
	return f.Next > r.o.Next || f.Table == commits.Hits && (f.MinTime < from || f.MaxTime >= to)
}

// plan makes the files of the days of [from, to), and finds those in whose place they come.
func (r *Recount) plan(ctx context.Context, s *commits.State, from, to event.Time) (*recounting, error) {
	p := &recounting{state: s, from: from, to: to}
	old, fresh := map[fileDay][]*commits.File{}, map[fileDay][]recountPart{}
	var days []fileDay
	for _, t := range commits.Tables() {
		for _, f := range s.Files(t) {
			if at := (fileDay{t, f.Day}); r.replaces(f, from, to) {
				old[at], days = append(old[at], f), append(days, at)
			}
		}
	}
	for _, of := range slices.Sorted(maps.Keys(r.parts)) {
		if of < from || of >= to {
			continue
		}
		for _, part := range r.parts[of] {
			at := fileDay{part.table, part.day}
			fresh[at], days = append(fresh[at], part), append(days, at)
		}
	}
	slices.SortFunc(days, fileDay.compare)
	for _, at := range slices.Compact(days) {
		if err := r.planDay(ctx, p, at, old[at], fresh[at]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// planDay is plan for a table's day, of its old files and its new rows.
func (r *Recount) planDay(ctx context.Context, p *recounting, at fileDay, old []*commits.File, fresh []recountPart) error {
	first, next := int64(0), r.o.Next
	var rest []*commits.File
	remove := map[string]bool{}
	for i, f := range old {
		if i == 0 {
			first, next = f.First, f.Next
		}
		first, next = min(first, f.First), max(next, f.Next)
		remove[f.Key] = true
		if r.keeps(f, p.from, p.to) {
			rest = append(rest, f)
		}
	}
	for n := 0; len(fresh) > 0 || len(rest) > 0; n++ {
		// As many as a file may have rows, old ones first.
		rows, took := int64(0), 0
		for _, f := range rest {
			rows += f.Rows
		}
		for took < len(fresh) && (took == 0 || rows+fresh[took].rows <= importedRows) {
			rows, took = rows+fresh[took].rows, took+1
		}
		out, err := r.merge(ctx, p, at, fresh[:took], rest)
		if err != nil {
			return err
		}
		fresh, rest = fresh[took:], nil
		if out.Rows == 0 {
			continue
		}
		name := func(base commits.Base) string {
			return commits.FileName(r.o.Topic, r.o.Partition, base, at.table, at.day, commits.Daily, first, next, n, out.sum)
		}
		if i := slices.IndexFunc(old, func(f *commits.File) bool { base, ok := commits.BaseOf(f.Key); return ok && f.Key == name(base) }); i >= 0 {
			delete(remove, old[i].Key)
			p.kept++
			continue
		}
		p.files = append(p.files, recountFile{body: out.Body, File: commits.File{
			Table: at.table, Key: name(p.state.Base()), Day: at.day, MinTime: out.MinTime, MaxTime: out.MaxTime, MinSite: out.MinSite, MaxSite: out.MaxSite,
			Size: int64(len(out.Body)), Rows: out.Rows, Level: commits.Daily, First: first, Next: next, Clean: max(p.state.Version, 0), Erased: out.Erased,
		}})
	}
	for _, f := range old {
		if remove[f.Key] {
			p.remove = append(p.remove, f.Key)
		}
	}
	return nil
}

// merge makes a file of new rows and of what stays of old files. What it has made of the same before it gives again.
func (r *Recount) merge(ctx context.Context, p *recounting, at fileDay, fresh []recountPart, rest []*commits.File) (*recounted, error) {
	key := fmt.Sprint(at, p.from, p.to, p.state.ErasedSum())
	for i := range fresh {
		key += fmt.Sprintf(" %p", &fresh[i].body[0])
	}
	for _, f := range rest {
		key += " " + f.Key
	}
	if out := r.made[key]; out != nil {
		return out, nil
	}
	o := hitmerge.Options{Table: tableOf(at.table), Erased: leftOut(p.state, at.table)}
	place := func(place int64) int64 { return place }
	if at.table == commits.Hits {
		o.Joins = r.joins
	} else {
		place = func(id int64) int64 { offset, _ := visit.ID(id).Place(); return offset }
	}
	o.Without = func(file int, at event.Time, of int64) bool {
		return file >= len(fresh) && at >= p.from && at < p.to && place(of) < r.o.Next
	}
	var files []*colfile.File
	for i := range fresh {
		f, err := o.Table.Open("part", bytes.NewReader(fresh[i].body), int64(len(fresh[i].body)))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	for _, f := range rest {
		f, done, err := r.open(ctx, o.Table, f.Key)
		if err != nil {
			return nil, err
		}
		defer done()
		files = append(files, f)
	}
	out, err := hitmerge.Merge(ctx, o, files)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(out.Body)
	r.made[key] = &recounted{out, hex.EncodeToString(sum[:])}
	return r.made[key], nil
}

// open opens a file of the archive.
func (r *Recount) open(ctx context.Context, table *hitfile.Table, key string) (*colfile.File, func(), error) {
	object, err := r.o.Store.Open(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	f, err := table.Open(key, object, object.Size())
	if err != nil {
		object.Close()
		return nil, nil, err
	}
	return f, func() { object.Close() }, nil
}
