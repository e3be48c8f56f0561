package engine

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/derivetest"
	"millrace/engine/event"
	"millrace/engine/window"
)

// restart closes the store and opens it again, with other rules.
func (g *rig) restart(r Rules) {
	g.tb.Helper()
	if err := g.store.Close(); err != nil {
		g.tb.Fatal(err)
	}
	g.rules = r
	g.open()
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

// A restart brings more lateness. What had closed stays closed: the state of the minute is gone, and an event that was counted
// would put a window of one in the place of the whole one, for its hour too. From there on the lateness grows with the log.
func TestMoreLateness(t *testing.T) {
	g := newRig(t, Rules{Lateness: event.Hour, EarlyEvery: -1}, 0)
	first, second := base, base+3*event.Hour
	g.process(envelope("c1", first+event.Second, views(first, 1, 2, 3)...))
	g.tick(first+event.Minute, second, event.Minute)
	g.process(envelope("c1", second+event.Second, views(second, 4, 5)...))
	g.tick(second+event.Minute, second+30*event.Minute, event.Minute)
	g.wantTotals(window.Minute, first, 3)
	g.wantTotals(window.Hour, first.Floor(event.Hour), 3)

	g.restart(Rules{Lateness: 6 * event.Hour, EarlyEvery: -1})
	now := second + 31*event.Minute
	g.tick(now, now, 1) // what has closed is deleted by now
	g.process(envelope("c1", now+event.Second, views(first, 6)...))
	g.tick(now+2*event.Second, now+2*event.Minute, event.Second)
	g.wantTotals(window.Minute, first, 3)
	g.wantTotals(window.Hour, first.Floor(event.Hour), 3)
	if n := g.part.Core().Counters(); n.Dropped != 1 || n.Late != 0 {
		t.Errorf("%+v, want one dropped", n)
	}

	now = second + 4*event.Hour
	g.tick(second+34*event.Minute, now, event.Minute)
	g.process(envelope("c1", now+event.Second, views(second, 7)...))
	g.tick(now+2*event.Second, now+2*event.Minute, event.Second)
	g.wantTotals(window.Minute, second, 3)
	g.wantTotals(window.Hour, second.Floor(event.Hour), 3)
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

// So it does where a part of the minute has fired and a part has still to.
func TestMoreGraceInParts(t *testing.T) {
	few := Rules{Grace: 2 * event.Second, EarlyEvery: -1, FiredBytes: 1}
	g := newRig(t, few, 0)
	list := append(views(base, 1, 2, 3), views(base, 4)...)
	list[3].Site = "b.example"
	g.process(envelope("c1", base+event.Second, list...))
	g.tick(base+62*event.Second, base+62*event.Second, 1)
	g.wantTotals(window.Minute, base, 3) // and b.example has still to fire
	if n := g.part.Core().Snapshot().OpenWindows; n != 1 {
		t.Fatalf("%d windows are open, want 1", n)
	}
	few.Grace = event.Minute
	g.restart(few)
	g.process(envelope("c1", base+70*event.Second, views(base, 5)...))
	g.tick(base+71*event.Second, base+3*event.Minute, event.Second)
	g.wantTotals(window.Minute, base, 4)
}

// A restart brings more lateness. Visits that were written down under the smaller one may go on for longer now, and what was
// written is needed as long.
func TestVisitsOfMoreLateness(t *testing.T) {
	g := newRig(t, Rules{Lateness: event.Hour}, 0)
	g.process(envelope("c1", base+event.Second, views(base, 1)...))
	g.tick(base+event.Minute, base+30*event.Minute, event.Minute)
	more := Rules{Lateness: 6 * event.Hour}
	g.restart(more)
	g.tick(base+31*event.Minute, base+3*event.Hour, event.Minute)
	late := views(base+10*event.Minute, 2)
	late[0].Visitor = 1
	g.process(envelope("c1", base+3*event.Hour+event.Second, late...))
	g.restart(more)
	g.tick(base+3*event.Hour+2*event.Second, base+3*event.Hour+event.Minute, event.Second)
	w := g.final[window.RecordKey(window.Visits, "a.example", base.Floor(window.Visits.Length()), 0)]
	if p := w.Points[0]; p.Visits != 1 || p.Views != 2 || p.Seconds != 600 {
		t.Errorf("%+v, want a visit of two views and 10 min", p)
	}
}

// A restart brings more lateness. Visits that had ended are not back, whatever of them is still on a disk: whoever has the partition next
// knows the same ones.
func TestEndedVisitsOfMoreLateness(t *testing.T) {
	g := newRig(t, Rules{Lateness: event.Hour}, 0)
	g.process(envelope("c1", base+event.Second, views(base, 1)...))
	g.tick(base+event.Minute, base+4*event.Hour, event.Minute)
	g.restart(Rules{Lateness: 6 * event.Hour})

	other, err := openStore(vfs.NewMem(), g.rules, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for i, d := range g.changelog {
		if err := other.Recover(int64(i), d); err != nil {
			t.Fatal(err)
		}
	}
	core := NewCore(g.rules, derivetest.Deriver{})
	if err := core.Load(other); err != nil {
		t.Fatal(err)
	}
	again := views(base+4*event.Hour, 2)
	again[0].Visitor = 1
	record := envelope("c1", base+4*event.Hour+event.Second, again...)
	offset := g.next
	g.process(record)
	if d, _ := core.Step(0, offset, record); !bytes.Equal(d.Append(nil), g.changelog[offset]) {
		t.Errorf("the delta is\n%x\nand of another owner\n%x", g.changelog[offset], d.Append(nil))
	}
}

// The state of a version before is read: what was announced is final, and all hours had fired.
func TestMetaBefore(t *testing.T) {
	for version, closed := range map[byte]event.Time{2: 0, 3: -4, 4: -4} {
		b := []byte{version, 14, 0, 0, 0, 0, 80, 120}
		if version >= 3 {
			b = append(b, 7)
		}
		if version >= 4 {
			b = append(b, 80, 0)
		}
		b = append(b, 5, 0, 0, 0, 0, 0, 0, 0, 0)
		want := meta{last: 7, announced: 40, finals: 40, firedTo: 60, closed: closed, counters: Counters{Records: 5}}
		var m meta
		if err := m.decode(b); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("version %d: %+v, %v", version, m, err)
		}
	}
}
