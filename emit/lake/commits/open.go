package commits

import (
	"context"
	"errors"
	"fmt"

	"millrace/internal/blob"
)

// openTries is how often Open begins again when others have moved the chain on, or an epoch, in the meantime.
const openTries = 5

func (c *Chain) open(ctx context.Context) (err error) {
	for range openTries {
		if err = c.openOnce(ctx); !errors.Is(err, ErrTrimmed) && !errors.Is(err, ErrLog) {
			return err
		}
	}
	return err
}

// openOnce goes on from what is published: that decides what there is, and the topic only in what order it goes on. Who commits on a
// commit has published it before; so of what is in the topic at most the last commit that counted is not published, unless one of
// them is not the other's.
//
// The topic's end is asked for first: what is published can only be ahead of it then.
func (c *Chain) openOnce(ctx context.Context) error {
	start, end, err := c.o.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	from, err := c.at.load(ctx)
	if err != nil {
		return err
	}
	if from.last != nil {
		if err := c.mend(ctx, from.last); err != nil {
			return err
		}
	}
	startNow, now, err := c.o.Log.Bounds(ctx)
	switch {
	case err != nil:
		return err
	case startNow < start || now < end:
		return fmt.Errorf("%w: it was made anew", ErrLog)
	}
	from.lax, from.reuse = c.o.Lax, c.o.reuse
	c.reset(from.State, from.folded)
	why, err := c.fits(ctx, start, end, now)
	if err == nil && why != "" {
		c.reset(from.State, from.folded)
		err = c.begin(ctx, why, start, end, now)
	}
	if err != nil {
		return err
	}
	return c.publish(ctx)
}

// reset stands at a published state.
func (c *Chain) reset(from *State, folded int64) {
	c.state, c.read, c.pending, c.folded = from, from.Offset+1, nil, folded
}

// checkEmpty refuses tables of which only the log of hits is gone: their versions would not be equal.
func (c *Chain) checkEmpty(ctx context.Context) error {
	for info, err := range c.o.Store.List(ctx, c.at.logDir(Visits)+"0", c.at.entryKey(Visits, 0)) {
		if err != nil {
			return err
		}
		switch again, err := c.at.load(ctx); {
		case err != nil:
			return err
		case again.Version > none:
			return fmt.Errorf("%w: others have begun", ErrLog)
		}
		return c.at.damaged(info.Key, errors.New("it is there, and the log of hits is not"))
	}
	return nil
}

// fits reads the topic up to end, from what is published, and returns why it is not the topic that this was made of, "" if it is.
// Now is where the topic ended after what is published was read.
func (c *Chain) fits(ctx context.Context, start, end, now int64) (why string, err error) {
	p := c.state
	switch {
	case start > p.Offset+1:
		return fmt.Sprintf("the topic begins at %d, and published is what there was up to %d", start, p.Offset), nil
	case now <= p.Offset:
		return fmt.Sprintf("the topic ends at %d, and published is what there was up to %d", now, p.Offset), nil
	case start <= p.Offset:
		var last string
		err := c.o.Log.Read(ctx, p.Offset, p.Offset+1, func(_ int64, record []byte) error { last = sum(record); return nil })
		if err != nil {
			return "", err
		}
		if last != p.Last {
			return fmt.Sprintf("the topic has another record at %d than what is published was made of", p.Offset), nil
		}
	}
	switch err := c.readTo(ctx, end, nil); {
	case errors.Is(err, ErrFold) && errors.Is(err, blob.ErrNotFound):
		return "an epoch in the topic begins with what is not there any more", nil
	case err != nil:
		return "", err
	}
	return c.unpublished(ctx)
}

// unpublished returns what is wrong with what is not published yet.
func (c *Chain) unpublished(ctx context.Context) (why string, err error) {
	if len(c.pending) > 1 {
		return fmt.Sprintf("%d commits are not published: the archive has been put back", len(c.pending)), nil
	}
	for i := range c.pending {
		st := &c.pending[i]
		if st.after.Version != st.before.Version+1 {
			return fmt.Sprintf("an epoch in the topic begins with version %d, and published is %d", st.after.Version-1, st.before.Version), nil
		}
		for key, f := range st.after.files {
			if st.before.files[key] != nil {
				continue
			}
			switch o, err := c.o.Store.Open(ctx, key); {
			case errors.Is(err, blob.ErrNotFound):
				return fmt.Sprintf("file %q of the last commit is not there: the archive has been put back", f.Key), nil
			case err != nil:
				return "", err
			default:
				o.Close()
			}
		}
	}
	return "", nil
}

// begin begins an epoch with what is published, or goes on with one that somebody else has just begun with it.
func (c *Chain) begin(ctx context.Context, why string, start, end, now int64) error {
	from, folded := c.state, c.folded
	epoch, at, erased, err := c.findBegin(ctx, from, start, now)
	if err != nil {
		return err
	}
	if at != none {
		c.read = at
		err := c.readTo(ctx, max(end, at+1), nil)
		if err != nil {
			return err
		}
		if of, err := c.unpublished(ctx); err != nil || of == "" {
			return err
		}
		c.reset(from, folded) // that one was before what is published was put back once more
	}
	r := &Commit{Kind: Begins, Epoch: epoch + 1, Base: none, Change: Change{Erase: erased}}
	if from.Version == none {
		if err := c.checkEmpty(ctx); err != nil {
			return err
		}
	} else {
		ref, err := c.putFold(ctx, from)
		if err != nil {
			return err
		}
		r.Fold = &ref
	}
	c.o.Logger.Warn("the chain of hits begins a new epoch with what is published", "partition", c.o.Partition, "why", why, "version", from.Version, "epoch", epoch+1)
	mine, err := c.o.Log.Append(ctx, c.record(r))
	if err != nil {
		return err
	}
	if _, at, _, err = c.findBegin(ctx, from, now, mine+1); err != nil {
		return err
	}
	if at == none {
		return fmt.Errorf("%w: an epoch could not be begun at %d", ErrLog, mine)
	}
	c.read = at
	return c.readTo(ctx, mine+1, nil)
}

// findBegin returns the highest epoch of a state and of the records from an offset to another, and the offset of the last that
// begins an epoch with the state, none if there is none. One that is no later than an epoch before it does not count. Erased is
// what any of the records erases and the state does not: who asked for that has not asked for its return, whatever was put back.
func (c *Chain) findBegin(ctx context.Context, from *State, start, end int64) (epoch, at int64, erased []Erasure, err error) {
	epoch, at = from.Epoch, none
	if start >= end {
		return epoch, at, nil, nil
	}
	err = c.o.Log.Read(ctx, start, end, func(offset int64, record []byte) error {
		r, err := Decode(record)
		if err != nil {
			return nil // Apply reports those of a newer release
		}
		if r.Kind == Begins && r.Epoch > epoch && r.begins(from) {
			at = offset
		}
		epoch = max(epoch, r.Epoch)
		for _, e := range r.Change.Erase {
			if e.Validate() == nil && from.Lacks(&e) {
				erased = append(erased, Erasure{Site: e.Site, Visitor: e.Visitor, Before: e.Before})
			}
		}
		return nil
	})
	return epoch, at, erased, err
}

// begins reports whether an epoch begins with a state.
func (c *Commit) begins(s *State) bool {
	if s.Version == none {
		return c.Fold == nil
	}
	return c.Fold != nil && c.Fold.Sum == s.Sum
}
