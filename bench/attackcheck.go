package bench

import (
	"fmt"
	"hash/maphash"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/state"
)

// attacked takes what a partition writes: the other sites' records of windows as a digest of their sequence per window, the
// attacked site's windows as they were last.
type attacked struct {
	store     *state.Store
	others    map[string]*digest // by key of the record
	windows   map[string]*window.Window
	untracked int64
}

// digest stands for a sequence of records.
type digest struct {
	records int
	sum     uint64
}

// digestSeed is the same for all runs of the process.
var digestSeed = maphash.MakeSeed()

func newAttacked() *attacked {
	return &attacked{others: map[string]*digest{}, windows: map[string]*window.Window{}}
}

// Delta implements engine.Output.
func (a *attacked) Delta(b []byte) error { return a.store.Apply(b) }

// Dead implements engine.Output.
func (a *attacked) Dead(reason error) error { return fmt.Errorf("a record can't be read: %w", reason) }

// Window implements engine.Output.
func (a *attacked) Window(key string, value []byte) error {
	if !strings.HasPrefix(key, siteName(attackedSite)+"|") {
		d := a.others[key]
		if d == nil {
			d = &digest{}
			a.others[key] = d
		}
		var h maphash.Hash
		h.SetSeed(digestSeed)
		maphash.WriteComparable(&h, d.sum)
		h.Write(value)
		d.records, d.sum = d.records+1, h.Sum64()
		return nil
	}
	rec, err := window.Decode(value)
	if err != nil {
		return err
	}
	w := rec.Window
	for i := range w.Points {
		w.Points[i].Sketch = nil // not needed, and most of it all
	}
	if old := a.windows[key]; old != nil && old.Version == w.Version {
		old.Points = append(old.Points, w.Points...) // another part of it
		return nil
	}
	a.windows[key] = w
	return nil
}

// compare fills in what the two runs have shown.
func (r *AttackReport) compare(without, with *attacked, count *attackRecount) {
	keys := map[string]bool{}
	for _, a := range []*attacked{without, with} {
		for key := range a.others {
			keys[key] = true
		}
	}
	for key := range keys {
		a, b := without.others[key], with.others[key]
		switch {
		case a == nil || b == nil:
			r.Differing++
		case *a != *b:
			r.Others += b.records
			r.Differing += max(a.records, b.records)
		default:
			r.Others += b.records
		}
	}
	r.Untracked = with.untracked
	r.site(with, count)
}

// site compares the attacked site's windows with the recount.
func (r *AttackReport) site(a *attacked, c *attackRecount) {
	wrong := func(format string, args ...any) {
		if len(r.Wrong) < 10 {
			r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
		}
	}
	paths := map[string]struct{}{}
	var views, other int64
	found := 0
	for key, w := range a.windows {
		r.Windows++
		r.Points += len(w.Points)
		var sums [window.NumFamilies]window.Rollup
		var values [window.NumFamilies]int
		for i := range w.Points {
			p := &w.Points[i]
			s := &sums[p.Family]
			values[p.Family]++
			s.Events, s.Pageviews, s.Visitors = s.Events+p.Events, s.Pageviews+p.Pageviews, p.Visitors
			s.Visits, s.Bounces, s.Seconds, s.Views = s.Visits+p.Visits, s.Bounces+p.Bounces, s.Seconds+p.Seconds, s.Views+p.Views
			if p.Family == window.Pages {
				paths[p.Dims[0]] = struct{}{}
				if views += p.Pageviews; p.Dims[0] == window.Other {
					other += p.Pageviews
				}
			}
		}
		for f, n := range values {
			r.Most = max(r.Most, n)
			if n > attackLimit+1 {
				wrong("%s: %d values of %s", key, n, window.Family(f))
			}
		}
		if !w.Final {
			wrong("%s is not final", key)
		}
		t := sums[window.Totals]
		if w.Kind == window.Visits {
			want := c.visits[w.Start]
			found++
			if want == nil || t.Visits != want.visits || t.Bounces != want.bounces || t.Seconds != want.seconds || t.Views != want.views {
				wrong("%s: %d visits, %d bounces, %d s, %d views, the recount has %+v", key, t.Visits, t.Bounces, t.Seconds, t.Views, want)
				continue
			}
			r.Visits += t.Visits
			for _, f := range []window.Family{window.EntryPages, window.ExitPages} {
				if s := sums[f]; s.Visits != want.withPage || s.Views != want.views {
					wrong("%s: %d visits by %s, %d of %d views, the recount has %d", key, s.Visits, f, s.Views, want.views, want.withPage)
				}
			}
			continue
		}
		want := c.events[w.Kind][w.Start]
		found++
		if want == nil || t.Events != want.events || t.Pageviews != want.views || !near(int(t.Visitors), len(want.visitors)) {
			wrong("%s: %d events, %d pageviews, %d visitors, the recount has %v", key, t.Events, t.Pageviews, t.Visitors, want)
			continue
		}
		for _, f := range []window.Family{window.Pages, window.EventNames, window.Browsers, window.Countries, window.Hostnames} {
			if s := sums[f]; s.Events != want.events || s.Pageviews != want.views {
				wrong("%s: %d events and %d pageviews by %s, in all %d and %d", key, s.Events, s.Pageviews, f, want.events, want.views)
			}
		}
	}
	if want := len(c.events[window.Minute]) + len(c.events[window.Hour]) + len(c.visits); found != want {
		wrong("%d windows, the recount has %d", found, want)
	}
	if r.Untracked != c.untracked {
		wrong("%d events without a visit, the recount has %d", r.Untracked, c.untracked)
	}
	r.Values, r.OtherShare = len(paths), float64(other)/float64(max(views, 1))
}

