package lake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
)

// mostRemoved is how many files of hits and visits one commit takes away at most.
const mostRemoved = 256

// some is how many rows of a file are expired.
type some uint8

const (
	noneExpired some = iota
	someExpired
	allExpired
)

// hits has files of hits and visits removed of which all rows are expired, and others written again. Each is of a day, and the rows of a
// site in it go together. It reports whether commits have to come for it before it has come to the end.
func (p *pass) hits(ctx context.Context) (more bool, err error) {
	if p.r.a.o.Hits == nil {
		return false, nil
	}
	live := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(p.owned)) {
		state := p.r.a.HitsState(id)
		if state == nil {
			continue
		}
		files := p.old(state)
		for _, f := range files {
			live[f.Key] = true
		}
		if at, ok := p.r.offered[id]; ok && state.Version <= at {
			more = true // what was offered waits for its commit
			continue
		}
		did, err := p.hitsOf(ctx, id, p.r.a.offersOf(id).offered, state, files)
		if did {
			more, p.r.offered[id] = true, state.Version
		}
		if err != nil {
			return true, fmt.Errorf("hits of partition %d that are past their retention: %w", id, err)
		}
	}
	maps.DeleteFunc(p.r.checked, func(key string, _ string) bool { return !live[key] })
	return more, nil
}

// old returns the files of a state that may have rows which are expired.
func (p *pass) old(s *commits.State) (list []*commits.File) {
	limit := p.x.greatest()
	for _, t := range commits.Tables() {
		for _, f := range s.Files(t) {
			if f.Day < limit {
				list = append(list, f)
			}
		}
	}
	return list
}

// hitsOf is hits for a partition. It reports whether there was anything to do.
func (p *pass) hitsOf(ctx context.Context, id int32, of *offered, state *commits.State, files []*commits.File) (did bool, err error) {
	var gone []*commits.File
	size := 0
	for _, f := range files {
		sites := p.x.sitesOf(f.Day)
		if p.r.checked[f.Key] == sites || p.r.m.isAside(id, f) {
			continue
		}
		planned := &hitmerge.Planned{Table: f.Table, Day: f.Day, Level: f.Level, Inputs: []*commits.File{f}}
		if len(gone) == mostRemoved || size >= cleanBytes {
			did = true
			break
		}
		is, err := p.expiredOf(ctx, f)
		if err == nil && is == someExpired {
			var n int
			n, err = p.r.m.mergeWithout(ctx, id, of, state, planned, p.x)
			size += n
		}
		switch {
		case ctx.Err() != nil:
			return did, ctx.Err()
		case err != nil:
			p.r.m.failed(id, planned, err) // the others go on
			did = true
		case is == noneExpired:
			p.r.checked[f.Key] = sites
		case is == allExpired:
			gone = append(gone, f)
		default:
			did = true
			p.r.a.retained.rewrites.Add(1)
		}
	}
	p.remove(id, gone)
	return did || len(gone) > 0, nil
}

// remove has files removed by the next commit of a partition.
func (p *pass) remove(id int32, gone []*commits.File) {
	for len(gone) > 0 {
		// A merge of a day that is dropped, since a file is not there any more, does not drop those of others.
		var m Merge
		first := gone[0]
		gone = slices.DeleteFunc(gone, func(f *commits.File) bool {
			if f.Table != first.Table || f.Day != first.Day {
				return false
			}
			m.Inputs = append(m.Inputs, f.Key)
			p.r.a.retained.files.Add(1)
			p.r.a.retained.rows.Add(f.Rows)
			return true
		})
		p.r.a.Offer(id, m)
	}
}

// expiredOf finds out whether rows of a file are expired.
func (p *pass) expiredOf(ctx context.Context, f *commits.File) (some, error) {
	if p.x.all(f.Day) || f.MinSite == f.MaxSite && p.x.gone(f.MinSite, f.Day) {
		return allExpired, nil
	}
	object, err := p.l.store.Open(ctx, f.Key)
	if err != nil {
		return noneExpired, err
	}
	defer object.Close()
	table := tableOf(f.Table)
	file, err := table.Open(f.Key, object, object.Size())
	if err != nil {
		return noneExpired, err
	}
	column := table.Schema().Index("site")
	var sites colfile.Vector
	expired, kept := false, false
	for i := range file.Groups() {
		g, err := file.Group(i, []int{column})
		if err == nil {
			err = g.Column(column, &sites)
		}
		if err == nil {
			err = p.pace.wait(ctx)
		}
		if err != nil {
			return noneExpired, err
		}
		for _, site := range sites.Dict {
			old := p.x.gone(site, f.Day)
			expired, kept = expired || old, kept || !old
		}
	}
	switch {
	case !expired:
		return noneExpired, nil
	case kept:
		return someExpired, nil
	}
	return allExpired, nil
}

