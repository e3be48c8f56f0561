package query

import (
	"fmt"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// TestSketchesAreReduced: a query of many buckets keeps the sketches of the last few hours only.
func TestSketchesAreReduced(t *testing.T) {
	a := newAggregation(true, 100_000)
	a.begin(&plan{family: window.Totals, filter: And(), cols: []column{{pos: -1}}}, newBucketer(minute, time.UTC, 0))
	point := &sevenVisitors().Points[0]
	for i := range event.Time(3000) {
		if err := a.add(i*event.Minute, true, point); err != nil {
			t.Fatal(err)
		}
	}
	open := 0
	for _, g := range a.groups {
		if g.sketch != nil || len(g.pending) > 0 {
			open++
		}
	}
	if want := int(repeatWithin/event.Minute) + 1; open > want {
		t.Errorf("%d sketches are open, want at most %d", open, want)
	}
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	for i, g := range a.groups {
		if g.visitors != 7 {
			t.Fatalf("bucket %d has %d visitors", i, g.visitors)
		}
	}
}

// sevenVisitors makes a minute in which seven visitors have seen a page.
func sevenVisitors() *window.Window {
	a := window.NewAgg(0)
	for i := range 7 {
		a.AddRow(&window.Row{
			Flags: window.PageviewRow, Visitor: event.Visitor(uint64(i+1) * 0x9e3779b97f4a7c15),
			Dims: [window.NumDims]string{window.Page: "/", window.Name: "pageview"},
		})
	}
	return a.Window("a", 0, 0, 1, true)
}

// TestManyGroupsAreClosed: groups that several goroutines close have their visitors, and a dense sketch among them is told.
func TestManyGroupsAreClosed(t *testing.T) {
	const pages = 5 * closeAtOnce
	page, err := ParseDimension("event:page")
	if err != nil {
		t.Fatal(err)
	}
	many := window.NewAgg(0)
	for i := range 5000 {
		many.AddRow(&window.Row{Visitor: event.Visitor(uint64(i+1) * 0x9e3779b97f4a7c15), Dims: [window.NumDims]string{window.Page: "/", window.Name: "x"}})
	}
	dense := &many.Window("a", 0, 0, 1, true).Points[0]
	for _, last := range []*window.Point{&sevenVisitors().Points[0], dense} {
		a := newAggregation(true, pages)
		a.begin(&plan{family: window.Pages, filter: And(), cols: []column{{dim: page}}}, nil)
		for day := range event.Time(3) {
			for i := range pages {
				p := sevenVisitors().Points[0]
				if i == pages-2 {
					p = *last
				}
				p.Family, p.Dims = window.Pages, [2]string{fmt.Sprint("/", i)}
				if err := a.add(day, true, &p); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := a.end(); err != nil {
			t.Fatal(err)
		}
		for i, g := range a.groups {
			if i != pages-2 && g.visitors != 7 {
				t.Fatalf("group %d has %d visitors", i, g.visitors)
			}
		}
		if a.estimated != (last == dense) {
			t.Errorf("estimated is %t of a group with %d visitors", a.estimated, a.groups[pages-2].visitors)
		}
	}
}
