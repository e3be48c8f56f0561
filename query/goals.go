package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/spelling"
)

// checkGoalFilters refuses a filter of event:goal by what is no goal of the site: zeros would look
// like an answer. A goal that was reached in the range passes: it was configured then, or is
// configured where events are counted and not here.
func (x *Executor) checkGoalFilters(ctx context.Context, site string, f *Filter, from, to event.Time) error {
	if x.opts.Goals == nil {
		return nil
	}
	names := x.opts.Goals(site)
	of := make([]string, len(names))
	for i, name := range names {
		of[i] = spelling.Value(name)
	}
	if f.unknownGoal(of) == nil {
		return nil
	}
	reached, err := x.reachedGoals(ctx, site, from, to)
	if err != nil {
		return err
	}
	unknown := f.unknownGoal(append(of, reached...))
	if unknown == nil {
		return nil
	}
	return invalid("Invalid filters: %s is not configured for this site, and was not reached in the range; %s.", unknown, listGoals(names))
}

// unknownGoal describes the first clause that finds none of the goals; nil if there is none.
func (f *Filter) unknownGoal(names []string) error {
	for _, sub := range f.sub {
		if err := sub.unknownGoal(names); err != nil {
			return err
		}
	}
	if f.dim == nil || !f.dim.isGoal() {
		return nil
	}
	for i, c := range f.clauses {
		one := &Filter{op: f.op, dim: f.dim, clauses: f.clauses[i : i+1], fold: f.fold}
		if f.op == Matches {
			one.patterns = f.patterns[i : i+1]
		}
		if slices.ContainsFunc(names, one.matchValue) {
			continue
		}
		switch f.op {
		case Contains:
			return fmt.Errorf("a goal whose name contains %q", c)
		case Matches:
			return fmt.Errorf("a goal whose name matches %q", c)
		}
		return fmt.Errorf("the goal %q", c)
	}
	return nil
}

// listGoals says which goals a site has: mostListed of them at most.
func listGoals(names []string) string {
	const mostListed = 50
	if len(names) == 0 {
		return "it has no goals"
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	more := ""
	if n := len(names) - mostListed; n > 0 {
		names, more = names[:mostListed], fmt.Sprintf(" and %d more", n)
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return "its goals are " + strings.Join(quoted, ", ") + more
}

// recent is for how long before the end of a range goals are read by the minute: hours are written
// when they are over, and counted.
const recent = 48 * event.Hour

// reachedGoals returns the names of the goals that were reached in [from, to).
func (x *Executor) reachedGoals(ctx context.Context, site string, from, to event.Time) ([]string, error) {
	found := map[string]bool{}
	var names []string
	sel := window.Selection{Site: site, Family: window.Goals, From: from, To: to}
	for _, kind := range []window.Kind{window.Hour, window.Minute} {
		if sel.Kind = kind; kind == window.Minute {
			sel.From = max(from, to-recent)
		}
		err := x.opts.Reader.Scan(ctx, sel, func(_ event.Time, _ bool, p *window.Point) error {
			if name := strings.Clone(p.Dims[0]); !found[name] { // the reader's until fn returns
				found[name] = true
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}
