package oracle

import (
	"slices"

	"millrace/engine/event"
)

// said is an event as its visit knows it. It is never changed.
type said struct {
	at    event.Time
	order uint32 // in the log
	view  bool
	facts Facts
}

// who is a visitor of a site.
type who struct {
	site    string
	visitor event.Visitor
}

// visit is a visit by its definition: the events of a visitor with no pause between two of them
// that is longer than the time-out. What is counted of them is kept, and not the events.
type visit struct {
	first, last event.Time
	views       int64
	acted       bool // it has an event that is neither a pageview nor passive
	origin      *said
	exit        *said // nil without a pageview
	ended       bool  // takes no more events
}

// add takes in an event, the latest in the log.
func (v *visit) add(s *said, passive bool) {
	v.join(&visit{first: s.at, last: s.at, acted: !s.view && !passive, origin: s, exit: exitOf(s), views: viewsOf(s)})
}

// exitOf returns the event if it is a pageview: only that can be where a visit ended.
func exitOf(s *said) *said {
	if s.view {
		return s
	}
	return nil
}

// viewsOf returns how many pageviews an event is.
func viewsOf(s *said) int64 {
	if s.view {
		return 1
	}
	return 0
}

// join takes in the events of another visit.
func (v *visit) join(o *visit) {
	v.first, v.last = min(v.first, o.first), max(v.last, o.last)
	v.views += o.views
	v.acted = v.acted || o.acted
	if v.origin == nil || comesFirst(o.origin, v.origin) {
		v.origin = o.origin
	}
	if v.exit == nil || o.exit != nil && !before(o.exit, v.exit) {
		v.exit = o.exit
	}
}

// comesFirst reports whether a rather than b gives the visit its values: the first pageview does,
// or the first event while there is none.
func comesFirst(a, b *said) bool {
	if a.view != b.view {
		return a.view
	}
	return before(a, b)
}

// before orders the events of a visit: by time, at the same time by the log.
func before(a, b *said) bool { return a.at < b.at || a.at == b.at && a.order < b.order }

// bounced reports whether a visit is a bounce.
func (v *visit) bounced() bool { return v.views == 1 && !v.acted }

// visits are all visits of a log.
type visits struct {
	timeout, longest event.Time
	most             int // of a site
	of               map[who][]*visit
	live             map[string]int // visits of a site that take events
	untracked        int64
}

// observe puts an event into its visit and returns the event that gives the visit its values now;
// nil if the site has too many visits.
func (t *visits) observe(e *Event, s *said) *said {
	own := who{e.Site, e.Visitor}
	found := t.near(own, e.Time)
	if len(found) == 0 && e.Prev != 0 && e.Prev != e.Visitor {
		was := who{e.Site, e.Prev}
		if found = t.near(was, e.Time); t.clear(own, found, e.Time) {
			for _, v := range found { // it is the same visitor's from now on
				t.remove(was, v)
				t.of[own] = append(t.of[own], v)
			}
		} else {
			found = nil
		}
	}
	if len(found) == 0 {
		if t.most > 0 && t.live[e.Site] >= t.most {
			t.untracked++
			return nil
		}
		t.live[e.Site]++
		v := &visit{first: e.Time, last: e.Time}
		t.of[own] = append(t.of[own], v)
		found = []*visit{v}
	}
	v := found[0]
	for _, o := range found[1:] { // the event lies between them
		v.join(o)
		t.remove(own, o)
		t.live[e.Site]--
	}
	v.add(s, e.Passive)
	return v.origin
}

// near returns the visits that an event is part of: none, one, or the two between which it lies, if
// they are no longer than a visit may be with it.
func (t *visits) near(w who, at event.Time) []*visit {
	var before, after *visit
	for _, v := range t.of[w] {
		switch {
		case v.ended:
		case v.first <= at && at <= v.last:
			return []*visit{v}
		case v.last < at && at-v.last <= t.timeout && at-v.first <= t.longest && (before == nil || before.last < v.last):
			before = v
		case v.first > at && v.first-at <= t.timeout && v.last-at <= t.longest && (after == nil || after.first > v.first):
			after = v
		}
	}
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		return []*visit{after}
	case after == nil || after.last-before.first > t.longest:
		return []*visit{before}
	}
	return []*visit{before, after}
}

// clear makes room for visits that come over from the hash of the day before: a visit of the
// visitor that is not over when they begin ends, and one that begins before they are over is in
// their way.
func (t *visits) clear(w who, others []*visit, at event.Time) bool {
	if len(others) == 0 {
		return false
	}
	first, last := at, at
	for _, o := range others {
		first, last = min(first, o.first), max(last, o.last)
	}
	for _, v := range t.of[w] {
		if !v.ended && v.first > at && v.first-t.timeout <= last {
			return false
		}
	}
	for _, v := range t.of[w] {
		if !v.ended && v.last < at && first <= v.last+t.timeout {
			v.ended = true
			t.live[w.site]--
		}
	}
	return true
}

// remove takes a visit from a visitor.
func (t *visits) remove(w who, v *visit) {
	list := t.of[w]
	i := slices.Index(list, v)
	t.of[w] = slices.Delete(list, i, i+1)
}
