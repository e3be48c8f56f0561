package replay

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
)

// steady is a log of one partition: an event a minute, of two visitors by turns who change.
func steady(start event.Time, minutes int) []logged {
	var out []logged
	for i := range minutes {
		at := start + event.Time(i)*event.Minute
		out = append(out, logged{topic: engine.EventsTopic, offset: int64(2 * i), Event: event.Event{
			ID: fmt.Sprint(i), Site: "a.example", Name: event.Pageview, Time: at, Received: at, Visitor: event.Visitor(1 + i/20 + i%2),
			URL: fmt.Sprint("https://a.example/", i%5), UA: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0", Client: "v1",
		}})
	}
	return out
}

// Events that come days late, or lie days in the future, are counted where they belong, and those in between do not wait
// for them in memory.
func TestFar(t *testing.T) {
	t.Parallel()
	events := steady(noon, 4*24*60)
	put := func(at, of event.Time, id string) {
		i := int((at - noon) / event.Minute)
		e := events[i]
		e.ID, e.Time, e.offset, e.Visitor = id, of, e.offset+1, 99
		events = append(events, e)
	}
	put(noon+80*event.Hour, noon+2*event.Hour+event.Minute, "late")
	put(noon+80*event.Hour+event.Minute, noon+2*event.Hour+2*event.Minute, "of the same visit")
	put(noon+80*event.Hour+2*event.Minute, noon+2*event.Hour+2*event.Minute, "of the same visit")
	put(noon+3*event.Hour, noon+50*event.Hour, "early")
	put(noon+95*event.Hour, noon+150*event.Hour, "after all others")
	put(noon+20*event.Hour, noon+10*event.Hour, "late, and not far")

	for _, limit := range []int{1, 3} {
		store := newStore()
		mustRun(t, Options{Lake: &memLake{events: events, records: 1000}, Reader: store, Sink: store, Limit: limit})
		same(t, store, want(events, limit))
	}
	lake, store := &memLake{events: events}, newStore()
	rep := mustRun(t, Options{Lake: lake, Reader: store, Sink: store, Limit: 3})
	if rep.Events != int64(len(events)-1) || rep.Duplicates != 1 {
		t.Errorf("%+v", rep)
	}
	for f, n := range lake.reads {
		if n != 1 {
			t.Errorf("%v was read %d times", f, n)
		}
	}
	last := event.Time(0)
	for _, f := range lake.order {
		if f.Hour < last-14*event.Hour {
			t.Errorf("%v is read behind %s: windows had to stay open for it", f, last)
		}
		last = max(last, f.Hour)
	}
	if lake.looks == 0 || lake.looks > 20 {
		t.Errorf("%d looks at receive times", lake.looks)
	}
}

// Segments that overlap, since somebody has deleted the progress of the archive, hold some events twice. They count once.
func TestOverlap(t *testing.T) {
	t.Parallel()
	events := traffic(21, 2000, noon, 3*event.Hour)
	for i := range events {
		events[i].topic, events[i].partition = engine.EventsTopic, 0
	}
	twice := &overlapping{&memLake{events: events}}
	store := newStore()
	rep := mustRun(t, Options{Lake: twice, Reader: store, Sink: store})
	if rep.Events+rep.Duplicates != int64(len(events)) {
		t.Errorf("%d events and %d duplicates of %d", rep.Events, rep.Duplicates, len(events))
	}
	single := newStore()
	mustRun(t, Options{Lake: &memLake{events: events}, Reader: single, Sink: single})
	rep = mustRun(t, Options{Lake: twice, Reader: single, Mode: Verify})
	for _, d := range rep.Differences {
		t.Error(d)
	}
}

// overlapping is a lake of segments of 40 records, each of which holds 10 records of the next one too.
type overlapping struct{ *memLake }

func (l *overlapping) ReadSegment(ctx context.Context, files []File, site string, fn func(*event.Event, int64, int) error) error {
	var list []logged
	for _, e := range l.events {
		for _, f := range files {
			if e.Time.Floor(event.Hour) == f.Hour && e.offset >= f.First && e.offset < f.First+50 {
				list = append(list, e)
			}
		}
	}
	slices.SortFunc(list, logged.compare)
	for _, e := range list {
		if err := fn(&e.Event, e.offset, e.index); err != nil {
			return err
		}
	}
	return nil
}

