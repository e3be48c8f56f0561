package bench

import (
	"fmt"
	"maps"
	"slices"

	"millrace/bench/tally"
	"millrace/engine/event"
	"millrace/engine/window"
)

// recount counts a workload by minute: nothing in it is late, a copy or a bot's, so each event
// counts in the minute of its time. Sites are few and minutes short, so that all of it is in
// memory.
type recount map[tally.Window]*tally.Cells

// recounted are the families that a recount keeps. Visitors are those of the totals.
var recounted = []window.Family{window.Totals, window.Pages, window.Countries, window.EventNames}

// add counts an event. Path is that of its page.
func (c recount) add(e *event.Event, path string) {
	k := tally.Window{Kind: window.Minute, Site: e.Site, Start: e.Time / event.Minute * event.Minute}
	cells := c[k]
	if cells == nil {
		cells = tally.NewCells(0)
		c[k] = cells
	}
	for i, value := range [...]string{"", path, e.Country, e.Name} {
		cell := cells.At(tally.Key{Family: recounted[i], A: value})
		cell.Events++
		if e.Name == event.Pageview {
			cell.Pageviews++
		}
	}
	cells.At(tally.Key{Family: window.Totals}).See(e.Visitor)
}

// check compares the last firing of every window of a minute with the recount.
func (c recount) check(windows tally.Written) error {
	v := tally.Compare(maps.All(c), windows, tally.Options{Families: recounted, Visitors: recounted[:1], Errors: 4})
	if len(v.Wrong) > 0 {
		return fmt.Errorf("%d of %d values are wrong, the first: %s", len(v.Wrong), v.Values, v.Wrong[0])
	}
	return nil
}

// onlyRecounted leaves of a window the points that a recount keeps.
func onlyRecounted(w *window.Window) {
	w.Points = slices.DeleteFunc(w.Points, func(p window.Point) bool { return !slices.Contains(recounted, p.Family) })
}
