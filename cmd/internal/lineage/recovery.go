package lineage

import (
	"context"
	"fmt"
	"maps"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine"
	"millrace/engine/delta"
)

// tailRecords is how many of the last records of the changelog are read per partition. One would
// do, but the last may be the late word of an owner that had lost the partition, and have less
// than those before it.
const tailRecords = 64

// checkRecovery reports at the start what the engine would find at the end of its recovery: that
// the changelog does not lead to where the group has got to, that it leads further than the log,
// or that its end can't be read. Marks are those of the state.
func (g *Guard) checkRecovery(ctx context.Context, v *view, marks []Mark) error {
	table, events := g.table(), g.events()
	reached, position := map[int32]int64{}, map[int32]int64{} // by the state: next input offset, next place in the changelog
	for _, m := range marks {
		if m.Topic == events {
			reached[m.Partition] = m.Next
		} else {
			position[m.Partition] = m.Next
		}
	}
	from := map[int32]int64{}
	committed := v.groups[g.engine()]
	for p := range g.opts.Partitions {
		if _, has := position[p]; !has || reached[p] < committed[p] {
			from[p] = max(position[p], v.topics[table].starts[p], v.topics[table].ends[p]-tailRecords)
		}
	}
	leads := maps.Clone(reached) // where recovery ends
	var bad error
	err := g.readTail(ctx, table, from, v.topics[table].ends, func(r *kgo.Record) {
		h, err := delta.DecodeHead(r.Value)
		if err != nil && bad == nil {
			bad = fmt.Errorf("%w: %s/%d/%d: %w; %s", errChangelog, table, r.Partition, r.Offset, err, g.badChangelogWaysOut())
		}
		if err == nil {
			leads[r.Partition] = max(leads[r.Partition], h.Offset+1)
		}
	})
	if err != nil {
		g.opts.Log.Warn("the end of the changelog can't be compared with the log", "err", err)
		return nil // the engine will find it
	}
	if bad != nil {
		return bad
	}
	for p := range from {
		if end := v.topics[events].ends[p]; leads[p] > end {
			return fmt.Errorf("%w: topic %s, partition %d ends at offset %d, but the changelog has got to offset %d; %s",
				errLog, events, p, end, leads[p], g.waysOut())
		}
		if leads[p] < committed[p] {
			return g.explain(fmt.Errorf("partition %d: the state comes back up to offset %d, committed is %d: %w", p, leads[p], committed[p], engine.ErrBehind))
		}
	}
	return nil
}
