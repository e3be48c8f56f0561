package sim

import (
	"fmt"
	"sort"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
)

// value is what is counted, kept the naive way.
type value struct {
	family        window.Family
	events, views int64
	visitors      map[event.Visitor]bool

	visits, bounces, seconds, visitViews int64
}

// counts is the result of a recount, by kind, site, start, family and value.
type counts map[string]*value

func (c counts) at(k window.Kind, site string, start event.Time, f window.Family, val string) *value {
	key := fmt.Sprintf("%s %s %d %s %s", k, site, start, f, val)
	v := c[key]
	if v == nil {
		v = &value{family: f, visitors: map[event.Visitor]bool{}}
		c[key] = v
	}
	return v
}

// add counts an event in its minute and in its hour.
func (c counts) add(e *event.Event, minute event.Time, f window.Family, val string) {
	for _, v := range []*value{c.at(window.Minute, e.Site, minute, f, val), c.at(window.Hour, e.Site, minute/3_600_000*3_600_000, f, val)} {
		v.events++
		if e.Name == event.Pageview {
			v.views++
		}
		if e.Visitor != 0 {
			v.visitors[e.Visitor] = true
		}
	}
}

// recount counts the log from first to last with plain maps and lists, knowing nothing of deltas, chunks, journals or
// stores.
func recount(log []record, rules engine.Rules) counts {
	out := counts{}
	clock := newClock(rules.SilentAfter)
	var received event.Time
	seen := map[string]event.Time{}
	visitors := map[string]*visitor{}
	for i := range log {
		r := &log[i]
		for j := range r.events {
			e := &r.events[j]
			received = max(received, e.Received)
			if at, ok := seen[e.Site+" "+e.ID]; ok && received-at < rules.DedupHorizon {
				continue
			}
			if e.ID != "" {
				seen[e.Site+" "+e.ID] = received
			}
			minute := e.Time / 60_000 * 60_000
			closed := clock.watermark > 0 && minute < (clock.watermark-rules.Lateness)/60_000*60_000
			switch {
			case e.Bot != "":
				if !closed {
					out.add(e, minute, window.Bots, e.Bot)
				}
			case closed:
				out.add(e, clock.watermark/60_000*60_000, window.Dropped, "")
			default:
				out.add(e, minute, window.Totals, "")
				out.add(e, minute, window.Pages, e.URL)
				out.add(e, minute, window.EventNames, e.Name)
				if e.Visitor == 0 {
					out.add(e, minute, window.Countries, e.Country)
					continue // no visit
				}
				v := observe(visitors, e, rules.VisitTimeout)
				out.add(e, minute, window.Countries, v.country)
				if v.entry != "" {
					out.add(e, minute, window.EntryPages, v.entry)
				}
				// The deriver knows no sources, and a visit without one came from nowhere known.
				out.add(e, minute, window.Sources, window.None)
				out.add(e, minute, window.Referrers, window.None)
				out.add(e, minute, window.Channels, "Direct")
			}
		}
		clock.observe(r)
	}
	for _, p := range visitors {
		for _, v := range p.visits {
			out.addVisit(v)
		}
	}
	return out
}

// visitor holds the visits of one visitor of one site.
type visitor struct{ visits []*visit }

// visit is a visit as it is defined: a list of events.
type visit struct {
	site           string
	events         []event.Event
	country, entry string // of its first pageview so far, or of its first event
	ended          bool   // takes no more events
}

// observe puts the event into a visit and returns that.
func observe(all map[string]*visitor, e *event.Event, timeout event.Time) *visit {
	get := func(id event.Visitor) *visitor {
		k := e.Site + " " + id.String()
		if all[k] == nil {
			all[k] = &visitor{}
		}
		return all[k]
	}
	own := get(e.Visitor)
	mine := own.take(e.Time, timeout)
	if len(mine) == 0 && e.VisitorPrev != 0 && e.VisitorPrev != e.Visitor {
		before := get(e.VisitorPrev)
		if mine = before.take(e.Time, timeout); len(mine) > 0 && !own.clear(mine, e.Time, timeout) {
			before.visits, mine = append(before.visits, mine...), nil
		}
	}
	v := &visit{site: e.Site}
	for _, m := range mine { // more than one if the event lies between them
		v.events = append(v.events, m.events...)
	}
	v.events = append(v.events, *e)
	own.visits = append(own.visits, v)
	v.describe()
	return v
}

// take removes the visits that an event at a time belongs to.
func (p *visitor) take(at, timeout event.Time) []*visit {
	var taken, rest []*visit
	for _, v := range p.visits {
		if first, last := v.span(); !v.ended && at >= first-timeout && at <= last+timeout {
			taken = append(taken, v)
		} else {
			rest = append(rest, v)
		}
	}
	p.visits = rest
	sort.Slice(taken, func(i, j int) bool { a, _ := taken[i].span(); b, _ := taken[j].span(); return a < b })
	return taken
}

