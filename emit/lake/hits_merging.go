package lake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// MergeOptions are how an Archiver merges files of hits and visits. Zero fields take their defaults.
type MergeOptions struct {
	Policy hitmerge.Policy
	// Share is how much of a core merging takes at most, above 0 and up to 1. Default 0.2.
	Share float64
	// Every is how often it is looked for what to merge. Default 10 s.
	Every time.Duration
	// Off: files stay as they are.
	Off bool
}

func (o MergeOptions) withDefaults() MergeOptions {
	o.Share = cmp.Or(o.Share, 0.2)
	o.Every = cmp.Or(o.Every, 10*time.Second)
	return o
}

func (o *MergeOptions) validate() (bad []string) {
	if o.Share < 0 || o.Share > 1 {
		bad = append(bad, fmt.Sprintf("a share of %v of a core for merging, want above 0 and up to 1", o.Share))
	}
	if o.Every < 0 {
		bad = append(bad, "it can't be looked for merges before the last look")
	}
	return bad
}

// mostOffered is how many bytes of merged files wait in memory for their commit before no more are made.
const mostOffered = 64 << 20

// setAside is how long a table's day is left alone after a merge of it has failed.
const setAside = time.Hour

// merging merges files of the process's partitions in the background, one merge at a time. What comes of it is offered to the partition,
// whose next commit takes it.
type merging struct {
	a *Archiver
	o MergeOptions
	// aside has until when what has failed is left alone.
	aside map[mergeDay]time.Time
}

// mergeDay is a table's day of a partition.
type mergeDay struct {
	partition int32
	table     commits.Table
	day       event.Time
}

// run merges until ctx is done.
func (m *merging) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !m.once(ctx) {
			select {
			case <-ctx.Done():
			case <-time.After(m.o.Every):
			}
		}
	}
}

// once does the merge that takes most files away, of all partitions, and reports whether there was one.
func (m *merging) once(ctx context.Context) bool {
	var best *hitmerge.Planned
	var of *offered
	var base, unclean *commits.State
	var id int32
	waiting := 0
	offers := m.a.allOffered()
	for partition, o := range offers {
		state, bytes := o.plannable()
		if waiting += bytes; state == nil {
			continue
		}
		if unclean == nil && slices.ContainsFunc(state.Unclean(), func(f *commits.File) bool { return !m.isAside(partition, f) }) {
			unclean = state
		}
		plan := hitmerge.Plan(m.filesOf(partition, state), state.Next, state.Watermark, m.o.Policy)
		if plan != nil && (best == nil || len(plan.Inputs) > len(best.Inputs) || len(plan.Inputs) == len(best.Inputs) && partition < id) {
			best, of, id, base = plan, o, partition, state
		}
	}
	switch {
	case waiting >= mostOffered:
		return false
	case unclean != nil: // nothing is more urgent, and it is seldom
		did, _ := m.clean(ctx, unclean.Partition, offers[unclean.Partition], unclean) // it is logged
		return did
	case best == nil:
		return false
	}
	_, err := m.merge(ctx, id, of, base, best)
	if err != nil && ctx.Err() == nil {
		m.failed(id, best, err)
	}
	return err == nil
}

// filesOf returns the files of a state that may be merged.
func (m *merging) filesOf(partition int32, s *commits.State) (list []*commits.File) {
	for _, t := range commits.Tables() {
		for _, f := range s.Files(t) {
			if !m.isAside(partition, f) {
				list = append(list, f)
			}
		}
	}
	return list
}

// isAside reports whether a file's day is left alone for now.
func (m *merging) isAside(partition int32, f *commits.File) bool {
	until, ok := m.aside[mergeDay{partition, f.Table, f.Day}]
	return ok && !m.a.o.now().After(until)
}

func (m *merging) pacer() *pacer { return &pacer{share: m.o.Share, resumed: time.Now()} }

// failed sets a day aside, so that the others are merged.
func (m *merging) failed(partition int32, p *hitmerge.Planned, err error) {
	if errors.Is(err, context.Canceled) {
		return // the session is over
	}
	m.a.stats.mergesFailed.Add(1)
	now := m.a.o.now()
	maps.DeleteFunc(m.aside, func(_ mergeDay, until time.Time) bool { return now.After(until) })
	m.aside[mergeDay{partition, p.Table, p.Day}] = now.Add(setAside)
	m.a.o.Log.Warn("files can't be merged; queries read them as they are, and it is tried again in an hour",
		"partition", partition, "table", p.Table.String(), "day", p.Day.Std().Format(time.DateOnly), "files", len(p.Inputs), "err", err)
}

// merge makes the file that is planned by a state and offers it. It returns the file's size.
func (m *merging) merge(ctx context.Context, partition int32, of *offered, state *commits.State, p *hitmerge.Planned) (size int, err error) {
	return m.mergeWithout(ctx, partition, of, state, p, nil)
}

