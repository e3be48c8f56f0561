package tally

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"millrace/engine/window"
)

func page(path string) Key { return Key{Family: window.Pages, A: path} }

// The values that come first have cells, and what is past the budget shares one; an hour keeps
// those with most events.
func TestBudget(t *testing.T) {
	c := NewCells(2)
	for _, path := range strings.Fields("/a /b /c /a /d /c /c") {
		c.At(page(path)).Events++
	}
	f := func(c *Cells, want string) {
		t.Helper()
		var got []string
		for k, v := range c.All() {
			got = append(got, k.A+" "+v.String()[:1])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(c, "/a 2, /b 1, (other) 4")
	if sum := c.Sum(window.Pages); sum.Events != 7 {
		t.Errorf("the sum is %v", sum)
	}

	hour := NewCells(0)
	for _, path := range strings.Fields("/b /c /a /a /d /d") {
		hour.At(page(path)).Events++
	}
	hour.Merge(c)
	f(hour, "/b 2, /c 1, /a 4, /d 2, (other) 4")
	hour.Choose(5, 2)
	f(hour, "/b 2, /c 1, /a 4, /d 2, (other) 4")
	hour.Choose(3, 3)
	f(hour, "/b 2, /a 4, /d 2, (other) 5")
	place := NewCells(1)
	for _, city := range strings.Fields("Berlin Paris") {
		place.At(Key{Family: window.Cities, A: "EU", B: city}).Events++
	}
	f(place, "EU 1, (other) 1")
	if place.At(Key{window.Cities, window.Other, window.Other}).Events != 1 {
		t.Error("both dimensions of what is past the budget have to be (other)")
	}
}

// Of a window the newest version is kept, with all parts of it.
func TestTake(t *testing.T) {
	all := Written{}
	take := func(version int64, final bool, path string, events int64) *Stored {
		return all.Take(&window.Window{Site: "a.example", Version: version, Final: final, Points: []window.Point{
			{Family: window.Pages, Dims: [2]string{path}, Rollup: window.Rollup{Events: events}},
		}})
	}
	take(7, false, "/gone", 1)
	take(8, true, "/a", 2)
	take(8, true, "/b", 3)
	if take(7, false, "/gone", 1) != nil {
		t.Error("an older version was taken")
	}
	take(8, true, "/b", 4)
	s := all[Window{Site: "a.example"}]
	if keys := slices.Collect(maps.Keys(s.Points)); len(all) != 1 || len(keys) != 2 || !s.Final || s.Points[page("/a")].Events != 2 || s.Points[page("/b")].Events != 4 {
		t.Errorf("kept is %+v", s)
	}
}

// What a recount does not keep is passed over, and nothing else.
func TestOptions(t *testing.T) {
	k := Window{Site: "a.example"}
	want := NewCells(0)
	want.At(page("/a")).Events = 2
	want.At(page("/a")).See(7)
	want.At(Key{Family: window.Bots, A: "tool"}).Events = 1
	right := func() Written {
		return Written{k: {Final: true, Points: map[Key]window.Rollup{
			page("/a"):                            {Events: 2, Visitors: 1, Sketch: want.At(page("/a")).Sketch()},
			{Family: window.Bots, A: "tool"}:      {Events: 1},
			{Family: window.Devices, A: "Tablet"}: {Events: 1},
		}}}
	}
	f := func(what string, wrong int, o Options, harm func(map[Key]window.Rollup)) {
		t.Helper()
		got := right()
		harm(got[k].Points)
		if v := Compare(maps.All(map[Window]*Cells{k: want}), got, o); len(v.Wrong) != wrong {
			t.Errorf("%s: %d wrong, want %d: %q", what, len(v.Wrong), wrong, v.Wrong)
		}
	}
	both := []window.Family{window.Pages, window.Bots}
	none := func(map[Key]window.Rollup) {}
	visitors := func(p map[Key]window.Rollup) { p[page("/a")] = window.Rollup{Events: 2, Visitors: 9} }
	f("a family too much", 1, Options{}, none)
	f("a family that is not kept", 0, Options{Families: both}, none)
	f("wrong visitors", 1, Options{Families: both}, visitors)
	f("visitors that are not kept", 0, Options{Families: both, Visitors: both[1:]}, visitors)
	f("a missing value", 1, Options{Families: both}, func(p map[Key]window.Rollup) { delete(p, page("/a")) })
	f("a value too much", 1, Options{Families: both}, func(p map[Key]window.Rollup) { p[page("/b")] = window.Rollup{} })
	want.Unknown(window.Pages)
	f("an unknown family", 0, Options{Families: both}, func(p map[Key]window.Rollup) { clear(p); p[Key{window.Bots, "tool", ""}] = window.Rollup{Events: 1} })
}

func TestNear(t *testing.T) {
	f := func(got, want, errors float64, is bool) {
		t.Helper()
		if near(got, want, errors) != is {
			t.Errorf("%v for %v: not %v", got, want, is)
		}
	}
	f(100, 100, 3, true)
	f(99, 100, 3, false)
	f(500, 501, 3, true)
	f(500, 502, 3, false)
	f(10_000, 10_240, 3, true)
	f(10_000, 10_260, 3, false)
	f(10_000, 10_260, 4, true)
	f(10_000, 10_400, 4, false)
}
