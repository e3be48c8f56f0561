package query

import (
	"millrace/engine/hits"
	"millrace/engine/window"
)

// eachGoal calls fn with the rows of in, or, where the query is of goals, once for each goal with those that reach it and, unless
// only is set, with those that reach none.
func (c *hitCount) eachGoal(t *tree, v *evaluator, in []uint64, only bool, fn func(in []uint64) error) error {
	if !only && !t.usesGoals() {
		return fn(in)
	}
	reached, err := c.e.goalsOf(v.hit, in)
	if err != nil {
		return err
	}
	for goal, rows := range reached {
		if goal == "" && only {
			continue
		}
		v.goal = goal
		if err := fn(rows); err != nil {
			return err
		}
	}
	return nil
}

// goalsOf returns the rows of in that reach each goal, and under "" those that reach none.
func (e *execution) goalsOf(b hits.Block, in []uint64) (map[string][]uint64, error) {
	var reach func(name, page string, view bool) []string
	if e.x.opts.Reached != nil {
		reach = e.x.opts.Reached(e.q.site)
	}
	if reach == nil {
		return map[string][]uint64{"": in}, nil
	}
	names, err := b.Text(window.Name)
	if err != nil {
		return nil, err
	}
	pages, err := b.Text(window.Page)
	if err != nil {
		return nil, err
	}
	views, err := b.Pageviews()
	if err != nil {
		return nil, err
	}
	type kind struct {
		name, page uint32
		view       bool
	}
	known, all := map[kind][][]uint64{}, map[string][]uint64{}
	rowsOf := func(goal string) []uint64 {
		if all[goal] == nil {
			all[goal] = make([]uint64, len(in))
		}
		return all[goal]
	}
	eachBit(in, func(i int) {
		k := kind{names.Codes[i], pages.Codes[i], views[i/64]>>(i%64)&1 != 0}
		if !k.view {
			k.page = 0 // only a view of a page reaches its goals
		}
		lists, ok := known[k]
		if !ok {
			page := ""
			if k.view {
				page = pages.Values[k.page]
			}
			for _, goal := range reach(names.Values[k.name], page, k.view) {
				lists = append(lists, rowsOf(goal))
			}
			if len(lists) == 0 {
				lists = append(lists, rowsOf(""))
			}
			known[k] = lists
		}
		for _, rows := range lists {
			rows[i/64] |= 1 << (i % 64)
		}
	})
	return all, nil
}
