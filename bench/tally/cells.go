package tally

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Window names a window of a site.
type Window struct {
	// Kind is its length. A minute, an hour and a quarter of visits may begin together.
	Kind window.Kind
	// Site is as events have it. Shards are not told apart: a harness has none.
	Site string
	// Start is a multiple of the kind's length.
	Start event.Time
}

// String is how a line about the window begins.
func (w Window) String() string { return fmt.Sprintf("%s %s %s", w.Kind, w.Site, w.Start) }

// Key names a value of a window: the values of its family's dimensions, "" for one that it has not.
type Key struct {
	Family window.Family
	A, B   string
}

// String names the value as its reader would: the family, and its dimensions in quotes.
func (k Key) String() string {
	switch {
	case k.A == "":
		return k.Family.String()
	case k.B == "":
		return fmt.Sprintf("%s %q", k.Family, k.A)
	}
	return fmt.Sprintf("%s %q %q", k.Family, k.A, k.B)
}

// other returns the key under which a family counts what is past its budget.
func other(f window.Family) Key {
	k := Key{Family: f, A: window.Other}
	if len(f.Dims()) == 2 {
		k.B = window.Other
	}
	return k
}

// Cell is what is counted for a value; of a window of visits the second half, else the first.
type Cell struct {
	Events, Pageviews int64
	Revenue           event.Money
	Paid              int64
	// Visitors is the set of those who sent the events, nil for none.
	Visitors map[event.Visitor]struct{}

	Visits, Bounces, Seconds, Views int64
}

// See adds a visitor to the set.
func (c *Cell) See(v event.Visitor) {
	if c.Visitors == nil {
		c.Visitors = map[event.Visitor]struct{}{}
	}
	c.Visitors[v] = struct{}{}
}

// add adds what another cell counts.
func (c *Cell) add(o *Cell) {
	c.Events += o.Events
	c.Pageviews += o.Pageviews
	c.Revenue += o.Revenue
	c.Paid += o.Paid
	c.Visits += o.Visits
	c.Bounces += o.Bounces
	c.Seconds += o.Seconds
	c.Views += o.Views
	for v := range o.Visitors {
		c.See(v)
	}
}

// String leaves the visitors out.
func (c *Cell) String() string {
	if c.Events == 0 {
		return fmt.Sprintf("%d visits, %d bounces, %d s, %d views", c.Visits, c.Bounces, c.Seconds, c.Views)
	}
	return fmt.Sprintf("%d events, %d pageviews, revenue %s of %d", c.Events, c.Pageviews, c.Revenue, c.Paid)
}

// Cells are the values of one window.
type Cells struct {
	limit   int
	order   []Key // of first appearance
	size    [window.NumFamilies]int
	of      map[Key]*Cell
	unknown [window.NumFamilies]bool
}

// NewCells returns the values of a window without any. Limit is the budget of a family: the values
// that come first have a cell each, the others share that of window.Other. 0 and less is no limit.
func NewCells(limit int) *Cells { return &Cells{limit: limit, of: map[Key]*Cell{}} }

// At returns the cell in which a value is counted.
func (c *Cells) At(k Key) *Cell {
	if v := c.of[k]; v != nil {
		return v
	}
	if k.A != window.Other && c.limit > 0 && c.size[k.Family] >= c.limit {
		return c.At(other(k.Family))
	}
	if k.A != window.Other {
		c.size[k.Family]++
	}
	v := &Cell{}
	c.of[k] = v
	c.order = append(c.order, k)
	return v
}

// All returns the values in the order in which they came.
func (c *Cells) All() iter.Seq2[Key, *Cell] {
	return func(yield func(Key, *Cell) bool) {
		for _, k := range c.order {
			if !yield(k, c.of[k]) {
				return
			}
		}
	}
}

// Sum returns what a family counts in all.
func (c *Cells) Sum(f window.Family) *Cell {
	sum := &Cell{}
	for k, v := range c.All() {
		if k.Family == f {
			sum.add(v)
		}
	}
	return sum
}

// Unknown says that the recount does not know which values of these families were kept: they are
// not compared.
func (c *Cells) Unknown(families ...window.Family) {
	for _, f := range families {
		c.unknown[f] = true
	}
}

// Merge adds the values of another window, in their order.
func (c *Cells) Merge(o *Cells) {
	for k, v := range o.All() {
		c.At(k).add(v)
	}
	for f, unknown := range o.unknown {
		c.unknown[f] = c.unknown[f] || unknown
	}
}

// Choose keeps, of each family that has more than most values, the left ones with most events, of
// equals the first by their text. The others go to window.Other.
func (c *Cells) Choose(most, left int) {
	if most <= 0 {
		return
	}
	byFamily := map[window.Family][]Key{}
	for _, k := range c.order {
		if k.A != window.Other && c.size[k.Family] > most {
			byFamily[k.Family] = append(byFamily[k.Family], k)
		}
	}
	for f, keys := range byFamily {
		slices.SortFunc(keys, func(x, y Key) int {
			return cmp.Or(cmp.Compare(c.of[y].Events, c.of[x].Events), strings.Compare(x.A, y.A), strings.Compare(x.B, y.B))
		})
		for _, k := range keys[left:] {
			c.At(other(f)).add(c.of[k])
			delete(c.of, k)
		}
		c.size[f] = left
	}
	c.order = slices.DeleteFunc(c.order, func(k Key) bool { return c.of[k] == nil })
}
