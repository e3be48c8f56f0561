package query

import (
	"context"
	"slices"
	"sync"

	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// exits are the exit pages of visits: hits do not have them, since they were there before the visit had ended.
type exits struct {
	pages codes
	// of are the codes of the pages, plus 1, by partition; 0 is a visit without a page.
	of map[int32]map[visit.ID]uint32
}

// usesExits reports whether hits are filtered or grouped by exit page.
func (c *hitCount) usesExits(ofEvents bool) bool {
	isExit := func(d *Dimension) bool { return !d.IsTime() && d.dim == window.ExitPage }
	for _, n := range c.tree.dones {
		if slices.ContainsFunc(filterDims(n.condition.sub[0]), isExit) {
			return true
		}
	}
	ofLeaf := func(n *node) bool { return isExit(n.condition.dim) }
	return ofEvents && (slices.ContainsFunc(c.dims, isExit) || slices.ContainsFunc(c.tree.leaves, ofLeaf))
}

// findExits sets exits, where they are used: those of the visits that hits around the range may be of.
func (c *hitCount) findExits(ctx context.Context, ofEvents bool) error {
	if !c.usesExits(ofEvents) {
		return nil
	}
	all := &exits{pages: *newCodes(), of: map[int32]map[visit.ID]uint32{}}
	var mu sync.Mutex
	around := 2 * c.e.x.opts.VisitLength
	err := c.e.snapshot.Visits(ctx, c.selection(c.from-around, c.to+around), func(_ int, b hits.VisitBlock) error {
		in, err := b.Selected()
		if err != nil {
			return err
		}
		ids, err := b.IDs()
		if err != nil {
			return err
		}
		t, err := b.Text(window.ExitPage)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		of := all.of[b.Partition()]
		if of == nil {
			of = map[visit.ID]uint32{}
			all.of[b.Partition()] = of
		}
		eachBit(in, func(i int) {
			if page := t.Values[t.Codes[i]]; page != "" {
				of[ids[i]] = all.pages.of(page) + 1
			}
		})
		return nil
	})
	c.exits = all
	return err
}

// exitPages returns the exit pages of the visits that hits are of.
func (v *evaluator) exitPages() (*hits.Text, error) {
	ids, err := v.hit.Visits()
	if err != nil {
		return nil, err
	}
	t := &hits.Text{Values: append([]string{""}, v.exits.pages.values...), Codes: make([]uint32, len(ids))}
	of := v.exits.of[v.hit.Partition()]
	var last visit.ID
	var code uint32
	for i, id := range ids {
		if id != last {
			last, code = id, of[id]
		}
		t.Codes[i] = code
	}
	return t, nil
}
