package sim

import (
	"fmt"
	"sort"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// value is what is counted, kept the naive way.
type value struct {
	events, views int64
	visitors      map[event.Visitor]bool
}

// recount counts the log from first to last with plain maps, knowing nothing of deltas, chunks or stores. Its keys are
// site, minute, family and value.
func recount(log []record, lateness event.Time) map[string]*value {
	out := map[string]*value{}
	add := func(e *event.Event, minute event.Time, fam window.Family, val string) {
		k := fmt.Sprintf("%s %d %s %s", e.Site, minute, fam, val)
		v := out[k]
		if v == nil {
			v = &value{visitors: map[event.Visitor]bool{}}
			out[k] = v
		}
		v.events++
		if e.Name == event.Pageview {
			v.views++
		}
		v.visitors[e.Visitor] = true
	}
	lows := map[int]event.Time{}
	var watermark event.Time
	for i := range log {
		r := &log[i]
		for j := range r.events {
			e := &r.events[j]
			minute := e.Time / 60_000 * 60_000
			switch {
			case watermark > 0 && minute < (watermark-lateness)/60_000*60_000:
				add(e, watermark/60_000*60_000, window.Dropped, "")
			case e.Bot != "":
				add(e, minute, window.Bots, e.Bot)
			default:
				add(e, minute, window.Totals, "")
				add(e, minute, window.Pages, e.URL)
				add(e, minute, window.Countries, e.Country)
				add(e, minute, window.EventNames, e.Name)
			}
		}
		if r.low == 0 {
			continue // damaged: nobody could read its low
		}
		lows[r.collector] = max(lows[r.collector], r.low)
		least := r.low
		for _, l := range lows {
			least = min(least, l)
		}
		watermark = max(watermark, least)
	}
	return out
}

// compare returns a line for each value that is wrong, missing or too much.
func compare(want map[string]*value, got map[string]*window.Window) []string {
	var wrong []string
	seen := map[string]bool{}
	for key, w := range got {
		if !w.Final {
			wrong = append(wrong, fmt.Sprintf("%s: the last firing was an early one", key))
		}
		for i := range w.Points {
			p := &w.Points[i]
			k := fmt.Sprintf("%s %d %s %s", w.Site, w.Start, p.Family, p.Dims[0])
			seen[k] = true
			v := want[k]
			if v == nil {
				wrong = append(wrong, k+": not in the recount")
				continue
			}
			var sk sketch.Sketch
			for id := range v.visitors {
				sk.Add(uint64(id))
			}
			if p.Events != v.events || p.Pageviews != v.views || string(p.Sketch) != string(sk.AppendBinary(nil)) {
				wrong = append(wrong, fmt.Sprintf("%s: %d events, %d pageviews, %d visitors; the recount has %d, %d, %d",
					k, p.Events, p.Pageviews, p.Visitors, v.events, v.views, len(v.visitors)))
			}
		}
	}
	for k := range want {
		if !seen[k] {
			wrong = append(wrong, k+": missing")
		}
	}
	sort.Strings(wrong)
	return wrong
}
