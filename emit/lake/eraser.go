package lake

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// EraseOptions say what Reader.Erase does.
type EraseOptions struct {
	// Of are visitors of Site; their rows are counted. Empty: those of all that is erased.
	Of   []event.Visitor
	Site string
	// From and To bound the hours that are looked through, [From, To). Both 0: all of them.
	From, To event.Time
	// DryRun changes nothing, and counts the rows of Of that were received before Before, whether they are erased by now or not.
	DryRun bool
	Before event.Time
	// Step is called behind each object; nil: it is not.
	Step func(objects, of int, rows int64)
}

// Erasing is what Reader.Erase has found and done.
type Erasing struct {
	Objects int        // that were looked at
	Rows    int64      // that are erased, or would be
	Changed int        // objects that had such rows, and were written again
	First   event.Time // the times of the events, both included
	Last    event.Time
}

// Erase writes each object anew that has rows which are erased (PutErasure), without them. The object says which rows it has had,
// and takes the place of the old one in one step. What it leaves half done is done by another call; done twice, it is done once.
//
// An archiver at work leaves erased rows out of what it writes within seconds. One that was suspended for longer may still put an object
// of before over the new one: then its rows are hidden as before, and another call erases them.
func (l *Reader) Erase(ctx context.Context, o EraseOptions) (Erasing, error) {
	whole := &Reader{store: l.store, whole: true}
	gone, _, err := l.erased.of(ctx, l.store, 0)
	if err != nil {
		return Erasing{}, err
	}
	if o.DryRun {
		gone = erased{}
		for _, who := range o.Of {
			gone[who] = []erasedAt{{hashOfSite(o.Site), o.Before}}
		}
	}
	if o.From == 0 && o.To == 0 {
		o.From, o.To = math.MinInt64, math.MaxInt64
	}
	hours, err := l.Hours(ctx, o.From, o.To)
	if err != nil {
		return Erasing{}, err
	}
	all := 0
	for _, h := range hours {
		all += len(h.Keys)
	}
	var done Erasing
	for _, h := range hours {
		for _, key := range h.Keys {
			err := whole.eraseOf(ctx, key, gone, &o, &done)
			if err != nil && !errors.Is(err, blob.ErrNotFound) { // a rule of retention has deleted it
				return done, err
			}
			done.Objects++
			if o.Step != nil {
				o.Step(done.Objects, all, done.Rows)
			}
		}
	}
	return done, nil
}

// HasErased reports whether rows of the hours of [from, to) are erased that may be of a site: objects do not say whose the rows were
// that they have had. It is false for a site of which nobody is.
func (l *Reader) HasErased(ctx context.Context, site string, from, to event.Time) (bool, error) {
	gone, err := l.hidden(ctx)
	if err != nil || !gone.has(site) {
		return false, err
	}
	hours, err := l.Hours(ctx, from, to)
	if err != nil {
		return false, err
	}
	whole := &Reader{store: l.store, whole: true}
	for _, h := range hours {
		for _, key := range h.Keys {
			found := false
			err := openKey(ctx, whole, key, func(o *object) error {
				rows, err := o.rows(site)
				found = len(o.erased) > 0 || slices.ContainsFunc(rows, func(r stored) bool { return gone.row(r.Site, r.Visitor, r.Received) })
				return err
			})
			if err != nil || found {
				return found, err
			}
		}
	}
	return false, nil
}

// eraseOf is Erase for one object.
func (l *Reader) eraseOf(ctx context.Context, key Key, gone erased, o *EraseOptions, done *Erasing) error {
	var body []byte
	err := openKey(ctx, l, key, func(obj *object) error {
		rows, err := obj.rows(o.Site)
		if err != nil {
			return err
		}
		found := false
		for i := range rows {
			r := &rows[i]
			if gone.row(r.Site, r.Visitor, r.Received) {
				found = true
				done.count(r, o)
			}
			found = found || gone.row(r.Site, r.VisitorPrev, r.Received)
		}
		if !found || o.DryRun {
			return nil
		}
		if o.Site != "" {
			if rows, err = obj.rows(""); err != nil {
				return err
			}
		}
		body, err = obj.without(rows, key, gone, nil)
		return err
	})
	if err != nil || body == nil {
		return err
	}
	if err := l.store.Put(ctx, key.String(), body); err != nil {
		return fmt.Errorf("write object %q without what is erased: %w", key, err)
	}
	done.Changed++
	return nil
}

// count counts a row that is erased, if its visitor is one of those that are.
func (d *Erasing) count(r *stored, o *EraseOptions) {
	if len(o.Of) > 0 && (r.Site != o.Site || !slices.Contains(o.Of, r.Visitor)) {
		return
	}
	if d.Rows++; d.Rows == 1 {
		d.First, d.Last = r.Time, r.Time
	}
	d.First, d.Last = min(d.First, r.Time), max(d.Last, r.Time)
}

// without returns the object of rows, in the order of the file, without those that are erased or expired: the bytes that an archiver would
// write, had it known.
func (o *object) without(rows []stored, key Key, gone erased, expired *Expired) ([]byte, error) {
	b := newBuffer()
	for i := range rows {
		b.add(&rows[i].Event, rows[i].offset, rows[i].index)
	}
	keys := b.sorted()
	for _, k := range keys {
		if k.hour != key.Hour {
			return nil, fmt.Errorf("it has an event of %s", b.rows[k.row].time)
		}
	}
	e, err := newEncoder(b)
	if err != nil {
		return nil, err
	}
	e.gone, e.had, e.expired = gone, o.erased, expired
	body, err := e.encode(keys, key, o.segment)
	return slices.Clone(body), err
}
