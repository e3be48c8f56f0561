package lake

import (
	"context"
	"errors"
	"fmt"

	"millrace/emit/lake/commits"
)

// commit puts the files of the segment and its checkpoint, and commits them, and what has been merged meanwhile. errPassed:
// somebody else has committed first, or it is not known whether this has; then the chain says what there is.
func (h *partitionHits) commit(ctx context.Context) error {
	change := h.state.Change()
	change.Anew, change.Next, change.Rules = h.anew, h.next, h.o.Rules
	change.Watermark = max(h.ledger.Watermark(), 0)
	change.Began = h.began
	change.Erase = h.erasures.erase
	if !h.anew {
		change.Deleted = h.sweep(ctx)
	}
	stats := HitStats{}
	if err := h.putRows(ctx, &change, &stats); err != nil {
		return err
	}
	if err := h.putCheckpoint(ctx, &change); err != nil {
		return err
	}
	looked, merged, err := h.putMerges(ctx, &change)
	if err != nil {
		return err
	}
	counted, err := h.produce(ctx, change)
	if err != nil {
		return err
	}
	a := &h.p.a.stats
	if !counted {
		a.passed.Add(1)
		return errPassed
	}
	h.merges.took(looked)
	a.merges.Add(merged)
	a.mergesOff.Add(int64(looked) - merged)
	a.commits.Add(1)
	a.hits.Add(stats.Hits)
	a.visits.Add(stats.Visits)
	h.state = h.chain.State()
	h.first, h.anew = h.next, false
	h.rows.reset()
	h.share(ctx)
	return h.eraseFrom(ctx)
}

// produce commits a change, and reports whether it is known to count.
func (h *partitionHits) produce(ctx context.Context, change commits.Change) (counted bool, err error) {
	err = h.p.a.retry(ctx, "commit hits", func() (err error) {
		if h.chain.State().Base() != h.state.Base() {
			// A Refresh that failed has come so far: the change is of what was before.
			counted = false
			return h.chain.Refresh(ctx)
		}
		counted, err = h.chain.Commit(ctx, change)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, commits.ErrChange):
			return final(err)
		}
		// As long as nothing has come after its base, it may be committed once more: one of the two counts.
		if h.chain.Refresh(ctx) == nil && h.chain.State().Base() != h.state.Base() {
			counted = false
			return nil
		}
		return err
	})
	return counted, err
}

// put puts an object of hits.
func (h *partitionHits) put(ctx context.Context, key string, body []byte) error {
	err := h.p.a.retry(ctx, key, func() error { return h.p.a.o.Store.Put(ctx, key, body) })
	if err == nil {
		h.p.a.stats.hitObjects.Add(1)
		h.p.a.stats.hitBytes.Add(int64(len(body)))
	}
	return err
}

// inputs are what the segment's files and the checkpoint are a function of, beside their offsets and the base of the commit. Who begins
// anew makes others on the same base than who goes on from checkpoints, such as an owner that was replaced and does not know it yet.
func (h *partitionHits) inputs() []string {
	list := []string{h.o.Rules}
	if h.anew {
		list = append(list, fmt.Sprintf("anew from %d", h.first))
	}
	if sum := h.erasures.sum(h.state); sum != "" {
		list = append(list, sum)
	}
	return list
}

func (h *partitionHits) putRows(ctx context.Context, change *commits.Change, stats *HitStats) error {
	topic, id := h.p.a.o.Topic, h.p.id
	inputs := h.inputs()
	err := h.rows.files(func(f commits.File, body []byte) error {
		f.Level, f.First, f.Next = commits.Segment, h.first, h.next
		f.Key = commits.FileName(topic, id, h.state.Base(), f.Table, f.Day, f.Level, f.First, f.Next, 0, inputs...)
		if f.Table == commits.Hits {
			stats.Hits += f.Rows
		} else {
			stats.Visits += f.Rows
		}
		change.Add = append(change.Add, f)
		return h.put(ctx, f.Key, body)
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("hits of partition %d: %w", id, err)
	}
	return err
}

// putCheckpoint ends the ledger's checkpoint, unless it has read nothing since the last.
func (h *partitionHits) putCheckpoint(ctx context.Context, change *commits.Change) error {
	list := h.state.Checkpoints()
	if h.ledger.Last() < 0 || !h.anew && len(list) > 0 && h.ledger.Last() <= list[len(list)-1].Last {
		return nil
	}
	checkpoint := h.ledger.Checkpoint(nil)
	c, err := h.o.Head(checkpoint)
	if err != nil {
		return fmt.Errorf("checkpoint of partition %d: %w", h.p.id, err)
	}
	object := wrapCheckpoint(h.sum, checkpoint)
	c.Key = commits.CheckpointName(h.p.a.o.Topic, h.p.id, h.state.Base(), c.Last, h.inputs()...)
	c.Size = int64(len(object))
	change.Checkpoint = &c
	return h.put(ctx, c.Key, object)
}
