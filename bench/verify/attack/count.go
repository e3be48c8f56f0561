package attack

import (
	"context"
	"strings"

	"millrace/bench/verify/oracle"
	"millrace/engine/event"
	"millrace/engine/window"
)

// mostVisits is how many visits a site can have: engine.Rules.MaxVisits. The log is shorter than
// visits are remembered, so that none makes room for another.
const mostVisits = 500_000

// facts are those of every event: which page it was does not matter to what is compared, but that
// it was one.
type facts struct{}

// Describe implements oracle.Facts.
func (facts) Describe(d *oracle.Description) { d.Dims[window.Page] = "/" }

// count lets the oracle count the attacked site's events, after the runs, so that its memory is not
// in theirs.
func count(ctx context.Context, o Options) (*oracle.Oracle, error) {
	count := oracle.New(oracle.Rules{
		MaxVisits: mostVisits, Families: []window.Family{window.Totals, window.EntryPages, window.ExitPages},
	})
	l := newLog(o, true)
	l.counts = true
	for {
		rec, ok := l.next()
		if !ok {
			return count, nil
		}
		if rec.tick {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			o.Progress("recount", l.made, l.total)
		}
		if rec.value != nil {
			count.Record(0, rec.low, rec.tick, rec.events)
		}
	}
}

// described describes an event to the oracle. Those of the attack come once.
func described(e *event.Event) oracle.Event {
	v := oracle.Event{
		Site: e.Site, Time: e.Time, Received: e.Received, Visitor: e.Visitor, Pageview: e.Name == event.Pageview, Facts: facts{},
	}
	if e.ID[0] == 'b' {
		v.ID = strings.Clone(e.ID)
	}
	return v
}