// clear makes room for visits that come over from the hash of the day before: a visit of the visitor that is not over when
// they begin ends, and one that begins before they are over is in their way.
func (p *visitor) clear(others []*visit, at, timeout event.Time) bool {
	lo, hi := at, at
	for _, o := range others {
		first, last := o.span()
		lo, hi = min(lo, first), max(hi, last)
	}
	for _, v := range p.visits {
		if first, _ := v.span(); !v.ended && first > at && first-timeout <= hi {
			return false
		}
	}
	for _, v := range p.visits {
		if _, last := v.span(); last < at && lo <= last+timeout {
			v.ended = true
		}
	}
	return true
}

func (v *visit) span() (first, last event.Time) {
	first, last = v.events[0].Time, v.events[0].Time
	for _, e := range v.events {
		first, last = min(first, e.Time), max(last, e.Time)
	}
	return first, last
}

func (v *visit) describe() {
	var best *event.Event
	for i := range v.events {
		e := &v.events[i]
		switch isView := e.Name == event.Pageview; {
		case best == nil, isView && best.Name != event.Pageview:
			best = e
		case isView == (best.Name == event.Pageview) && e.Time < best.Time:
			best = e
		}
	}
	v.country, v.entry = best.Country, ""
	if best.Name == event.Pageview {
		v.entry = best.URL
	}
}

// addVisit counts a visit in the quarter of an hour in which it began.
func (c counts) addVisit(v *visit) {
	first, last := v.span()
	var views, actions int64
	exit, exitAt := "", event.Time(-1)
	for _, e := range v.events {
		if e.Name != event.Pageview {
			actions++
			continue
		}
		views++
		if e.Time >= exitAt {
			exit, exitAt = e.URL, e.Time
		}
	}
	seconds, bounces := int64(last-first)/1000, int64(0)
	if views == 1 && actions == 0 {
		seconds, bounces = 0, 1
	}
	start := first / 900_000 * 900_000
	for _, p := range []struct {
		f   window.Family
		val string
	}{{window.Totals, ""}, {window.Countries, v.country}, {window.EntryPages, v.entry}, {window.ExitPages, exit}, {window.Sources, window.None}, {window.Referrers, window.None}, {window.Channels, "Direct"}} {
		if p.val == "" && p.f != window.Totals {
			continue
		}
		x := c.at(window.Visits, v.site, start, p.f, p.val)
		x.visits++
		x.bounces += bounces
		x.seconds += seconds
		x.visitViews += views
	}
}

// compare returns a line for each value that is wrong, missing or too much: of all families, or of the totals only.
func compare(want counts, got map[string]*stored, all bool) []string {
	var wrong []string
	seen := map[string]bool{}
	for key, w := range got {
		if !w.Final {
			wrong = append(wrong, fmt.Sprintf("%s: the last firing was an early one", key))
		}
		for i := range w.Points {
			p := &w.Points[i]
			if !all && p.Family != window.Totals {
				continue
			}
			k := fmt.Sprintf("%s %s %d %s %s", w.Kind, w.Site, w.Start, p.Family, p.Dims[0])
			seen[k] = true
			v := want[k]
			switch {
			case v == nil && w.Kind == window.Visits && p.Visits == 0 && p.Bounces == 0 && p.Seconds == 0 && p.Views == 0:
				// what a visit has moved away from
			case v == nil:
				wrong = append(wrong, k+": not in the recount")
			case w.Kind == window.Visits:
				if p.Visits != v.visits || p.Bounces != v.bounces || p.Seconds != v.seconds || p.Views != v.visitViews {
					wrong = append(wrong, fmt.Sprintf("%s: %d visits, %d bounces, %d s, %d views; the recount has %d, %d, %d, %d",
						k, p.Visits, p.Bounces, p.Seconds, p.Views, v.visits, v.bounces, v.seconds, v.visitViews))
				}
			case p.Events != v.events || p.Pageviews != v.views || string(p.Sketch) != v.sketch():
				wrong = append(wrong, fmt.Sprintf("%s: %d events, %d pageviews, %d visitors; the recount has %d, %d, %d",
					k, p.Events, p.Pageviews, p.Visitors, v.events, v.views, len(v.visitors)))
			}
		}
	}
	for k, v := range want {
		if (all || v.family == window.Totals) && !seen[k] {
			wrong = append(wrong, k+": missing")
		}
	}
	sort.Strings(wrong)
	return wrong
}

func (v *value) sketch() string {
	var s sketch.Sketch
	for id := range v.visitors {
		s.Add(uint64(id))
	}
	return string(s.AppendBinary(nil))
}
