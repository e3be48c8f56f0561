package engine

import (
	"fmt"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// pagesOfHour returns the views by page of the hour that was written last, and its version.
func (g *rig) pagesOfHour() (views map[string]int64, version int64) {
	views = map[string]int64{}
	for _, w := range g.final {
		if w.Kind != window.Hour || w.Version < version {
			continue
		}
		clear(views)
		version = w.Version
		for _, p := range w.Points {
			if p.Family == window.Pages {
				views[p.Dims[0]] = p.Events
			}
		}
	}
	return views, version
}

// A page that is read a thousand times has its row in the hour, though six hundred others came before it and each minute has
// room for them. What late events bring changes the choice, and the hour is written whole again. It is so for an hour in memory
// and for one that is folded from the store.
func TestHourChoosesByWeight(t *testing.T) {
	const start = event.Time(1_700_002_800_000) // a whole hour
	f := func(b Bounds) {
		t.Helper()
		g := newRig(t, Rules{EarlyEvery: -1}, 500)
		g.part.Bound(b)
		view := func(at event.Time, page string) event.Event {
			return event.Event{Site: "a", Name: event.Pageview, URL: page, Time: at, Received: at, Visitor: event.Visitor(at%97 + 1)}
		}
		send := func(at event.Time, n int, page func(i int) string) {
			var list []event.Event
			for i := range n {
				list = append(list, view(at+event.Time(i), page(i)))
			}
			g.process(envelope("c1", at+event.Second, list...))
		}
		for m := range 3 {
			send(start+event.Time(m)*event.Minute, 200, func(i int) string { return fmt.Sprintf("/%03d", 200*m+i) })
		}
		send(start+40*event.Minute, 1000, func(int) string { return "/hot" })
		for at := start + 59*event.Minute; at <= start+62*event.Minute; at += event.Second {
			g.process(envelope("c1", at))
		}
		views, version := g.pagesOfHour()
		if views["/hot"] != 1000 || views["/498"] != 1 || views["/499"] != 0 || views[window.Other] != 101 || len(views) != 501 {
			t.Errorf("/hot %d, /498 %d, /499 %d, other %d of %d values", views["/hot"], views["/498"], views["/499"], views[window.Other], len(views))
		}
		send(start+5*event.Minute, 2, func(int) string { return "/599" }) // late
		for at := start + 62*event.Minute; at <= start+64*event.Minute; at += event.Second {
			g.process(envelope("c1", at))
		}
		again, later := g.pagesOfHour()
		if later == version || again["/hot"] != 1000 || again["/599"] != 3 || again["/498"] != 0 || again["/497"] != 1 || again[window.Other] != 101 || len(again) != 501 {
			t.Errorf("version %d after %d: /hot %d, /599 %d, /498 %d, other %d of %d values", later, version, again["/hot"], again["/599"], again["/498"], again[window.Other], len(again))
		}
	}
	f(Bounds{})
	f(Bounds{HotHours: 1})
}

// TestHotHoursDropsLarge: an hour that takes more than its part of the memory is given up, so that an attacked site leaves room
// for the others.
func TestHotHoursDropsLarge(t *testing.T) {
	h := newHotHours(500, Bounds{HotHours: 1 << 20})
	add := func(site string, values int) bool {
		minute := window.NewAgg(0)
		for v := range values {
			minute.AddRow(&window.Row{Visitor: 1, Dims: [window.NumDims]string{window.Page: fmt.Sprintf("/%d", v)}})
		}
		return h.add(windowID{window.Hour, event.Hour, site}, minute)
	}
	if !add("small", 10) || !add("other", 10) {
		t.Fatal("no room")
	}
	if add("attacked", 8000) {
		t.Error("an hour larger than all the room stays in it")
	}
	if !add("small", 10) || h.get(windowID{window.Hour, event.Hour, "small"}) == nil || h.bytes > h.most {
		t.Errorf("a small hour has no room beside %d bytes", h.bytes)
	}
}