// Memory is given back behind the hour that is being read.
func TestForgets(t *testing.T) {
	t.Parallel()
	events := steady(noon, 2*24*60)
	for i, e := range steady(noon, 2*24*60) {
		if i%2 == 0 {
			e.topic, e.Site = "import-0", "b.example"
			events = append(events, e)
		}
	}
	store, most := newStore(), 0
	var r *run
	r = newRun(Options{Lake: &memLake{events: events}, Reader: store, Sink: store, Progress: func(Progress) {
		most = max(most, len(r.open.minutes))
		for _, visits := range []int{r.cursors[0].visits.Len(), r.imports.visits.Len()} {
			if visits > 30 {
				t.Fatalf("%d visits live", visits)
			}
		}
		if n := len(r.open.visits); n > 16 {
			t.Fatalf("windows of visits of %d hours are open", n)
		}
	}})
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.open.minutes)+len(r.open.visits) != 0 || most > 2 {
		t.Errorf("windows of %d and %d hours are left; minutes of %d were open", len(r.open.minutes), len(r.open.visits), most)
	}
	same(t, store, want(events, 0))
}

// Which events of a site are duplicates depends on the receive times of all sites of the partition.
func TestClockOfOthers(t *testing.T) {
	t.Parallel()
	var events []logged
	for i, e := range []event.Event{
		{Site: "a.example", ID: "x", Received: noon},
		{Site: "b.example", ID: "y", Received: noon + 15*event.Minute},
		{Site: "a.example", ID: "x", Received: noon + 5*event.Minute},
		{Site: "a.example", ID: "x", Received: noon + 6*event.Minute},
	} {
		e.Name, e.Time, e.Client = event.Pageview, noon, "v1.server"
		events = append(events, logged{Event: e, topic: engine.EventsTopic, offset: int64(i)})
	}
	for seed := range uint64(2) {
		store := newStore()
		rep := mustRun(t, Options{Lake: &memLake{events: events, seed: seed}, Reader: store, Sink: store, Site: "a.example"})
		if rep.Events != 2 || rep.Duplicates != 1 {
			t.Errorf("seed %d: %d events, %d duplicates; want 2 and 1", seed, rep.Events, rep.Duplicates)
		}
	}
}

// A part of the time gives what the whole gives, also where visits began before it and go on behind it.
func TestRangeOfVisits(t *testing.T) {
	t.Parallel()
	var events []logged
	for i := range 400 { // 20 visitors, each every 13 minutes for 11 hours, one after the other
		v := i % 20
		at := noon + event.Time(v)*event.Hour + event.Time(i/20)*13*event.Minute
		events = append(events, logged{topic: engine.EventsTopic, Event: event.Event{
			Site: "a.example", Name: event.Pageview, Time: at, Received: at, Visitor: event.Visitor(v + 1), URL: fmt.Sprint("https://a.example/", i), Client: "v1.server",
		}})
	}
	slices.SortFunc(events, func(a, b logged) int { return int(a.Time - b.Time) })
	for i := range events {
		events[i].offset = int64(i)
	}
	whole := want(events, 5)
	for h := range event.Time(30) {
		rep := mustRun(t, Options{
			Lake: &memLake{events: events, records: 7}, Reader: whole, Mode: Verify, Limit: 5,
			From: noon + h*event.Hour, To: noon + (h+1)*event.Hour,
		})
		if rep.Differing != 0 {
			t.Fatalf("hour %d: %v", h, rep.Differences[0])
		}
	}
}

// At the end of the archive's stream visits go on that the archive does not have yet: their windows are left to the stream,
// unless the store has lost them. Imported sites have no stream that could.
func TestUnsettledVisits(t *testing.T) {
	t.Parallel()
	events := steady(noon, 20*60)
	end := noon + 20*event.Hour
	for _, e := range steady(noon, 20*60) {
		e.topic, e.Site = "import-0", "b.example"
		events = append(events, e)
	}
	lake := &memLake{events: events, complete: end}
	store := want(events, 0)
	late := storeID{window.Visits, windowID{"a.example", end - 2*event.Hour, 0}}
	imported := storeID{window.Visits, windowID{"b.example", end - 2*event.Hour, 0}}
	settled := storeID{window.Visits, windowID{"a.example", end - 13*event.Hour, 0}}
	for _, id := range []storeID{late, imported, settled} {
		if store.windows[id] == nil {
			t.Fatalf("%v is not there", id)
		}
		store.windows[id].Points[0].Visits += 5
	}
	lost := storeID{window.Visits, windowID{"a.example", end - 3*event.Hour, 0}}
	if store.windows[lost] == nil {
		t.Fatal("no window to lose")
	}
	delete(store.windows, lost)
	// The last hour has not fired: its end is the archive's.
	delete(store.windows, storeID{window.Hour, windowID{"a.example", end - event.Hour, 0}})
	delete(store.windows, storeID{window.Hour, windowID{"b.example", end - event.Hour, 0}})

	o := Options{Lake: lake, Reader: store, Sink: store, Mode: Verify}
	if rep := mustRun(t, o); rep.Differing != 2 || rep.Differences[0].Start != settled.start || rep.Differences[1].Site != "b.example" {
		t.Errorf("verify: %v", rep.Differences)
	}
	o.Mode = Write
	if rep := mustRun(t, o); rep.Kinds[window.Visits].Changed != 3 || rep.Total().Changed != 3 {
		t.Errorf("write: %+v", rep)
	}
	expect := want(events, 0)
	for _, id := range []storeID{imported, settled, lost} {
		if a, b := store.windows[id], expect.windows[id]; a == nil || a.Points[0].Visits != b.Points[0].Visits {
			t.Errorf("%v is not repaired", id)
		}
	}
	if store.windows[late].Points[0].Visits != expect.windows[late].Points[0].Visits+5 {
		t.Error("a window that the stream has to finish was written")
	}
}

