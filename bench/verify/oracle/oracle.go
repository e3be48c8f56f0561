package oracle

import (
	"cmp"
	"iter"
	"maps"

	"millrace/bench/tally"
	"millrace/engine/event"
	"millrace/engine/window"
)

// Rules are those of docs/counting.md. The zero value of a field is the engine's default, which is
// written down here once more.
type Rules struct {
	// Grace is how long after its end a minute is not late yet. Default 2 s.
	Grace event.Time
	// Lateness is how long after its end a minute takes events. Default 1 h.
	Lateness event.Time
	// SilentAfter is for how long a collector that is silent holds the watermark. Default 10 s.
	SilentAfter event.Time
	// VisitTimeout is the pause that ends a visit, default 30 min; VisitLength the most that it
	// lasts, default 12 h.
	VisitTimeout, VisitLength event.Time
	// MaxVisits is the most visits of a site. An event that would begin another is counted without
	// one. 0 is no limit. The oracle forgets no visit, so it is right only while the engine forgets
	// none either: for the length of the lateness and a visit's time-out.
	MaxVisits int
	// DedupHorizon is how long, in receive time, an id is known. Default 10 min.
	DedupHorizon event.Time
	// Limit is the most values of a family in a window; 0 and less is no limit.
	Limit int
	// Families are those that are counted, in their order. Nil is all.
	Families []window.Family
	// Unknown are the families of visits of which the limit decides what is kept. That happens
	// while visits come and change, and can't be told from how they ended.
	Unknown []window.Family
}

// withDefaults fills in what is zero.
func (r Rules) withDefaults() Rules {
	r.Grace = cmp.Or(r.Grace, 2*event.Second)
	r.Lateness = cmp.Or(r.Lateness, event.Hour)
	r.SilentAfter = cmp.Or(r.SilentAfter, 10*event.Second)
	r.VisitTimeout = cmp.Or(r.VisitTimeout, 30*event.Minute)
	r.VisitLength = cmp.Or(r.VisitLength, 12*event.Hour)
	r.DedupHorizon = cmp.Or(r.DedupHorizon, 10*event.Minute)
	if r.Families == nil {
		for f := range window.NumFamilies {
			r.Families = append(r.Families, f)
		}
	}
	return r
}

// Event is an event as its maker knows it.
type Event struct {
	Site string
	// ID names the event: two with the same are one. An event that surely comes once needs none.
	ID             string
	Time, Received event.Time
	// Visitor is 0 for one that nobody knows. Prev is the visitor's hash of the day before, if the
	// event has it.
	Visitor, Prev event.Visitor
	// Bot is set if the sender is to be taken for one. Facts then say why, as window.Reason.
	Bot      bool
	Pageview bool
	// Passive is set if it is no pageview and does not keep a visit from being a bounce.
	Passive bool
	// Revenue is the event's amount; Paid is set if it has one.
	Revenue event.Money
	Paid    bool
	// Facts say under which values it is counted. They must not change afterwards.
	Facts Facts
}

// Facts describe an event. A maker has them in as little memory as it can: the oracle keeps them
// for each event, and asks for the description when it counts a window.
type Facts interface{ Describe(*Description) }

// Description is what an event says by itself, without its visit.
type Description struct {
	Dims  [window.NumDims]string
	Goals []string
	Props []event.Prop
}

// Counters account for the events of a log: OnTime + Late + Dropped + Bots + Duplicates + Pings =
// Events. Records counts those that can't be read too, and Dead those alone. Pings are of logs that
// have some.
type Counters struct {
	Records, Events, OnTime, Late, Dropped, Bots, Duplicates, Pings, Dead uint64
}

// Add adds those of another log.
func (c *Counters) Add(o Counters) {
	c.Records += o.Records
	c.Events += o.Events
	c.OnTime += o.OnTime
	c.Late += o.Late
	c.Dropped += o.Dropped
	c.Bots += o.Bots
	c.Duplicates += o.Duplicates
	c.Pings += o.Pings
	c.Dead += o.Dead
}

// Oracle counts the log of one partition. It keeps the events in their minutes, and counts a minute
// when it is asked for it.
type Oracle struct {
	rules    Rules
	clock    *Clock
	ids      ids
	visits   visits
	counters Counters
	minutes  map[tally.Window][]counted
	hours    map[tally.Window]bool
}

// New returns an oracle before the first record.
func New(r Rules) *Oracle {
	r = r.withDefaults()
	return &Oracle{
		rules:   r,
		clock:   NewClock(r.SilentAfter, 0),
		ids:     ids{horizon: r.DedupHorizon / event.Minute, seen: map[siteID]event.Time{}},
		visits:  visits{timeout: r.VisitTimeout, longest: r.VisitLength, most: r.MaxVisits, of: map[who][]*visit{}, live: map[string]int{}},
		minutes: map[tally.Window][]counted{},
		hours:   map[tally.Window]bool{},
	}
}

// Record counts the next record of the log: its events, and then what its collector promises with
// it. A tick is a record that has no events. Who compares one site only may leave out the events of
// the others.
func (o *Oracle) Record(collector int, low event.Time, tick bool, events []Event) {
	o.counters.Records++
	for i := range events {
		o.event(&events[i])
	}
	o.clock.Observe(collector, low, tick)
}

// Unreadable counts a record that nobody can read. It says nothing about time either.
func (o *Oracle) Unreadable() {
	o.counters.Records++
	o.counters.Dead++
}

// Counters returns what became of the events so far.
func (o *Oracle) Counters() Counters { return o.counters }

// Untracked returns how many events are of no visit because their site had too many.
func (o *Oracle) Untracked() int64 { return o.visits.untracked }

// Watermark returns the event time up to which the log is complete.
func (o *Oracle) Watermark() event.Time { return o.clock.Watermark() }

// Minutes returns the windows of minutes that have events.
func (o *Oracle) Minutes() iter.Seq[tally.Window] { return maps.Keys(o.minutes) }

// event puts an event into its minute, and into its visit.
func (o *Oracle) event(e *Event) {
	n := &o.counters
	n.Events++
	if o.ids.again(e) {
		n.Duplicates++
		return
	}
	now := o.clock.Watermark()
	start := e.Time / event.Minute * event.Minute
	closed := now > 0 && start < (now-o.rules.Lateness)/event.Minute*event.Minute
	c := counted{
		said:    &said{at: e.Time, order: uint32(n.Events), view: e.Pageview, facts: e.Facts},
		visitor: e.Visitor, revenue: e.Revenue, paid: e.Paid,
	}
	switch {
	case e.Bot:
		n.Bots++
		c.class = bot
		if closed {
			return
		}
	case closed:
		n.Dropped++
		c.class = dropped
		start = now / event.Minute * event.Minute
	case start+event.Minute+o.rules.Grace <= now:
		n.Late++
	default:
		n.OnTime++
	}
	if c.class == human && e.Visitor != 0 {
		c.origin = o.visits.observe(e, c.said)
	}
	k := tally.Window{Kind: window.Minute, Site: e.Site, Start: start}
	o.minutes[k] = append(o.minutes[k], c)
	o.hours[tally.Window{Kind: window.Hour, Site: e.Site, Start: start / event.Hour * event.Hour}] = true
}
