package visit

import (
	"cmp"
	"slices"

	"millrace/engine/event"
	"millrace/engine/window"
)

// The model is the definition of visits, counted anew from the events each time.

type seen struct {
	site           string
	visitor, prev  event.Visitor
	at             event.Time
	pageview       bool
	nonInteractive bool
	ping           bool
	dims           [window.NumDims]string
	seq            int // in the log
}

func (e seen) row() window.Row {
	r := window.Row{Visitor: e.visitor, Dims: e.dims}
	if e.pageview {
		r.Flags |= window.PageviewRow
	}
	return r
}

type modelVisit struct {
	site    string
	visitor event.Visitor
	events  []seen
	ended   bool
	id      ID
}

func (v *modelVisit) first() event.Time {
	return slices.MinFunc(v.events, func(a, b seen) int { return cmp.Compare(a.at, b.at) }).at
}

func (v *modelVisit) last() event.Time {
	return slices.MaxFunc(v.events, func(a, b seen) int { return cmp.Compare(a.at, b.at) }).at
}

type model struct {
	rules     Rules
	visits    []*modelVisit
	untracked int
}

// observe returns the visit that the event became one of, nil for none.
func (m *model) observe(e seen) *modelVisit {
	if e.visitor == 0 {
		return nil
	}
	before := slices.Clone(m.visits)
	v := m.take(e.site, e.visitor, e.at)
	if v == nil && e.prev != 0 && e.prev != e.visitor {
		if v = m.take(e.site, e.prev, e.at); v != nil && !(e.ping && v.first() > e.at) && !m.clear(v, e) {
			m.visits, v = before, nil
		}
	}
	if e.ping && (v == nil || v.first() > e.at) {
		m.visits = before
		return nil
	}
	if v == nil {
		live := 0
		for _, o := range m.visits {
			if o.site == e.site && !o.ended {
				live++
			}
		}
		if live >= m.rules.MaxPerSite {
			m.untracked++
			return nil
		}
		v = &modelVisit{site: e.site, id: IDOf(int64(e.seq), 0)}
		m.visits = append(m.visits, v)
	}
	v.visitor = e.visitor
	v.events = append(v.events, e)
	return v
}

// take finds the visit that takes an event, merged if need be.
func (m *model) take(site string, visitor event.Visitor, at event.Time) *modelVisit {
	var before, after *modelVisit
	for _, v := range m.visits {
		if v.site != site || v.visitor != visitor || v.ended {
			continue
		}
		first, last := v.first(), v.last()
		switch {
		case first <= at && at <= last:
			return v
		case last < at && at-last <= m.rules.Timeout && at-first <= m.rules.MaxLength && (before == nil || before.last() < last):
			before = v
		case first > at && first-at <= m.rules.Timeout && last-at <= m.rules.MaxLength && (after == nil || after.first() > first):
			after = v
		}
	}
	switch {
	case before == nil:
		return after
	case after == nil || after.last()-before.first() > m.rules.MaxLength:
		return before
	}
	merged := &modelVisit{id: before.id, site: site, visitor: visitor, events: append(slices.Clone(before.events), after.events...)}
	m.visits = slices.DeleteFunc(slices.Clone(m.visits), func(v *modelVisit) bool { return v == before || v == after })
	m.visits = append(m.visits, merged)
	return merged
}

// clear ends the visits of e's visitor before e that another visitor's visit comes too near to with e, and reports whether
// there is none after e.
func (m *model) clear(v *modelVisit, e seen) bool {
	lo, hi := min(v.first(), e.at), max(v.last(), e.at)
	var near []*modelVisit
	for _, o := range m.visits {
		if o.site == e.site && o.visitor == e.visitor && !o.ended && o.first()-hi <= m.rules.Timeout && lo-o.last() <= m.rules.Timeout {
			near = append(near, o)
		}
	}
	for _, o := range near {
		if o.first() > e.at {
			return false
		}
	}
	for _, o := range near {
		o.ended = true
	}
	return true
}

// forget does what Expire does, for the limit of visits per site.
func (m *model) forget(horizon event.Time) {
	m.visits = slices.DeleteFunc(m.visits, func(v *modelVisit) bool { return v.last()+m.rules.Timeout < horizon || v.ended })
}

// dims returns the visit's dimensions, its hostname and its exit page.
func (v *modelVisit) dims() (dims [window.NumDims]string) {
	events := slices.DeleteFunc(slices.Clone(v.events), func(e seen) bool { return e.ping })
	slices.SortFunc(events, func(a, b seen) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
	first := events[0]
	for _, e := range slices.Backward(events) {
		if e.pageview {
			first = e
		}
	}
	for d := range window.NumDims {
		if d.OfVisit() || d == window.Hostname {
			dims[d] = first.dims[d]
		}
	}
	for _, d := range []window.Dim{window.Source, window.Referrer} {
		dims[d] = cmp.Or(dims[d], window.None)
	}
	dims[window.Channel] = cmp.Or(dims[window.Channel], "Direct")
	dims[window.EntryPage] = ""
	if first.pageview {
		dims[window.EntryPage] = first.dims[window.Page]
	}
	for _, e := range events {
		if e.pageview {
			dims[window.ExitPage] = e.dims[window.Page]
		}
	}
	dims[window.Lacks], dims[window.LacksPlace] = window.LackSet(&dims, true), window.LackPlaceSet(&dims)
	return dims
}

func (v *modelVisit) counters() counters {
	c := counters{visits: 1, seconds: int64(v.last()-v.first()) / 1000}
	active, pinged := false, false
	for _, e := range v.events {
		pinged = pinged || e.ping
		if e.pageview {
			c.views++
		} else if !e.nonInteractive && !e.ping {
			active = true
		}
	}
	if c.views == 1 && !active {
		if c.bounces = 1; !pinged {
			c.seconds = 0
		}
	}
	return c
}

// A key is what a sum is kept for.
type key struct {
	site   string
	start  event.Time
	family window.Family
	values [2]string
}

type sums map[key]counters

func (s sums) plus(k key, c counters) {
	if c = s[k].less(counters{}.less(c)); c == (counters{}) {
		delete(s, k)
		return
	}
	s[k] = c
}

func (m *model) sums() sums {
	s := sums{}
	for _, v := range m.visits {
		dims, c := v.dims(), v.counters()
		for f := range window.NumFamilies {
			k := key{site: v.site, start: v.first().Floor(15 * event.Minute), family: f}
			counted := f.In(window.Visits)
			for i, d := range f.Dims() {
				k.values[i] = dims[d]
				counted = counted && dims[d] != ""
			}
			if counted {
				s.plus(k, c)
			}
		}
	}
	return s
}
