package chaos

import (
	"millrace/engine/event"
	"millrace/engine/window"
)

// What of the engine's counting is compared.
const (
	withHours      = false
	withVisits     = false
	withDuplicates = false
	withRevenue    = false
)

// windowKey names a window.
type windowKey struct {
	kind  window.Kind
	site  string
	start event.Time
}

// recount counts a log as it is written. It keeps the events and folds them when it is asked.
type recount struct {
	work    Workload
	limit   int // values of a family and window
	sites   []string
	parts   []lane
	windows map[windowKey][]counted
	ends    []int64 // records of each partition
	dead    []map[int64]bool
	last    event.Time // log time reached
}

// counted is an event in its window.
type counted struct {
	made
	class class
}

type class uint8

const (
	human class = iota
	bot
	dropped
)

// lane is what the rules of time know of a partition.
type lane struct {
	counters  tally
	logTime   event.Time
	watermark event.Time
	lows      map[int]*low
}

type low struct{ at, seen event.Time }

// tally accounts for the events of a partition.
type tally struct {
	Records, Events, OnTime, Late, Dropped, Bots, Duplicates, Dead uint64
}

func (t *tally) add(o tally) {
	t.Records += o.Records
	t.Events += o.Events
	t.OnTime += o.OnTime
	t.Late += o.Late
	t.Dropped += o.Dropped
	t.Bots += o.Bots
	t.Duplicates += o.Duplicates
	t.Dead += o.Dead
}

// The engine's rules of time, at their defaults.
const (
	grace       = 2 * event.Second
	silentAfter = 10 * event.Second
	limit       = 500
)

func newRecount(w Workload) *recount {
	r := &recount{work: w, limit: limit, windows: map[windowKey][]counted{}, ends: make([]int64, w.Partitions)}
	r.sites, _ = w.siteTable()
	for range w.Partitions {
		r.parts = append(r.parts, lane{lows: map[int]*low{}})
		r.dead = append(r.dead, map[int64]bool{})
	}
	return r
}

// add counts the next record of the log.
func (r *recount) add(rec *record) {
	l := &r.parts[rec.partition]
	offset := r.ends[rec.partition]
	r.ends[rec.partition]++
	r.last = max(r.last, rec.now)
	l.counters.Records++
	if rec.poison {
		l.counters.Dead++
		r.dead[rec.partition][offset] = true
		return
	}
	for i := range rec.events {
		r.event(l, &rec.events[i])
	}
	l.observe(rec.collector, rec.low)
}

// event puts an event into its window.
func (r *recount) event(l *lane, e *made) {
	n := &l.counters
	n.Events++
	c := counted{made: *e}
	start := e.time / event.Minute * event.Minute
	past := l.watermark > 0 && start < (l.watermark-r.work.Lateness)/event.Minute*event.Minute
	switch {
	case withDuplicates && e.duplicate:
		n.Duplicates++
		return
	case agents[e.agent].bot != "":
		n.Bots++
		c.class = bot
		if past {
			return
		}
	case past:
		n.Dropped++
		c.class = dropped
		start = l.watermark / event.Minute * event.Minute
	case start+event.Minute+grace <= l.watermark:
		n.Late++
	default:
		n.OnTime++
	}
	k := windowKey{window.Minute, r.sites[e.site], start}
	r.windows[k] = append(r.windows[k], c)
}

// observe is the rule of the watermark: the least of what the collectors say, of those that were heard lately; it never
// goes back.
func (l *lane) observe(collector int, at event.Time) {
	l.logTime = max(l.logTime, at)
	c := l.lows[collector]
	if c == nil {
		c = &low{}
		l.lows[collector] = c
	}
	c.at, c.seen = max(c.at, at), l.logTime
	least := l.logTime
	for id, c := range l.lows {
		if l.logTime-c.seen > silentAfter {
			delete(l.lows, id)
			continue
		}
		least = min(least, c.at)
	}
	l.watermark = max(l.watermark, least)
}

// records is how many there are.
func (r *recount) records() int64 {
	n := int64(0)
	for _, e := range r.ends {
		n += e
	}
	return n
}

// total is the tally of all partitions.
func (r *recount) total() tally {
	var t tally
	for i := range r.parts {
		t.add(r.parts[i].counters)
	}
	return t
}

// cellKey names a value of a window.
type cellKey struct {
	family window.Family
	a, b   string
}

// cell is what is counted for it.
type cell struct {
	events, views int64
	revenue       event.Money
	visitors      map[event.Visitor]struct{}
}

// cells are the values of one window.
type cells struct {
	limit int
	size  map[window.Family]int
	of    map[cellKey]*cell
}

func newCells(limit int) *cells {
	return &cells{limit: limit, size: map[window.Family]int{}, of: map[cellKey]*cell{}}
}

// get returns the cell of a value: the first ones that come are kept, the rest share one.
func (c *cells) get(k cellKey) *cell {
	if v := c.of[k]; v != nil {
		return v
	}
	if c.limit > 0 && c.size[k.family] >= c.limit {
		k.a, k.b = window.Other, ""
		if len(k.family.Dims()) == 2 {
			k.b = window.Other
		}
		if v := c.of[k]; v != nil {
			return v
		}
	} else {
		c.size[k.family]++
	}
	v := &cell{visitors: map[event.Visitor]struct{}{}}
	c.of[k] = v
	return v
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
	add := func(f window.Family, a, b string) {
		if a == "" {
			return
		}
		v := c.get(cellKey{f, a, b})
		v.events++
		if nameValues[e.name] == event.Pageview {
			v.views++
		}
		v.revenue += e.amount
		v.visitors[e.visitor] = struct{}{}
	}
	total := func(f window.Family) {
		v := c.get(cellKey{family: f})
		v.events++
		if nameValues[e.name] == event.Pageview {
			v.views++
		}
		v.revenue += e.amount
		v.visitors[e.visitor] = struct{}{}
	}
	ag := &agents[e.agent]
	switch e.class {
	case dropped:
		total(window.Dropped)
		return
	case bot:
		add(window.Bots, ag.bot, "")
		return
	}
	total(window.Totals)
	source, referrer := "", ""
	if e.arrival != internalArrival {
		source, referrer = arrivals[e.arrival].source, arrivals[e.arrival].page
	}
	if e.campaign {
		source = campaignSource
	}
	add(window.Pages, pagePath(e.page), "")
	add(window.Sources, source, "")
	add(window.Referrers, referrer, "")
	add(window.Countries, countryValues[e.country], "")
	add(window.Languages, languageValues[e.language], "")
	add(window.Browsers, ag.browser, "")
	add(window.OSes, ag.os, "")
	add(window.Devices, ag.device, "")
	add(window.EventNames, nameValues[e.name], "")
	add(window.CountryBrowsers, countryValues[e.country], ag.browser)
}

// modelled are the families that the recount knows.
var modelled = [window.NumFamilies]bool{
	window.Totals: true, window.Pages: true, window.Sources: true, window.Referrers: true, window.Countries: true,
	window.Languages: true, window.Browsers: true, window.OSes: true, window.Devices: true, window.EventNames: true,
	window.CountryBrowsers: true, window.Bots: true, window.Dropped: true,
}
