package commits

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"millrace/internal/blob"
)

// foldEvery is after how many commits a fold and a checkpoint of the tables' logs are put. Not more, because a reader that
// begins gets each entry behind it; not less, because they hold all files.
const foldEvery = 32

// publish puts the entries of commits that have counted. They are the same whoever puts them.
func (c *Chain) publish(ctx context.Context) error {
	for len(c.pending) > 0 {
		if err := c.publishStep(ctx, &c.pending[0]); err != nil {
			return err
		}
		c.pending = c.pending[1:]
	}
	if c.state.Version < c.folded+c.o.FoldEvery {
		return nil
	}
	return c.checkpoint(ctx, c.state)
}

// publishStep puts the entries of a step, unless they are there. An entry of hits with other bytes is of another topic of commits:
// what is published counts. One of visits without that of hits was never published, whatever it holds.
func (c *Chain) publishStep(ctx context.Context, st *step) error {
	key, entry := c.at.entryKey(Hits, st.after.Version), st.encodeEntry(Hits)
	there, err := c.o.Store.Get(ctx, key)
	switch {
	case err == nil && bytes.Equal(there, entry):
		return nil
	case err == nil:
		return fmt.Errorf("%w: %q in %s is another commit's", ErrLog, key, c.o.Store)
	case !errors.Is(err, blob.ErrNotFound):
		return err
	}
	// Where the topic was lost since, somebody else may have begun an epoch without this commit.
	if _, err := c.end(ctx); err != nil {
		return err
	}
	if err := c.o.Store.Put(ctx, c.at.entryKey(Visits, st.after.Version), st.encodeEntry(Visits)); err != nil {
		return err
	}
	return c.o.Store.Put(ctx, key, entry)
}

// mend puts the entry of visits of the newest step that is published, unless it is there: that of a commit which was not
// published may have taken its place.
func (c *Chain) mend(ctx context.Context, st *step) error {
	key, entry := c.at.entryKey(Visits, st.after.Version), st.encodeEntry(Visits)
	there, err := c.o.Store.Get(ctx, key)
	if err == nil && bytes.Equal(there, entry) || err != nil && !errors.Is(err, blob.ErrNotFound) {
		return err
	}
	return c.o.Store.Put(ctx, key, entry)
}

// checkpoint puts the fold of a state and the checkpoints of the tables' logs, and lets the topic forget what is before the fold
// that was put before.
func (c *Chain) checkpoint(ctx context.Context, s *State) error {
	fold, err := c.putFold(ctx, s)
	if err != nil {
		return err
	}
	for _, t := range []Table{Visits, Hits} {
		body, rows, err := encodeCheckpoint(t, s)
		if err == nil {
			err = c.o.Store.Put(ctx, c.at.checkpointKey(t, s.Version), body)
		}
		if err == nil {
			err = c.o.Store.Put(ctx, c.at.lastKey(t), encodeLast(t, s, rows, fold.Key))
		}
		if err != nil {
			return err
		}
	}
	c.folded = s.Version
	if c.trimmed > 0 {
		if err := c.o.Log.Trim(ctx, c.trimmed); err != nil && !c.refused {
			c.refused = true
			c.o.Logger.Info("old commits of hits stay in their topic: they may not be deleted, which does no harm", "partition", c.o.Partition, "err", err)
		}
	}
	c.trimmed = s.Offset
	return nil
}

func (c *Chain) putFold(ctx context.Context, s *State) (FoldRef, error) {
	ref := FoldRef{c.at.foldKey(s), s.Sum}
	return ref, c.o.Store.Put(ctx, ref.Key, encodeFold(s))
}
