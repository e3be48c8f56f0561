package lake

import (
	"context"
	"slices"
	"sync"

	"millrace/emit/lake/commits"
)

// Merge is a finished merge of a partition's files, whoever has made it and on whichever state.
type Merge struct {
	// Inputs are keys of files that it takes the place of, all of one table.
	Inputs []string
	// Outputs have all rows of them, with joins resolved.
	Outputs []Merged
	// Joins names the joins that were resolved: with others, the same inputs give another file, which has to have another name.
	Joins string
	// Erased names the erasures whose rows were left out (commits.State.ErasedSum): likewise.
	Erased string
	// Expired names the sites whose rows were left out because they are past their retention, "" for none: likewise.
	Expired string
	// Clean are files that were looked through and have no row that is erased in version CleanOf of the state. A Merge may consist of them.
	Clean   []string
	CleanOf int64
}

// Merged is a file of a Merge.
type Merged struct {
	// File has all but Key and Size.
	File commits.File
	// Body is the file, sealed. It must not be changed any more.
	Body []byte
}

// offered are merges of a partition that wait for its next commit, and the state that merges are planned by.
type offered struct {
	mu    sync.Mutex // guards what follows
	list  []Merge
	state *commits.State  // of the last commit
	owner context.Context // the session that has it
}

// offers is a view of offered for the partition's goroutine.
type offers struct{ *offered }

// offersOf returns what is offered of a partition.
func (a *Archiver) offersOf(partition int32) offers {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.offered[partition]
	if o == nil {
		o = &offered{}
		a.offered[partition] = o
	}
	return offers{o}
}

// HitsState returns what is committed of a partition, for planning merges; nil if the partition was not this process's, or is not
// any more. It is never changed.
func (a *Archiver) HitsState(partition int32) *commits.State {
	o := a.offersOf(partition)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner == nil || o.owner.Err() != nil {
		return nil
	}
	return o.state
}

// Offer has a finished merge committed with the partition's next segment, if what it merges is still there by then; else it is
// dropped. HitsState shows whether it was. Offers of one partition are taken in their order.
func (a *Archiver) Offer(partition int32, m Merge) {
	o := a.offersOf(partition)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, m)
}

// share shows the state to who plans merges.
func (h *partitionHits) share(session context.Context) {
	h.merges.mu.Lock()
	defer h.merges.mu.Unlock()
	h.merges.state, h.merges.owner = h.state, session
}

// took forgets the first n merges.
func (o offers) took(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = slices.Delete(o.list, 0, min(n, len(o.list)))
}

// putMerges puts the files of the merges that are offered and still hold, and adds them to a change. It returns how many were
// looked at, and how many of them hold: all are done with if the change counts, and offered again if it does not.
func (h *partitionHits) putMerges(ctx context.Context, change *commits.Change) (looked int, holding int64, err error) {
	h.merges.mu.Lock()
	list := slices.Clone(h.merges.list)
	h.merges.mu.Unlock()
	gone := map[string]bool{}
	for _, m := range list {
		if !h.anew && len(m.Clean) > 0 && (len(change.Clean) == 0 || m.CleanOf == change.CleanOf) {
			change.Clean, change.CleanOf = append(change.Clean, m.Clean...), m.CleanOf
		}
		holds := !h.anew && len(m.Inputs) > 0 && !slices.ContainsFunc(m.Inputs, func(key string) bool {
			return gone[key] || h.state.File(key) == nil
		})
		if !holds {
			continue
		}
		if err := h.putMerge(ctx, m, change); err != nil {
			return 0, 0, err
		}
		for _, key := range m.Inputs {
			gone[key] = true
		}
		holding++
	}
	return len(list), holding, nil
}

// putMerge puts the files of one merge. Their names hold a hash of what was merged, and the base of the commit.
func (h *partitionHits) putMerge(ctx context.Context, m Merge, change *commits.Change) error {
	inputs := append([]string{h.o.Rules, m.Joins}, m.Inputs...)
	slices.Sort(inputs[2:])
	if m.Erased != "" {
		inputs = append(inputs, m.Erased)
	}
	if m.Expired != "" {
		inputs = append(inputs, "expired "+m.Expired)
	}
	for n, out := range m.Outputs {
		f := out.File
		f.Size = int64(len(out.Body))
		f.Key = commits.FileName(h.p.a.o.Topic, h.p.id, h.state.Base(), f.Table, f.Day, f.Level, f.First, f.Next, n, inputs...)
		if err := h.put(ctx, f.Key, out.Body); err != nil {
			return err
		}
		change.Add = append(change.Add, f)
	}
	change.Remove = append(change.Remove, m.Inputs...)
	return nil
}