// An hour takes in a late event up to a minute later, and not while the stream is stopped. Until then it is no difference, and
// nothing is lost when it is written.
func TestHourFiresAgain(t *testing.T) {
	t.Parallel()
	const received = noon + event.Hour + 10*event.Minute
	events := steady(noon, 70)
	before := want(events, 0)
	late := events[len(events)-1]
	late.ID, late.Time, late.Received, late.offset = "late", noon+30*event.Minute, received, late.offset+1
	events = append(events, late)

	hour := storeID{window.Hour, windowID{late.Site, noon, 0}}
	run := func(mode Mode, complete event.Time, site string) (Report, *memStore) {
		store := want(events, 0)
		store.windows[hour] = before.windows[hour]
		if site != late.Site {
			w := *before.windows[hour]
			w.Site = site
			store.windows[idOf(&w)] = &w
		}
		return mustRun(t, Options{Lake: &memLake{events: events, complete: complete}, Reader: store, Sink: store, Mode: mode}), store
	}
	settled := received + hourSlack
	if rep, _ := run(Verify, settled, late.Site); rep.Differing != 0 {
		t.Errorf("to be fired again: %v", rep.Differences)
	}
	if rep, _ := run(Verify, settled, "other.example"); rep.Differing == 0 || rep.Differences[0].Site != "other.example" {
		t.Errorf("of another site: %v", rep.Differences)
	}
	if rep, _ := run(Verify, settled+event.Minute, late.Site); rep.Differing == 0 || rep.Differences[0].Window != window.Hour {
		t.Errorf("never fired again: %v", rep.Differences)
	}
	rep, store := run(Write, settled, late.Site)
	if rep.Kinds[window.Hour].Written != 1 {
		t.Errorf("written: %+v", rep.Kinds)
	}
	if a, b := store.windows[hour].Points[0].Events, before.windows[hour].Points[0].Events; a != b+1 {
		t.Errorf("%d events after writing, %d before", a, b)
	}
}

// What the store may have counted that is not archived yet is neither undone nor a difference; what it has lost comes back.
func TestStoreAhead(t *testing.T) {
	t.Parallel()
	events := steady(noon, 65)
	of := func(minutes event.Time) storeID {
		return storeID{window.Minute, windowID{events[0].Site, noon + minutes*event.Minute, 0}}
	}
	ahead, wrong, lost := of(3), of(4), of(5)
	o := Options{
		Lake: &memLake{events: events, complete: noon + 65*event.Minute},
		Ahead: func(k window.Kind, site string, start event.Time) bool {
			return k == window.Minute && site == ahead.site && (start == ahead.start || start == lost.start)
		},
	}
	for _, mode := range []Mode{Verify, DryRun, Write} {
		store := want(events, 0)
		before := store.windows[ahead].Points[0].Events
		store.windows[ahead].Points[0].Events++
		store.windows[wrong].Points[0].Events++
		delete(store.windows, lost)
		o.Mode, o.Reader, o.Sink = mode, store, store
		rep := mustRun(t, o)
		if rep.Kinds[window.Minute].Changed != 2 || rep.Differences[0].Start != wrong.start || rep.Differences[1].Start != lost.start {
			t.Errorf("mode %d: %v", mode, rep.Differences)
		}
		if got := store.windows[ahead].Points[0].Events; got != before+1 {
			t.Errorf("mode %d: %d events, want %d", mode, got, before+1)
		}
		if (store.windows[lost] != nil) != (mode == Write) {
			t.Errorf("mode %d: the lost window is there: %v", mode, store.windows[lost] != nil)
		}
	}
}
