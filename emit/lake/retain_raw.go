package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// pass is one look for what is to be deleted.
type pass struct {
	r        *retaining
	l        *Reader // gives erased rows too
	x        *Expired
	names    []string // of the notes that x is of
	owned    map[int32]bool
	progress map[int32]Progress
	pace     *pacer
}

// rawPass is how far the raw objects have been gone through. It goes on over several passes.
type rawPass struct {
	after    string          // the last key
	of       *Expired        // as it was at the beginning
	upTo     map[int32]int64 // NextOffset of the partitions then
	imports  []string        // topics of imports that were whole then
	looked   map[Source]bool // logs of which objects were looked through
	left     bool            // some objects could not be
	deleting bool            // some objects wait to be deleted
}

const (
	// rawBatch is how many objects are noted to be gone at once, and rawMost how many are looked at before hits have their turn.
	rawBatch, rawMost = 1000, 20_000
)

// raw deletes raw objects and writes others again. It reports whether it has not come to the end.
//
// An object of which all rows are expired is noted to be gone, and deleted when it has been for retainGrace; so nobody takes it for lost,
// and who has listed it can still read it. The note comes first: who is killed between the two finds it there and goes on.
func (p *pass) raw(ctx context.Context) (more bool, err error) {
	at := &p.r.raw
	if at.of == nil {
		*at = rawPass{of: p.x.clone(), upTo: map[int32]int64{}, looked: map[Source]bool{}}
		for id, done := range p.progress {
			at.upTo[id] = done.NextOffset
		}
		if at.imports, err = Imports(ctx, p.l.store); err != nil {
			return true, err
		}
	}
	for n := 0; n < rawMost; {
		look, doomed, end, err := p.collect(ctx, at)
		if err != nil {
			return true, err
		}
		for _, key := range doomed {
			if err := p.l.store.Delete(ctx, key.String()); err != nil {
				return true, fmt.Errorf("delete an object that is past its sites' retention: %w", err)
			}
			p.r.a.retained.objects.Add(1)
		}
		if err := p.lookThrough(ctx, at, look); err != nil {
			return true, err
		}
		if end {
			return p.endRaw(ctx, at)
		}
		n += len(look) + len(doomed)
	}
	return true, nil
}

// endRaw notes that all objects were looked through.
func (p *pass) endRaw(ctx context.Context, at *rawPass) (more bool, err error) {
	same := at.of.sameTimes(p.x)
	if same && !at.left && len(at.looked) > 0 {
		for log := range at.looked {
			first := int64(math.MaxInt64)
			if !IsImport(log.Topic) {
				first = at.upTo[log.Partition]
			}
			p.x.log(log.Topic, log.Partition).Seen = p.x.days(first)
		}
		if err := p.note(ctx); err != nil {
			return true, err
		}
	}
	p.r.deleting = at.deleting
	p.r.raw = rawPass{}
	return !same, nil
}

// days returns what Seen of a log is when all its segments before an offset are looked through.
func (x *Expired) days(first int64) (list []goneSeen) {
	var times []event.Time
	for _, t := range append(slices.Collect(maps.Values(x.Sites)), x.All) {
		if t > 0 {
			times = append(times, t)
		}
	}
	slices.Sort(times)
	from := firstHour
	for _, t := range slices.Compact(times) {
		list = append(list, goneSeen{from, t, x.sitesOf(from), first})
		from = t
	}
	return list
}

// collect returns the next objects that may have rows which are expired, and those that are to be deleted now. End is whether there are no
// more.
func (p *pass) collect(ctx context.Context, at *rawPass) (look, doomed []Key, end bool, err error) {
	limit := p.x.greatest()
	names := map[event.Time]string{}
	for info, err := range p.l.store.List(ctx, "dt=", at.after) {
		if err != nil {
			return nil, nil, false, fmt.Errorf("list hours: %w", err)
		}
		if !isObject(info.Key) {
			continue
		}
		k, err := ParseKey(info.Key)
		if err != nil {
			return nil, nil, false, err
		}
		if k.Hour >= limit {
			break
		}
		if len(look)+len(doomed) >= rawBatch {
			return look, doomed, false, nil
		}
		at.after = info.Key
		if !p.mine(at, k) {
			continue
		}
		gone, of := p.x.of(k.Topic, k.Partition), k.Hour.Floor(day)
		if gone.object(k) {
			if p.r.stale != nil && p.r.stale.of(k.Topic, k.Partition).object(k) {
				doomed = append(doomed, k)
			} else {
				at.deleting = true
			}
			continue
		}
		if names[of] == "" {
			names[of] = p.x.sitesOf(of)
		}
		if !gone.seen(k, names[of]) {
			look = append(look, k)
		}
	}
	return look, doomed, true, nil
}

