package query

import (
	"context"
	"slices"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/window"
)

// What a visit's events are like is found out before the rows are counted: in one pass over all hits of the visits that may have
// rows, in the range or not.

// maxMasks bounds the conditions on events with metrics of visits.
const maxMasks = 64

// ofSingleEvents reports whether a condition on the dimension is one of each event, also where visits are counted: page and
// hostname are then those that the visit began with.
func (d *Dimension) ofSingleEvents() bool {
	return d.ofEvent() && d.dim != window.Page && d.dim != window.Hostname
}

// eventLeaves returns the conditions that a visit fulfils by its events.
func (t *tree) eventLeaves() (list []*node) {
	for _, n := range t.leaves {
		if n.condition.dim.ofSingleEvents() {
			list = append(list, n)
		}
	}
	return list
}

// doneSearch is one worker's part of the pass.
type doneSearch struct {
	c      *hitCount
	leaves []*node // of events, if visits are counted
	trees  []*tree // of opDone nodes
	dones  []foundVisits
	did    foundVisits // with masks
}

// findDone sets dones and did, for what is in [from, to).
func (c *hitCount) findDone(ctx context.Context, from, to event.Time, ofVisits bool) error {
	c.dones, c.did = nil, nil
	var leaves []*node
	if ofVisits {
		if leaves = c.tree.eventLeaves(); len(leaves) > maxMasks {
			return invalid("Invalid filters %s: with metrics of visits at most %d conditions on events are taken.", c.e.q.filterText, maxMasks)
		}
	}
	if len(leaves) == 0 && len(c.tree.dones) == 0 {
		return nil
	}
	var trees []*tree
	for _, n := range c.tree.dones {
		trees = append(trees, compileFilter(n.condition.sub[0]))
	}
	list, bound := make([]*doneSearch, len(c.workers)), c.newBound()
	for i := range list {
		list[i] = &doneSearch{c: c, leaves: leaves, trees: trees, did: newFound(bound)}
		for range trees {
			list[i].dones = append(list[i].dones, newFound(bound))
		}
	}
	length := c.e.x.opts.VisitLength
	err := c.e.snapshot.Hits(ctx, c.selection(from-length, to+length), func(w int, b hits.Block) error { return list[w].hits(b) })
	if err != nil {
		return err
	}
	tables := func(of func(s *doneSearch) foundVisits) map[int32]*visitTable {
		var found []foundVisits
		for _, s := range list {
			found = append(found, of(s))
		}
		return visitTables(found)
	}
	for k := range trees {
		c.dones = append(c.dones, tables(func(s *doneSearch) foundVisits { return s.dones[k] }))
	}
	c.did = tables(func(s *doneSearch) foundVisits { return s.did })
	return nil
}

func (s *doneSearch) hits(b hits.Block) error {
	in, err := b.Of(hits.Human)
	if err != nil || isNone(in) {
		return err
	}
	for k, t := range s.trees {
		v := &evaluator{cols: b, hit: b, exits: s.c.exits, words: len(in)}
		err := s.c.eachGoal(t, v, in, false, func(in []uint64) error {
			pass, err := v.node(t.root, in)
			if err != nil || isNone(pass) {
				return err
			}
			ids, err := b.Visits()
			if err != nil {
				return err
			}
			return s.dones[k].gather(b.Partition(), func(l *visitList) {
				eachBit(pass, func(i int) {
					if ids[i] != 0 {
						l.add(ids[i])
					}
				})
			})
		})
		if err != nil {
			return err
		}
	}
	if len(s.leaves) == 0 {
		return nil
	}
	return s.masks(b, in)
}

// masks notes which conditions on events the hits of a block pass: of hits that can bring their visit to pass at all.
func (s *doneSearch) masks(b hits.Block, in []uint64) error {
	v := &evaluator{cols: b, hit: b, words: len(in)}
	v.assume = func(n *node) bool { return n.op == opDone || !n.condition.dim.ofSingleEvents() }
	return s.c.eachGoal(s.c.tree, v, in, false, func(in []uint64) error {
		pass, err := v.node(s.c.tree.root, in)
		if err != nil || isNone(pass) {
			return err
		}
		ids, err := b.Visits()
		if err != nil {
			return err
		}
		var each [][]uint64
		for _, n := range s.leaves {
			list, err := v.condition(n, pass)
			if err != nil {
				return err
			}
			each = append(each, list)
		}
		return s.did.gather(b.Partition(), func(l *visitList) {
			eachBit(pass, func(i int) {
				if ids[i] == 0 {
					return
				}
				var mask uint64
				for k, list := range each {
					mask |= list[i/64] >> (i % 64) & 1 << k
				}
				l.note(ids[i], mask)
			})
		})
	})
}

// passVisits returns which visits of in pass the filter.
func (c *hitCount) passVisits(v *evaluator, in []uint64) ([]uint64, error) {
	leaves := c.tree.eventLeaves()
	if len(leaves) == 0 {
		return v.node(c.tree.root, in)
	}
	r := &rowEvaluator{bit: map[*node]int{}, of: map[*node][]uint64{}}
	for i, n := range leaves {
		r.bit[n] = i
	}
	for _, n := range c.tree.leaves {
		if n.condition.dim.ofSingleEvents() {
			continue
		}
		var err error
		if r.of[n], err = v.condition(n, in); err != nil {
			return nil, err
		}
	}
	for _, n := range c.tree.dones {
		var err error
		if r.of[n], err = v.hasDone(n, in); err != nil {
			return nil, err
		}
	}
	ids, err := v.visits()
	if err != nil {
		return nil, err
	}
	did, out := c.did[v.cols.Partition()], v.none()
	eachBit(in, func(i int) {
		if did.any(ids[i], func(mask uint64) bool { return r.pass(c.tree.root, i, mask) }) {
			out[i/64] |= 1 << (i % 64)
		}
	})
	return out, nil
}

// rowEvaluator evaluates a tree for a visit and one of its events.
type rowEvaluator struct {
	bit map[*node]int      // of conditions on events, in a mask
	of  map[*node][]uint64 // which visits pass, of the others
}

func (r *rowEvaluator) pass(n *node, row int, mask uint64) bool {
	switch n.op {
	case opAnd:
		return !slices.ContainsFunc(n.sub, func(sub *node) bool { return !r.pass(sub, row, mask) })
	case opOr:
		return slices.ContainsFunc(n.sub, func(sub *node) bool { return r.pass(sub, row, mask) })
	}
	if k, ok := r.bit[n]; ok {
		return mask>>k&1 != 0
	}
	return r.of[n][row/64]>>(row%64)&1 != 0
}

// visitLength is how long a visit is at most by default.
const visitLength = 12 * event.Hour
