package chaos

import (
	"iter"
	"slices"

	"millrace/engine/event"
	"millrace/engine/window"
)

// The engine's rules of visits, at their defaults.
const (
	pause   = 30 * event.Minute
	longest = 12 * event.Hour
)

// tourist is a visitor of a site.
type tourist struct {
	site    uint32
	visitor event.Visitor
}

// tour is a visit: its events, in log order.
type tour struct {
	first, last event.Time
	events      []made
	origin      *made // gives the visit its dimensions; never changed, only replaced
	ended       bool  // takes no more events
}

// visit finds the visit of an event by the definition: those of the visitor that it is within a pause of, two of which
// become one; else that of the visitor's hash of yesterday, if there is room for it; else a new one. It returns the event that gives the visit its
// dimensions now.
func (r *recount) visit(e *made) *made {
	if e.visitor == 0 {
		return nil
	}
	who := tourist{e.site, e.visitor}
	near := r.near(who, e.time)
	if len(near) == 0 && e.prev != 0 {
		was := tourist{e.site, e.prev}
		if near = r.near(was, e.time); !r.clear(who, near, e.time) {
			near = nil
		}
		for _, t := range near { // it is the same visitor's from now on
			i := slices.Index(r.tours[was], t)
			r.tours[was] = slices.Delete(r.tours[was], i, i+1)
			r.tours[who] = append(r.tours[who], t)
		}
	}
	var t *tour
	switch len(near) {
	case 0:
		t = &tour{first: e.time, last: e.time}
		r.tours[who] = append(r.tours[who], t)
	case 1:
		t = near[0]
	default:
		t = r.join(who, near)
	}
	t.first, t.last = min(t.first, e.time), max(t.last, e.time)
	t.events = append(t.events, *e)
	t.consider(e)
	return t.origin
}

// near returns the visits that an event may belong to.
func (r *recount) near(who tourist, at event.Time) []*tour {
	var list []*tour
	for _, t := range r.tours[who] {
		if !t.ended && t.first-pause <= at && at <= t.last+pause && max(t.last, at)-min(t.first, at) <= longest {
			list = append(list, t)
		}
	}
	return list
}

// clear makes room for visits that come over from yesterday's hash: a visit of the visitor that is not over when they begin
// ends, and one that begins before they are over is in their way.
func (r *recount) clear(who tourist, others []*tour, at event.Time) bool {
	if len(others) == 0 {
		return true
	}
	first, last := at, at
	for _, o := range others {
		first, last = min(first, o.first), max(last, o.last)
	}
	for _, t := range r.tours[who] {
		if !t.ended && t.first > at && t.first-pause <= last {
			return false
		}
	}
	for _, t := range r.tours[who] {
		t.ended = t.ended || t.last < at && first <= t.last+pause
	}
	return true
}

// join makes one visit of several, in log order of their events.
func (r *recount) join(who tourist, list []*tour) *tour {
	t := list[0]
	for _, o := range list[1:] {
		t.first, t.last = min(t.first, o.first), max(t.last, o.last)
		t.events = append(t.events, o.events...)
		i := slices.Index(r.tours[who], o)
		r.tours[who] = slices.Delete(r.tours[who], i, i+1)
	}
	slices.SortStableFunc(t.events, func(a, b made) int { return int(a.order) - int(b.order) })
	t.origin = nil
	for i := range t.events {
		t.consider(&t.events[i])
	}
	return t
}

// consider makes an event, the latest in the log, the origin if it is: the first pageview, or the first event while there
// is none; of several at one time the earliest in the log.
func (t *tour) consider(e *made) {
	o := t.origin
	if o == nil || e.name == 0 && o.name != 0 || (e.name == 0) == (o.name == 0) && e.time < o.time {
		c := *e
		t.origin = &c
	}
}

// exit is the page of the last pageview, of several at one time that of the latest in the log; "" without one.
func (t *tour) exit() string {
	var last *made
	for i := range t.events {
		if e := &t.events[i]; e.name == 0 && (last == nil || e.time >= last.time) {
			last = e
		}
	}
	if last == nil {
		return ""
	}
	return pagePath(last.page)
}

// quarter is the window in which a visit begins.
func (r *recount) quarter(t *tour) windowKey {
	const length = 15 * event.Minute
	return windowKey{window.Visits, r.sites[t.events[0].site], t.first / length * length}
}

// foldVisits counts the visits by window.
func (r *recount) foldVisits() iter.Seq2[windowKey, *cells] {
	windows := map[windowKey]*cells{}
	for _, tours := range r.tours {
		for _, t := range tours {
			k := r.quarter(t)
			if windows[k] == nil {
				windows[k] = newCells(0)
				// Which pages are kept is decided while visits come and change, and can't be told from how they ended.
				many := r.limit > 0 && r.work.Pages >= r.limit
				windows[k].unknown[window.EntryPages], windows[k].unknown[window.ExitPages] = many, many
			}
			r.countVisit(windows[k], t)
		}
	}
	return func(yield func(windowKey, *cells) bool) {
		for k, c := range windows {
			if !yield(k, c) {
				return
			}
		}
	}
}

// countVisit adds a visit to each value it has.
func (r *recount) countVisit(c *cells, t *tour) {
	var views int64
	interactive := false
	for i := range t.events {
		if n := names[t.events[i].name]; n.name == event.Pageview {
			views++
		} else if !n.nonInteractive {
			interactive = true
		}
	}
	var v cell
	v.visits, v.views = 1, views
	if views == 1 && !interactive {
		v.bounces = 1
	} else {
		v.seconds = int64((t.last - t.first) / event.Second)
	}
	dims := r.visitDims(t.origin)
	dims[window.ExitPage] = t.exit()
	for f := range window.NumFamilies {
		if !f.In(window.Visits) {
			continue
		}
		k := cellKey{family: f}
		d := f.Dims()
		if len(d) > 0 {
			k.a = dims[d[0]]
		}
		if len(d) > 1 {
			k.b = dims[d[1]]
		}
		if len(d) > 0 && k.a == "" || len(d) > 1 && k.b == "" {
			continue
		}
		to := c.get(k)
		to.visits += v.visits
		to.bounces += v.bounces
		to.seconds += v.seconds
		to.views += v.views
	}
}