// mine reports whether an object is for this process to delete: it is of a segment that is whole.
func (p *pass) mine(at *rawPass, k Key) bool {
	if IsImport(k.Topic) {
		_, whole := slices.BinarySearch(at.imports, k.Topic)
		return whole && p.owned[0]
	}
	return k.Topic == p.r.a.o.Topic && p.owned[k.Partition] && k.First < at.upTo[k.Partition]
}

// lookThrough notes which objects are gone, and writes those again that have other rows too.
func (p *pass) lookThrough(ctx context.Context, at *rawPass, keys []Key) error {
	gone, _, err := p.r.a.gone.of(ctx, p.l.store, keepErasures)
	if err != nil {
		return err
	}
	noted := false
	for _, k := range keys {
		if err := p.pace.wait(ctx); err != nil {
			return err
		}
		is, err := p.lookAt(ctx, k, gone)
		switch {
		case errors.Is(err, blob.ErrNotFound):
			continue // another owner has deleted it, or a rule of the store's
		case errors.Is(err, ErrCorrupt):
			at.left = true
			p.r.a.o.Log.Warn("an object of the archive may have rows that its sites keep no longer, and can't be read", "err", err)
			continue
		case err != nil:
			return err
		}
		at.looked[Source{Topic: k.Topic, Partition: k.Partition}] = true
		p.r.a.retained.rows.Add(is.rows)
		if is.body != nil {
			if err := p.l.store.Put(ctx, k.String(), is.body); err != nil {
				return fmt.Errorf("write object %q without rows that are past their retention: %w", k, err)
			}
			p.r.a.retained.rewrites.Add(1)
		}
		if is.all {
			at.deleting = true
			p.x.log(k.Topic, k.Partition).add(is.segment, k.Hour, is.had)
			noted = true
		}
	}
	if !noted {
		return nil
	}
	return p.note(ctx)
}

// note puts what is gone by now.
func (p *pass) note(ctx context.Context) error {
	for _, g := range p.x.logs {
		g.tidy()
	}
	name, err := putExpired(ctx, p.l.store, p.x, p.names)
	if err == nil {
		p.names = []string{name}
	}
	return err
}

// lookedAt is what has to be done about an object.
type lookedAt struct {
	all     bool    // all rows are expired
	segment segment // that it is of
	had     int64   // rows it has, and has had
	rows    int64   // that are expired
	body    []byte  // without them; nil: it stays as it is, or goes
}

// lookAt finds out what is expired of an object.
func (p *pass) lookAt(ctx context.Context, k Key, gone erased) (is lookedAt, err error) {
	err = openKey(ctx, p.l, k, func(o *object) error {
		is = lookedAt{segment: o.segment, had: o.numRows(), rows: o.file.NumRows()}
		if p.x.all(k.Hour) {
			is.all = true
			return nil
		}
		is.rows = 0
		for _, rg := range o.file.RowGroups() {
			err := readStrings(o.chunk(rg, "site"), 0, rg.NumRows(), func(_ int, site string) {
				if p.x.gone(site, k.Hour) {
					is.rows++
				}
			})
			if err != nil {
				return err
			}
		}
		if is.rows == o.file.NumRows() { // also if there are none any more: all were erased or expired before
			is.all = true
			return nil
		}
		if is.rows == 0 {
			return nil
		}
		rows, err := o.rows("")
		if err == nil {
			is.body, err = o.without(rows, k, gone, p.x)
		}
		return err
	})
	return is, err
}