// expiredRows returns what a merge of a day leaves out because it is expired, beside what others say; nil is nothing.
func expiredRows(x *Expired, day event.Time, others func(string, event.Visitor) func(int64) bool) func(string, event.Visitor) func(int64) bool {
	if x == nil || !past(x.greatest(), day) {
		return others
	}
	all := func(int64) bool { return true }
	return func(site string, who event.Visitor) func(int64) bool {
		switch {
		case x.gone(site, day):
			return all
		case others != nil:
			return others(site, who)
		}
		return nil
	}
}

// imports is hits for the chain of imported files, which the process that has the first partition takes care of.
func (p *pass) imports(ctx context.Context) (more bool, err error) {
	if p.r.a.o.Hits == nil || !p.owned[0] {
		return false, nil
	}
	has, err := HasImportedHits(ctx, p.l.store)
	if err != nil || !has {
		return false, err
	}
	chain, err := openImports(ctx, p.l.store, p.r.a.o.Log)
	if err != nil {
		return true, err
	}
	state := chain.State()
	change := state.Change()
	rows, rewrites, size := int64(0), int64(0), int64(0)
	for n, f := range p.old(state) {
		if len(change.Remove) == mostRemoved || size >= cleanBytes {
			more = true
			break
		}
		is, err := p.expiredOf(ctx, f)
		if err != nil {
			return true, err
		}
		if is == noneExpired {
			continue
		}
		change.Remove = append(change.Remove, f.Key)
		if is == allExpired {
			rows += f.Rows
			continue
		}
		out, err := p.importedWithout(ctx, state, f, n)
		if err != nil {
			return true, err
		}
		rows, rewrites, size = rows+out.Erased, rewrites+1, size+out.Size
		change.Add = append(change.Add, out)
	}
	if len(change.Remove) == 0 {
		return more, nil
	}
	counted, err := chain.Commit(ctx, change)
	if err != nil || !counted {
		return true, err
	}
	p.r.a.retained.rows.Add(rows)
	p.r.a.retained.rewrites.Add(rewrites)
	p.r.a.retained.files.Add(int64(len(change.Remove)) - rewrites)
	return more, nil
}

// importedWithout puts a file of imported hits or visits without the rows that are expired.
func (p *pass) importedWithout(ctx context.Context, state *commits.State, f *commits.File, n int) (to commits.File, err error) {
	object, err := p.l.store.Open(ctx, f.Key)
	if err != nil {
		return to, err
	}
	defer object.Close()
	table := tableOf(f.Table)
	file, err := table.Open(f.Key, object, object.Size())
	if err != nil {
		return to, err
	}
	o := hitmerge.Options{Table: table, Pace: p.pace.wait, Erased: expiredRows(p.x, f.Day, leftOut(state, f.Table))}
	out, err := hitmerge.Merge(ctx, o, []*colfile.File{file})
	if err != nil {
		return to, err
	}
	sum := sha256.Sum256(out.Body)
	to = commits.File{
		Table: f.Table, Day: f.Day, MinTime: out.MinTime, MaxTime: out.MaxTime, MinSite: out.MinSite, MaxSite: out.MaxSite,
		Size: int64(len(out.Body)), Rows: out.Rows, Level: f.Level, First: f.First, Next: f.Next, Clean: max(state.Version, 0), Erased: out.Erased,
	}
	to.Key = commits.FileName(commits.ImportsTopic, 0, state.Base(), f.Table, f.Day, f.Level, f.First, f.Next, n, hex.EncodeToString(sum[:]))
	return to, p.l.store.Put(ctx, to.Key, bytes.Clone(out.Body))
}
