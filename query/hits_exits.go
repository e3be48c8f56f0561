package query

import (
	"context"
	"slices"
	"sync"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// exits are the exit pages of visits: hits do not have them, since they were there before the visit had ended.
type exits struct {
	pages codes
	// of are the codes of the pages, plus 1, by partition; a visit without a page is not there.
	of map[int32]*visitTable
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

// findExits sets exits, where they are used: those of the visits that hits in [from, to) may be of.
func (c *hitCount) findExits(ctx context.Context, from, to event.Time, ofEvents bool) error {
	c.exits = nil
	if !c.usesExits(ofEvents) {
		return nil
	}
	all, found := &exits{pages: *newCodes()}, newFound(c.newBound())
	var mu sync.Mutex
	around := 2 * c.e.x.opts.VisitLength
	err := c.e.snapshot.Visits(ctx, c.selection(from-around, to+around), func(_ int, b hits.VisitBlock) error {
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
		number := make([]uint64, len(t.Values))
		return found.gather(b.Partition(), func(l *visitList) {
			eachBit(in, func(i int) {
				code := t.Codes[i]
				if page := t.Values[code]; page != "" {
					if number[code] == 0 {
						number[code] = uint64(all.pages.of(page)) + 1
					}
					l.note(ids[i], number[code])
				}
			})
		})
	})
	all.of = visitTables([]foundVisits{found})
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
			page, _ := of.value(id)
			last, code = id, uint32(page)
		}
		t.Codes[i] = code
	}
	return t, nil
}
