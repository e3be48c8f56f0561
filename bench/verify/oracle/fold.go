package oracle

import (
	"cmp"
	"iter"

	"millrace/bench/tally"
	"millrace/engine/event"
	"millrace/engine/window"
)

// counted is an event in its minute.
type counted struct {
	*said
	// origin is the event that gave the visit its values when this one came, nil without a visit.
	origin  *said
	visitor event.Visitor
	revenue event.Money
	paid    bool
	class   class
}

// class says which families an event counts in.
type class uint8

const (
	human class = iota
	bot
	dropped
)

// hourRoom is how many budgets of a family an hour holds before it is cut down to half of that.
const hourRoom = 16

// Windows returns all windows that there have to be, one after the other, so that only one is in
// memory.
func (o *Oracle) Windows() iter.Seq2[tally.Window, *tally.Cells] {
	return func(yield func(tally.Window, *tally.Cells) bool) {
		for k := range o.hours {
			hour, ok := o.hour(k, yield)
			if !ok || !yield(k, hour) {
				return
			}
		}
		for k, cells := range o.quarters() {
			if !yield(k, cells) {
				return
			}
		}
	}
}

// hour folds an hour from its minutes, which it yields.
func (o *Oracle) hour(k tally.Window, yield func(tally.Window, *tally.Cells) bool) (hour *tally.Cells, ok bool) {
	hour = tally.NewCells(0)
	limit := o.rules.Limit
	for start := k.Start; start < k.Start+event.Hour; start += event.Minute {
		m := tally.Window{Kind: window.Minute, Site: k.Site, Start: start}
		if _, ok := o.minutes[m]; !ok {
			continue
		}
		minute := o.Minute(m)
		if !yield(m, minute) {
			return nil, false
		}
		hour.Merge(minute)
		hour.Choose(hourRoom*limit, hourRoom/2*limit)
	}
	hour.Choose(limit, limit)
	return hour, true
}

// Minute counts a window of a minute.
func (o *Oracle) Minute(k tally.Window) *tally.Cells {
	cells := tally.NewCells(o.rules.Limit)
	list := o.minutes[k]
	for i := range list {
		o.count(cells, &list[i])
	}
	return cells
}

// count adds an event to each value that it has.
func (o *Oracle) count(cells *tally.Cells, e *counted) {
	add := func(k tally.Key) {
		v := cells.At(k)
		v.Events++
		if e.view {
			v.Pageviews++
		}
		if e.class != bot { // of a bot only that it came is counted
			v.Revenue += e.revenue
			if e.paid {
				v.Paid++
			}
		}
		if e.visitor != 0 {
			v.See(e.visitor)
		}
	}
	if e.class == dropped {
		add(tally.Key{Family: window.Dropped})
		return
	}
	var d Description
	e.facts.Describe(&d)
	if e.class == bot {
		add(tally.Key{Family: window.Bots, A: d.Dims[window.Reason]})
		return
	}
	if e.origin != nil {
		d.visit(e.origin)
	}
	keys := make([]string, len(d.Props))
	for i, p := range d.Props {
		keys[i] = p.Key
	}
	d.Dims[window.Lacks], d.Dims[window.LacksPlace] = window.LackSet(&d.Dims, len(keys) > 0), window.LackPlaceSet(&d.Dims)
	d.Dims[window.PropKeys] = window.PropSet(keys...)
	for _, f := range o.rules.Families {
		if f.In(window.Minute) && f != window.Bots && f != window.Dropped {
			d.values(f, add)
		}
	}
}

// visit sets the values that an event has of its visit. One that begins with a step within the site
// came from nowhere that is known.
func (d *Description) visit(origin *said) {
	of := ofVisit(origin)
	for dim := range window.NumDims {
		if dim.OfVisit() {
			d.Dims[dim] = of[dim]
		}
	}
}

// ofVisit returns the values that a visit has from its origin, and its hostname.
func ofVisit(origin *said) (dims [window.NumDims]string) {
	var d Description
	origin.facts.Describe(&d)
	for dim := range window.NumDims {
		if dim.OfVisit() || dim == window.Hostname {
			dims[dim] = d.Dims[dim]
		}
	}
	dims[window.EntryPage] = ""
	if origin.view {
		dims[window.EntryPage] = d.Dims[window.Page]
	}
	dims[window.Source] = cmp.Or(dims[window.Source], window.None)
	dims[window.Referrer] = cmp.Or(dims[window.Referrer], window.None)
	dims[window.Channel] = cmp.Or(dims[window.Channel], "Direct")
	return dims
}

// values calls add for each value that an event has in a family.
func (d *Description) values(f window.Family, add func(tally.Key)) {
	dims := f.Dims()
	switch {
	case f == window.Props:
		for _, p := range d.Props {
			add(tally.Key{Family: f, A: p.Key, B: p.Value})
		}
	case len(dims) > 0 && dims[0] == window.Goal:
		for _, goal := range d.Goals {
			k := tally.Key{Family: f, A: goal}
			if len(dims) > 1 {
				k.B = d.Dims[dims[1]]
			}
			if len(dims) == 1 || k.B != "" {
				add(k)
			}
		}
	default:
		if k, ok := keyOf(f, &d.Dims); ok {
			add(k)
		}
	}
}

// keyOf returns the value that a family has of these dimensions, if it has one.
func keyOf(f window.Family, dims *[window.NumDims]string) (k tally.Key, ok bool) {
	k.Family = f
	d := f.Dims()
	if len(d) > 0 {
		k.A = dims[d[0]]
	}
	if len(d) > 1 {
		k.B = dims[d[1]]
	}
	return k, (len(d) == 0 || k.A != "") && (len(d) < 2 || k.B != "")
}

// quarters counts the visits by the quarter of an hour in which they began.
func (o *Oracle) quarters() iter.Seq2[tally.Window, *tally.Cells] {
	began := map[tally.Window][]*visit{}
	for w, list := range o.visits.of {
		for _, v := range list {
			k := tally.Window{Kind: window.Visits, Site: w.site, Start: v.first / (15 * event.Minute) * (15 * event.Minute)}
			began[k] = append(began[k], v)
		}
	}
	return func(yield func(tally.Window, *tally.Cells) bool) {
		for k, list := range began {
			cells := tally.NewCells(0)
			cells.Unknown(o.rules.Unknown...)
			for _, v := range list {
				o.countVisit(cells, v)
			}
			if !yield(k, cells) {
				return
			}
		}
	}
}

// countVisit adds a visit to each value that it has.
func (o *Oracle) countVisit(cells *tally.Cells, v *visit) {
	dims := ofVisit(v.origin)
	if v.exit != nil {
		var d Description
		v.exit.facts.Describe(&d)
		dims[window.ExitPage] = d.Dims[window.Page]
	}
	dims[window.Lacks], dims[window.LacksPlace] = window.LackSet(&dims, true), window.LackPlaceSet(&dims)
	for _, f := range o.rules.Families {
		k, ok := keyOf(f, &dims)
		if !ok || !f.In(window.Visits) {
			continue
		}
		c := cells.At(k)
		c.Visits++
		c.Views += v.views
		if v.bounced() {
			c.Bounces++
		} else {
			c.Seconds += int64((v.last - v.first) / event.Second)
		}
	}
}
