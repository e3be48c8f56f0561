package bench

import (
	"fmt"

	"millrace/engine/event"
	"millrace/engine/window"
)

// recount counts a workload with plain maps: events and pageviews per site and minute, and per page, country and event
// name; and the visitors of the totals, exactly.
type recount struct {
	rows map[rowKey]*row
}

type minuteKey struct {
	site  string
	start event.Time
}

type rowKey struct {
	minuteKey
	family window.Family
	value  string
}

type row struct {
	events, views int64
	visitors      map[event.Visitor]struct{} // totals only
}

func newRecount() *recount { return &recount{rows: map[rowKey]*row{}} }

func (c *recount) add(e *event.Event, path string) {
	k := minuteKey{e.Site, e.Time / 60_000 * 60_000}
	c.row(rowKey{k, window.Totals, ""}, e).visitors[e.Visitor] = struct{}{}
	c.row(rowKey{k, window.Pages, path}, e)
	c.row(rowKey{k, window.Countries, e.Country}, e)
	c.row(rowKey{k, window.EventNames, e.Name}, e)
}

func (c *recount) row(k rowKey, e *event.Event) *row {
	r := c.rows[k]
	if r == nil {
		r = &row{visitors: map[event.Visitor]struct{}{}}
		c.rows[k] = r
	}
	r.events++
	if e.Name == "pageview" {
		r.views++
	}
	return r
}

// check compares the last firing of every window with the recount.
func (c *recount) check(windows map[minuteKey]*window.Window) error {
	seen := 0
	for k, w := range windows {
		if !w.Final {
			return fmt.Errorf("window %s %s: the last firing was an early one", k.site, k.start)
		}
		for i := range w.Points {
			p := &w.Points[i]
			switch p.Family {
			case window.Totals, window.Pages, window.Countries, window.EventNames:
			default:
				continue
			}
			r := c.rows[rowKey{k, p.Family, p.Dims[0]}]
			if r == nil {
				return fmt.Errorf("window %s %s: %s %q is not in the recount", k.site, k.start, p.Family, p.Dims[0])
			}
			seen++
			if p.Events != r.events || p.Pageviews != r.views {
				return fmt.Errorf("window %s %s: %s %q has %d events and %d pageviews, the recount %d and %d",
					k.site, k.start, p.Family, p.Dims[0], p.Events, p.Pageviews, r.events, r.views)
			}
			if n := len(r.visitors); p.Family == window.Totals && !near(int(p.Visitors), n) {
				return fmt.Errorf("window %s %s: %d visitors, the recount has %d", k.site, k.start, p.Visitors, n)
			}
		}
	}
	if seen != len(c.rows) {
		return fmt.Errorf("%d values were counted, the recount has %d", seen, len(c.rows))
	}
	return nil
}

// near allows four standard errors of a sketch above the size up to which it is exact.
func near(got, want int) bool {
	if want <= 1000 {
		return got == want
	}
	diff := float64(got - want)
	return max(diff, -diff) <= 4*0.0082*float64(want)
}
