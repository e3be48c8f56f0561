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
	all := map[string][]uint64{}
	find := func(name, page string, view bool) *reached {
		list := &reached{}
		for _, goal := range reach(name, page, view) {
			list.add(all, goal, len(in))
		}
		if list.rows == nil {
			list.add(all, "", len(in))
		}
		return list
	}
	// Only a view of a page reaches its goals, so all else is found by name; and nearly all views have one name.
	byName, byPage, others := make([]*reached, len(names.Values)), make([]*reached, len(pages.Values)), map[[2]uint32]*reached{}
	viewName := ^uint32(0)
	eachBit(in, func(i int) {
		name, page := names.Codes[i], pages.Codes[i]
		var at **reached
		if views[i/64]>>(i%64)&1 == 0 {
			if at = &byName[name]; *at == nil {
				*at = find(names.Values[name], "", false)
			}
			(*at).set(i)
			return
		}
		if viewName == ^uint32(0) {
			viewName = name
		}
		if name == viewName {
			if at = &byPage[page]; *at == nil {
				*at = find(names.Values[name], pages.Values[page], true)
			}
			(*at).set(i)
			return
		}
		list := others[[2]uint32{name, page}]
		if list == nil {
			list = find(names.Values[name], pages.Values[page], true)
			others[[2]uint32{name, page}] = list
		}
		list.set(i)
	})
	return all, nil
}

// reached are the rows of the goals that events of a kind reach.
type reached struct{ rows [][]uint64 }

func (r *reached) add(all map[string][]uint64, goal string, words int) {
	if all[goal] == nil {
		all[goal] = make([]uint64, words)
	}
	r.rows = append(r.rows, all[goal])
}

func (r *reached) set(i int) {
	for _, rows := range r.rows {
		rows[i/64] |= 1 << (i % 64)
	}
}