// attackRecount counts the attacked site with plain maps. It knows that the log is in order and shorter than visits are
// remembered, so that none makes room for another.
type attackRecount struct {
	ids       map[string]struct{} // of the base: the attack's come once
	events    [2]map[event.Time]*attackCount
	visits    map[event.Time]*visitCount
	live      map[event.Visitor]*liveVisit
	begun     int
	untracked int64
}

type attackCount struct {
	events, views int64
	visitors      map[event.Visitor]struct{}
}

// String leaves the visitors out.
func (c *attackCount) String() string {
	if c == nil {
		return "none"
	}
	return fmt.Sprintf("%d, %d, %d", c.events, c.views, len(c.visitors))
}

type visitCount struct{ visits, withPage, bounces, seconds, views int64 }

type liveVisit struct {
	first, last event.Time
	views       int64
	acted       bool
}

func newAttackRecount() *attackRecount {
	return &attackRecount{
		ids: map[string]struct{}{}, events: [2]map[event.Time]*attackCount{{}, {}},
		visits: map[event.Time]*visitCount{}, live: map[event.Visitor]*liveVisit{},
	}
}

// attackVisits is how many visits a site can have: engine.Rules.MaxVisits.
const attackVisits = 500_000

func (c *attackRecount) add(e *event.Event) {
	if e.Site != siteName(attackedSite) {
		return
	}
	if e.ID[0] == 'b' {
		if _, ok := c.ids[e.ID]; ok {
			return
		}
		c.ids[e.ID] = struct{}{}
	}
	view := e.Name == event.Pageview
	for k, length := range []event.Time{60_000, 3_600_000} {
		n := c.events[k][e.Time/length*length]
		if n == nil {
			n = &attackCount{visitors: map[event.Visitor]struct{}{}}
			c.events[k][e.Time/length*length] = n
		}
		n.events++
		if view {
			n.views++
		}
		n.visitors[e.Visitor] = struct{}{}
	}
	v := c.live[e.Visitor]
	if v == nil || e.Time-v.last > 1_800_000 {
		if c.begun >= attackVisits {
			c.untracked++
			return
		}
		c.begun++
		v = &liveVisit{first: e.Time, last: e.Time}
		c.live[e.Visitor] = v
	}
	c.sum(v, -1)
	v.last = e.Time
	if view {
		v.views++
	} else {
		v.acted = true
	}
	c.sum(v, 1)
}

// sum adds a visit to its window, or takes it out.
func (c *attackRecount) sum(v *liveVisit, sign int64) {
	if v.views == 0 && !v.acted {
		return // it has just begun
	}
	n := c.visits[v.first/900_000*900_000]
	if n == nil {
		n = &visitCount{}
		c.visits[v.first/900_000*900_000] = n
	}
	n.visits += sign
	n.views += sign * v.views
	if v.views > 0 {
		n.withPage += sign
	}
	if v.views == 1 && !v.acted {
		n.bounces += sign
	} else {
		n.seconds += sign * int64((v.last-v.first)/1000)
	}
}
