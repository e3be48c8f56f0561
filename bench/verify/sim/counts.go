package sim

import (
	"millrace/bench/tally"
	"millrace/bench/verify/oracle"
	"millrace/engine/event"
	"millrace/engine/window"
)

// facts are what the deriver makes of an event.
type facts struct{ page, name, country, bot string }

// Describe implements oracle.Facts.
func (f *facts) Describe(d *oracle.Description) {
	d.Dims[window.Page], d.Dims[window.Name] = f.page, f.name
	d.Dims[window.Country], d.Dims[window.Reason] = f.country, f.bot
}

// counted lets the oracle count a log from first to last.
func counted(log []record, v *variant) *oracle.Oracle {
	rules := oracle.Rules{
		Lateness: v.rules.Lateness, SilentAfter: v.rules.SilentAfter, DedupHorizon: v.rules.DedupHorizon,
		VisitTimeout: v.rules.VisitTimeout, VisitLength: v.rules.VisitLength, Limit: v.limit,
	}
	if v.limit >= 0 {
		for f := range window.NumFamilies {
			if f != window.Totals {
				rules.Unknown = append(rules.Unknown, f)
			}
		}
	}
	o := oracle.New(rules)
	for i := range log {
		r := &log[i]
		if r.low == 0 {
			o.Unreadable()
			continue
		}
		events := make([]oracle.Event, len(r.events))
		for j := range r.events {
			events[j] = described(&r.events[j])
		}
		o.Record(r.collector, r.low, len(events) == 0, events)
	}
	return o
}

// described is an event as the oracle is told of it.
func described(e *event.Event) oracle.Event {
	return oracle.Event{
		Site: e.Site, ID: e.ID, Time: e.Time, Received: e.Received, Visitor: e.Visitor, Prev: e.VisitorPrev,
		Bot: e.Bot != "", Pageview: e.Name == event.Pageview, Facts: &facts{e.URL, e.Name, e.Country, e.Bot},
	}
}

// compare returns a line for each value that is wrong, missing or too much.
func compare(o *oracle.Oracle, windows map[string]*stored) []string {
	got := tally.Written{}
	for _, w := range windows {
		got.Take(w.Window)
	}
	return tally.Compare(o.Windows(), got, tally.Options{Errors: 3}).Wrong
}