// mergeWithout is merge, and leaves out the rows that are expired.
func (m *merging) mergeWithout(ctx context.Context, partition int32, of *offered, state *commits.State, p *hitmerge.Planned, x *Expired) (size int, err error) {
	ctx, cancel := of.during(ctx)
	defer cancel()
	table := tableOf(p.Table)
	pace := m.pacer()
	o := hitmerge.Options{Table: table, Pace: pace.wait, Erased: expiredRows(x, p.Day, leftOut(state, p.Table))}
	offer := Merge{Erased: state.ErasedSum()}
	if x != nil {
		offer.Expired = x.sitesOf(p.Day)
	}
	if p.Table == commits.Hits && p.Level == commits.Daily {
		if o.Joins, offer.Joins, err = m.joins(ctx, state, p.Day, pace); err != nil {
			return 0, err
		}
	}
	var files []*colfile.File
	for _, f := range p.Inputs {
		object, err := m.a.o.Store.Open(ctx, f.Key)
		if err != nil {
			return 0, err
		}
		defer object.Close()
		file, err := table.Open(f.Key, object, object.Size())
		if err != nil {
			return 0, err
		}
		files = append(files, file)
		offer.Inputs = append(offer.Inputs, f.Key)
	}
	out, err := hitmerge.Merge(ctx, o, files)
	if err != nil {
		return 0, err
	}
	first, next := p.Range()
	if out.Rows > 0 { // all may be erased
		offer.Outputs = []Merged{{Body: out.Body, File: commits.File{
			Table: p.Table, Day: p.Day, MinTime: out.MinTime, MaxTime: out.MaxTime, MinSite: out.MinSite, MaxSite: out.MaxSite, Rows: out.Rows,
			Level: p.Level, First: first, Next: next, Clean: max(state.Version, 0), Erased: out.Erased,
		}}}
	}
	if x != nil {
		m.a.retained.rows.Add(out.Erased)
	}
	m.a.stats.mergedRows.Add(out.Rows)
	m.a.stats.mergedFiles.Add(int64(len(files)))
	m.a.stats.mergedBytes.Add(int64(len(out.Body)))
	m.a.Offer(partition, offer)
	return len(out.Body), nil
}

// joins returns the joins of visits whose hits may lie in a day, and a name of them. Files of visits lie by the beginning of a visit, which
// late events move: so those of the days before and after have some too. What is not found is looked up by readers, as before.
func (m *merging) joins(ctx context.Context, state *commits.State, day event.Time, pace *pacer) (hits.Joins, string, error) {
	joins, sum := hits.Joins{}, sha256.New()
	for _, f := range state.Files(commits.Visits) {
		if f.Day < day-24*event.Hour || f.Day > day+24*event.Hour {
			continue
		}
		fmt.Fprintln(sum, f.Key)
		if err := pace.wait(ctx); err != nil {
			return nil, "", err
		}
		if err := readJoins(ctx, m.a.o.Store, f.Key, joins); err != nil {
			return nil, "", err
		}
	}
	return joins, hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// readJoins adds the joins of a file of visits.
func readJoins(ctx context.Context, store blob.Store, key string, joins hits.Joins) error {
	object, err := store.Open(ctx, key)
	if err != nil {
		return err
	}
	defer object.Close()
	f, err := hitfile.Visits.Open(key, object, object.Size())
	if err != nil {
		return err
	}
	schema := hitfile.Visits.Schema()
	from, into := schema.Index("visit"), schema.Index("into")
	var visits, intos colfile.Vector
	for i := range f.Groups() {
		g, err := f.Group(i, []int{from, into})
		if err != nil {
			return err
		}
		if err := errors.Join(g.Column(from, &visits), g.Column(into, &intos)); err != nil {
			return err
		}
		for row, null := range intos.Null {
			if !null {
				joins.Add(hits.Join{Visit: visit.ID(visits.Ints[row]), Into: visit.ID(intos.Ints[row])})
			}
		}
	}
	return nil
}

// pacer bounds the share of a core that is used: after work it waits.
type pacer struct {
	share   float64
	resumed time.Time
}

// leastWork is how long is worked before it is waited.
const leastWork = 5 * time.Millisecond

// wait waits in proportion to the time since the last wait.
func (p *pacer) wait(ctx context.Context) error {
	worked := time.Since(p.resumed)
	if worked < leastWork || p.share >= 1 {
		return ctx.Err()
	}
	timer := time.NewTimer(time.Duration(float64(worked) * (1/p.share - 1)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	p.resumed = time.Now()
	return nil
}

// allOffered returns what is offered, by partition.
func (a *Archiver) allOffered() map[int32]*offered {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.offered)
}

// plannable returns the state to plan a merge by, nil if there is none: the partition is not this process's, or a merge waits for its
// commit. Bytes is what waits.
func (o *offered) plannable() (s *commits.State, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner != nil && o.owner.Err() != nil {
		o.list = slices.Delete(o.list, 0, len(o.list)) // nobody would take them for now, and they are large
	}
	for _, m := range o.list {
		for _, out := range m.Outputs {
			bytes += len(out.Body)
		}
	}
	if len(o.list) > 0 || o.owner == nil || o.owner.Err() != nil {
		return nil, bytes
	}
	return o.state, bytes
}

// during returns a context that ends with ctx, and with the session that has the partition.
func (o *offered) during(ctx context.Context) (context.Context, context.CancelFunc) {
	o.mu.Lock()
	owner := o.owner
	o.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(owner, cancel)
	return ctx, func() { stop(); cancel() }
}

// startMerging merges in the background until ctx is done. done returns when it has ended.
func (a *Archiver) startMerging(ctx context.Context) (done func()) {
	var group sync.WaitGroup
	if h := a.o.Hits; h != nil && !h.Merges.Off {
		m := &merging{a: a, o: h.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
		group.Go(func() { m.run(ctx) })
		group.Go(func() { a.sweepImports(ctx) })
	}
	return group.Wait
}
