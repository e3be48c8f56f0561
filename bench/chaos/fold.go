package chaos

import (
	"fmt"
	"iter"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// cellKey names a value of a window.
type cellKey struct {
	family window.Family
	a, b   string
}

// cell is what is counted for it.
type cell struct {
	events, pageviews               int64
	revenue                         event.Money
	visits, bounces, seconds, views int64
	visitors                        map[event.Visitor]struct{}
}

func (c *cell) String() string {
	if c.events == 0 {
		return fmt.Sprintf("%d visits, %d bounces, %d s, %d views", c.visits, c.bounces, c.seconds, c.views)
	}
	return fmt.Sprintf("%d events, %d pageviews, revenue %s", c.events, c.pageviews, c.revenue)
}

// cells are the values of one window.
type cells struct {
	limit int
	order []cellKey // of first appearance
	size  [window.NumFamilies]int
	of    map[cellKey]*cell
	// unknown are families of which the recount can't tell which values were kept.
	unknown [window.NumFamilies]bool
}

func newCells(limit int) *cells { return &cells{limit: limit, of: map[cellKey]*cell{}} }

// get returns the cell of a value: the first ones that come are kept, the rest share one.
func (c *cells) get(k cellKey) *cell {
	if v := c.of[k]; v != nil {
		return v
	}
	if k.a != window.Other && c.limit > 0 && c.size[k.family] >= c.limit {
		k.a = window.Other
		if len(k.family.Dims()) == 2 {
			k.b = window.Other
		}
		return c.get(k)
	}
	if k.a != window.Other {
		c.size[k.family]++
	}
	v := &cell{visitors: map[event.Visitor]struct{}{}}
	c.of[k] = v
	c.order = append(c.order, k)
	return v
}

// merge adds the values of another window, in their order.
func (c *cells) merge(o *cells) {
	for _, k := range o.order {
		from, to := o.of[k], c.get(k)
		to.events += from.events
		to.pageviews += from.pageviews
		to.revenue += from.revenue
		for id := range from.visitors {
			to.visitors[id] = struct{}{}
		}
	}
}

// keys are the windows that there have to be.
func (r *recount) keys() iter.Seq[windowKey] {
	return func(yield func(windowKey) bool) {
		for k := range r.windows {
			if !yield(k) {
				return
			}
		}
		for k := range r.hours {
			if !yield(k) {
				return
			}
		}
		for _, tours := range r.tours {
			for _, t := range tours {
				if !yield(r.quarter(t)) {
					return
				}
			}
		}
	}
}

// all folds one window after the other.
func (r *recount) all() iter.Seq2[windowKey, *cells] {
	return func(yield func(windowKey, *cells) bool) {
		for hk := range r.hours {
			hour := newCells(r.limit)
			for start := hk.start; start < hk.start+event.Hour; start += event.Minute {
				k := windowKey{window.Minute, hk.site, start}
				if _, ok := r.windows[k]; !ok {
					continue
				}
				minute := r.fold(k)
				if !yield(k, minute) {
					return
				}
				hour.merge(minute)
			}
			if !yield(hk, hour) {
				return
			}
		}
		for k, c := range r.foldVisits() {
			if !yield(k, c) {
				return
			}
		}
	}
}

// fold counts a window of a minute.
func (r *recount) fold(k windowKey) *cells {
	c := newCells(r.limit)
	list := r.windows[k]
	for i := range list {
		r.countEvent(c, &list[i])
	}
	return c
}

// countEvent adds an event to each value it has.
func (r *recount) countEvent(c *cells, e *counted) {
	add := func(k cellKey) {
		v := c.get(k)
		v.events++
		if e.name == 0 {
			v.pageviews++
		}
		if e.class != bot { // of a bot only that it came is counted
			v.revenue += e.amount
		}
		if e.visitor != 0 {
			v.visitors[e.visitor] = struct{}{}
		}
	}
	switch e.class {
	case dropped:
		add(cellKey{family: window.Dropped})
		return
	case bot:
		add(cellKey{window.Bots, agents[e.agent].bot, ""})
		return
	}
	dims := r.dims(e)
	for f := range window.NumFamilies {
		if !f.In(window.Minute) || f == window.Bots || f == window.Dropped {
			continue
		}
		r.values(f, e, &dims, add)
	}
}

// values calls add for each value that an event has in a family.
func (r *recount) values(f window.Family, e *counted, dims *[window.NumDims]string, add func(cellKey)) {
	d := f.Dims()
	switch {
	case len(d) == 0:
		add(cellKey{family: f})
	case f == window.Props:
		for _, p := range propValues[e.props] {
			add(cellKey{f, p.Key, p.Value})
		}
	case d[0] == window.Goal:
		for _, goal := range goalsReached(&e.made) {
			if len(d) == 1 {
				add(cellKey{f, goal, ""})
			} else if b := dims[d[1]]; b != "" {
				add(cellKey{f, goal, b})
			}
		}
	case len(d) == 1 && dims[d[0]] != "":
		add(cellKey{f, dims[d[0]], ""})
	case len(d) == 2 && dims[d[0]] != "" && dims[d[1]] != "":
		add(cellKey{f, dims[d[0]], dims[d[1]]})
	}
}

func goalsReached(e *made) []string {
	if g := names[e.name].goal; g != "" {
		return []string{g}
	}
	if e.name == 0 && strings.HasPrefix(pagePath(e.page), goalSection) {
		return []string{goalPage}
	}
	return nil
}

// dims returns the dimensions of an event: its own, and those of its visit.
func (r *recount) dims(e *counted) [window.NumDims]string {
	own := r.ownDims(&e.made)
	if e.origin == nil {
		return own
	}
	dims := r.visitDims(e.origin)
	for d := range window.NumDims {
		if !d.OfVisit() {
			dims[d] = own[d]
		}
	}
	return dims
}

// visitDims returns the dimensions that a visit has from an event. One that begins with a step within the site came from
// nobody knows where.
func (r *recount) visitDims(e *made) [window.NumDims]string {
	dims := r.ownDims(e)
	for _, d := range []window.Dim{window.Source, window.Referrer} {
		if dims[d] == "" {
			dims[d] = none
		}
	}
	if dims[window.Channel] == "" {
		dims[window.Channel] = arrivals[0].channel
	}
	return dims
}

// ownDims returns what an event says by itself.
func (r *recount) ownDims(e *made) (dims [window.NumDims]string) {
	ag, at := &agents[e.agent], &places[e.place]
	dims[window.Page] = pagePath(e.page)
	if e.name == 0 {
		dims[window.EntryPage] = dims[window.Page]
	}
	dims[window.Hostname] = r.sites[e.site]
	if e.blog {
		dims[window.Hostname] = "blog." + r.sites[e.site]
	}
	if e.arrival != internalArrival {
		from := &arrivals[e.arrival]
		dims[window.Source], dims[window.Referrer], dims[window.Channel] = from.source, from.page, from.channel
	}
	if e.campaign {
		for d, s := range campaignDims {
			dims[d] = s
		}
	}
	dims[window.Country], dims[window.Region], dims[window.City] = at.country, at.region, at.city
	dims[window.Language] = languageValues[e.language]
	dims[window.Browser], dims[window.BrowserVersion] = ag.browser, ag.browserVersion
	dims[window.OS], dims[window.OSVersion] = ag.os, ag.osVersion
	dims[window.Device] = ag.device
	dims[window.Screen] = screens[e.screen].class
	dims[window.Name] = names[e.name].name
	return dims
}
