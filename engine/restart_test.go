package engine

import (
	"fmt"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// restart opens the Partition anew on its store, with other rules.
func (g *rig) restart(r Rules) {
	g.tb.Helper()
	var err error
	g.rules = r
	if g.part, err = OpenPartition(0, 0, g.store, r, plain{}); err != nil {
		g.tb.Fatal(err)
	}
}

// tick takes a record without events once in a while, and commits it.
func (g *rig) tick(from, to, every event.Time) {
	g.tb.Helper()
	for at := from; at <= to; at += every {
		g.process(envelope("c1", at))
		g.store.Committed(g.next)
	}
}

// wantTotals checks how many events the last firing of a window has.
func (g *rig) wantTotals(k window.Kind, start event.Time, want int64) {
	g.tb.Helper()
	got := int64(0)
	if w := g.final[window.RecordKey(k, "a.example", start, 0)]; w != nil {
		got = w.Points[0].Events // of the totals
	}
	if got != want {
		g.tb.Errorf("the %s of %s has %d events, want %d", k, since(start), got, want)
	}
}

// views returns page views of a.example at a time.
func views(at event.Time, ids ...int) (list []event.Event) {
	for _, id := range ids {
		list = append(list, event.Event{ID: fmt.Sprint(id), Site: "a.example", Time: at, Name: event.Pageview, URL: "/", Visitor: event.Visitor(id)})
	}
	return list
}

// A restart brings more grace. A minute that was final stays so: the next row is not the first of its window.
func TestMoreGrace(t *testing.T) {
	g := newRig(t, Rules{Grace: 2 * event.Second}, 0)
	g.process(envelope("c1", base+event.Second, views(base, 1, 2, 3)...))
	g.tick(base+65*event.Second, base+65*event.Second, 1)
	g.restart(Rules{Grace: event.Minute})
	g.process(envelope("c1", base+70*event.Second, views(base, 4)...))
	g.tick(base+71*event.Second, base+3*event.Minute, event.Second)
	g.wantTotals(window.Minute, base, 4)
}
