package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
	"millrace/internal/site"
)

// same fails unless two stores hold the same windows.
func same(t *testing.T, got, want *memStore) {
	t.Helper()
	if len(got.windows) != len(want.windows) {
		t.Errorf("%d windows, want %d", len(got.windows), len(want.windows))
	}
	for id, w := range want.windows {
		g := got.windows[id]
		if reflect.DeepEqual(g, w) {
			continue
		}
		if g == nil || len(g.Points) != len(w.Points) {
			t.Fatalf("window %v: got %s\nwant %s", id, lines(t, g), lines(t, w))
		}
		for i := range g.Points {
			if a, b := g.Points[i], w.Points[i]; !reflect.DeepEqual(a, b) {
				t.Fatalf("window %v:\n got %+v\nwant %+v", id, a, b)
			}
		}
		t.Fatalf("window %v: version %d and final %v, want %d and %v", id, g.Version, g.Final, w.Version, w.Final)
	}
	for id, g := range got.windows {
		if want.windows[id] == nil {
			t.Fatalf("window %v is one too many: %s", id, lines(t, g))
		}
	}
}

// lines returns a window as line protocol, the first of it.
func lines(t *testing.T, w *window.Window) string {
	if w == nil {
		return "nothing"
	}
	b, err := w.AppendLines(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:min(len(b), 2000)])
}

func TestWrite(t *testing.T) {
	t.Parallel()
	events := traffic(1, 3000, noon-90*event.Minute, 4*event.Hour)
	expect := want(events, 0)
	lake, store := &memLake{events: events}, newStore()
	o := Options{Lake: lake, Reader: store, Sink: store}
	rep := mustRun(t, o)
	same(t, store, expect)
	var sum window.Rollup // of what the windows say
	for id, w := range expect.windows {
		for _, p := range w.Points {
			if p.Family == window.Totals && id.kind != window.Hour {
				sum.Events, sum.Visits = sum.Events+p.Events, sum.Visits+p.Visits
			}
			if p.Family == window.Bots && id.kind == window.Minute {
				sum.Views += p.Events
			}
		}
	}
	if sum.Visits < 100 || sum.Views < 500 {
		t.Fatalf("only %d visits and %d events of bots in the model", sum.Visits, sum.Views)
	}
	visits := int64(0)
	for _, n := range rep.Visits {
		visits += n
	}
	if rep.Events != sum.Events+sum.Views || rep.Bots != sum.Views || rep.Reasons["search engine"] != sum.Views ||
		rep.Duplicates == 0 || rep.Events+rep.Duplicates != 3000 || visits != sum.Visits {
		t.Errorf("report %+v; want %d events, %d bots, %d visits", rep, sum.Events+sum.Views, sum.Views, sum.Visits)
	}
	for k := range window.NumKinds {
		if n := expect.count(k); n == 0 || rep.Kinds[k] != (Counts{n, n, n}) {
			t.Errorf("%s: %+v, want %d windows, changed and written", k, rep.Kinds[k], n)
		}
	}
	n := int64(len(expect.windows))
	if rep.From != noon-2*event.Hour || rep.To != noon+3*event.Hour {
		t.Errorf("open range made out as %s to %s", rep.From, rep.To)
	}

	// The second time there is nothing to do, and Verify agrees.
	store.calls = nil
	if rep := mustRun(t, o); rep.Total().Changed != 0 || rep.Total().Written != 0 || len(store.calls) != 0 || rep.Events+rep.Duplicates != 3000 {
		t.Errorf("second run: %+v, calls %v", rep, store.calls)
	}
	o.Mode, o.Sink = Verify, nil
	if rep := mustRun(t, o); rep.Differing != 0 || rep.Total().Windows != n {
		t.Errorf("verify: %+v", rep)
	}
}

// TestBotsDropped: of a site that drops bots the windows are as if they had not come, and the report has them.
func TestBotsDropped(t *testing.T) {
	t.Parallel()
	events := traffic(1, 3000, noon-90*event.Minute, 4*event.Hour)
	expect := want(events, 0)
	for id, w := range expect.windows {
		if id.site == "a.example" {
			w.Points = slices.DeleteFunc(w.Points, func(p window.Point) bool { return p.Family == window.Bots })
			if len(w.Points) == 0 {
				delete(expect.windows, id)
			}
		}
	}
	goals := enrich.NewGoals([]site.Site{{ID: "a.example", Bots: site.BotsDropped}}, site.Site{})
	store := newStore()
	o := Options{
		Lake: &memLake{events: events}, Reader: store, Sink: store,
		NewDeriver: func() engine.Deriver { return enrich.New(enrich.Options{Goals: goals}) },
	}
	rep := mustRun(t, o)
	same(t, store, expect)
	bots := int64(0)
	for _, w := range expect.windows {
		for _, p := range w.Points {
			if p.Family == window.Bots && w.Kind == window.Minute {
				bots += p.Events
			}
		}
	}
	if rep.Bots <= bots || rep.Bots != mustRun(t, Options{Lake: o.Lake, Reader: store, Mode: Verify}).Bots {
		t.Errorf("%d bots, of which %d are counted", rep.Bots, bots)
	}
}

// TestOrder: whatever order the lake lists its files in and however large its segments are, the windows are those of the
// log's order, past the budget too.
func TestOrder(t *testing.T) {
	t.Parallel()
	events := traffic(2, 1500, noon, 65*event.Minute)
	for _, limit := range []int{0, 1, 3, 1000} {
		expect := want(events, limit)
		others := 0
		for _, w := range expect.windows {
			if slices.ContainsFunc(w.Points, func(p window.Point) bool { return p.Dims[0] == window.Other }) {
				others++
			}
		}
		if (others > 100) != (limit == 1 || limit == 3) {
			t.Fatalf("limit %d: %d windows past the budget", limit, others)
		}
		for seed, records := range []int64{1, 7, 40, 1000} {
			store := newStore()
			lake := &memLake{events: events, seed: uint64(seed), records: records}
			mustRun(t, Options{Lake: lake, Reader: store, Sink: store, Limit: limit})
			same(t, store, expect)
			for f, n := range lake.reads {
				if n != 1 {
					t.Errorf("%v was read %d times", f, n)
				}
			}
		}
	}
}

// TestOrderOfLiteralOther: an event that calls its page by the name of the rest must not be lost or doubled.
func TestOrderOfLiteralOther(t *testing.T) {
	t.Parallel()
	events := traffic(3, 50, noon, event.Minute)
	for i := range events {
		if i%5 == 0 {
			events[i].Name = window.Other
		}
	}
	store := newStore()
	mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store, Limit: 100})
	same(t, store, want(events, 100))
}

func TestVerifyCatches(t *testing.T) {
	t.Parallel()
	events := traffic(4, 400, noon, 90*event.Minute)
	point := func(s *memStore, f window.Family) (*window.Window, *window.Point) {
		ids := slices.Collect(func(yield func(storeID) bool) {
			for id := range s.windows {
				if !yield(id) {
					return
				}
			}
		})
		slices.SortFunc(ids, storeID.compare)
		for _, id := range ids {
			w := s.windows[id]
			for i := range w.Points {
				if w.Points[i].Family == f {
					return w, &w.Points[i]
				}
			}
		}
		t.Fatalf("no point of %s", f)
		return nil, nil
	}
	sound := want(events, 0)
	f := func(name string, kind Kind, text string, damage func(s *memStore)) {
		t.Helper()
		store := want(events, 0)
		damage(store)
		o := Options{Lake: &memLake{events: events}, Reader: store, Mode: Verify}
		rep := mustRun(t, o)
		if rep.Differing != 1 || rep.Total().Changed != 1 || len(rep.Differences) != 1 {
			t.Errorf("%s: %d differences in %d minutes: %v", name, rep.Differing, rep.Total().Changed, rep.Differences)
			return
		}
		if d := rep.Differences[0]; d.Kind != kind || !strings.Contains(d.String(), text) {
			t.Errorf("%s: %d %s", name, d.Kind, d)
		}
		// DryRun says the same and writes nothing; Write repairs.
		o.Mode, o.Sink = DryRun, store
		if dry := mustRun(t, o); !reflect.DeepEqual(dry, rep) || len(store.calls) != 0 {
			t.Errorf("%s: dry run %+v", name, dry)
		}
		o.Mode = Write
		if rep := mustRun(t, o); rep.Total().Written != 1 {
			t.Errorf("%s: %d windows written", name, rep.Total().Written)
		}
		same(t, store, sound)
	}
	f("missing point", Missing, "the store has nothing, the archive gives", func(s *memStore) {
		w, p := point(s, window.Pages)
		w.Points = slices.DeleteFunc(w.Points, func(q window.Point) bool { return q.Family == p.Family && q.Dims == p.Dims })
	})
	f("extra point", Extra, `"/gone": the store has 7 events, 0 pageviews, 0 visitors, the archive gives nothing`, func(s *memStore) {
		w, _ := point(s, window.Pages)
		w.Points = append(w.Points, window.Point{Family: window.Pages, Dims: [2]string{"/gone"}, Rollup: window.Rollup{Events: 7}})
	})
	f("events", Different, "totals: the store has ", func(s *memStore) { _, p := point(s, window.Totals); p.Events++ })
	f("pageviews", Different, "country_browser \"", func(s *memStore) { _, p := point(s, window.CountryBrowsers); p.Pageviews-- })
	f("visitors", Different, "bot \"search engine\": ", func(s *memStore) { _, p := point(s, window.Bots); p.Visitors += 10 })
	f("sketch", Different, "not the same visitors (the sketches differ)", func(s *memStore) {
		_, p := point(s, window.OSes)
		var sk sketch.Sketch
		for i := range p.Visitors {
			sk.Add(1000 + i)
		}
		if sk.Estimate() != p.Visitors {
			t.Fatal("the damage shows in the number too")
		}
		p.Sketch = sk.AppendBinary(nil)
	})
	f("extra window", Extra, "a.example 2015-05-17T13:40Z totals: the store has 1 events", func(s *memStore) {
		s.windows[storeID{window.Minute, windowID{"a.example", noon + 100*event.Minute, 0}}] = &window.Window{Site: "a.example", Start: noon + 100*event.Minute, Points: []window.Point{{Rollup: window.Rollup{Events: 1}}}}
	})
	// The store holds the window in the last hour of the archive, for a site that the archive does not have.
	f("extra site", Extra, "gone.example 2015-05-17T12:00Z totals", func(s *memStore) {
		s.windows[storeID{window.Minute, windowID{"gone.example", noon, 0}}] = &window.Window{Site: "gone.example", Start: noon, Points: []window.Point{{Rollup: window.Rollup{Events: 1}}}}
	})
	f("dropped", Extra, "dropped: the store has 2 events", func(s *memStore) {
		w, _ := point(s, window.Totals)
		w.Points = append(w.Points, window.Point{Family: window.Dropped, Rollup: window.Rollup{Events: 2}})
	})
	first := func(s *memStore, k window.Kind, f window.Family) *window.Point {
		for _, id := range slices.SortedFunc(maps.Keys(s.windows), storeID.compare) {
			for i := range s.windows[id].Points {
				if p := &s.windows[id].Points[i]; id.kind == k && p.Family == f && !isZero(p.Rollup) {
					return p
				}
			}
		}
		t.Fatalf("no point of %s", window.Measurement(k, f))
		return nil
	}
	f("hour", Different, "T12:00Z totals_hour: the store has ", func(s *memStore) { first(s, window.Hour, window.Totals).Events++ })
	f("revenue", Different, "revenue 0.5", func(s *memStore) { first(s, window.Hour, window.Pages).Revenue = event.MoneyScale / 2 })
	f("visits", Different, "exit_page_visits \"", func(s *memStore) { first(s, window.Visits, window.ExitPages).Visits-- })
	f("seconds", Different, " seconds, ", func(s *memStore) { first(s, window.Visits, window.Channels).Seconds++ })
	f("extra visits", Extra, "gone.example 2015-05-17T12:15Z totals_visits: the store has 3 visits, 0 bounces", func(s *memStore) {
		w := &window.Window{Kind: window.Visits, Site: "gone.example", Start: noon + 15*event.Minute, Points: []window.Point{{Rollup: window.Rollup{Visits: 3}}}}
		s.windows[idOf(w)] = w
	})
}

func TestDifferencesAreBounded(t *testing.T) {
	t.Parallel()
	events := traffic(5, 200, noon, 10*event.Minute)
	store := newStore()
	points := int64(0)
	for _, w := range want(events, 0).windows {
		for _, p := range w.Points {
			if !isZero(p.Rollup) {
				points++
			}
		}
	}
	rep := mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Mode: Verify, MaxDifferences: 7})
	if rep.Differing != points || len(rep.Differences) != 7 {
		t.Errorf("%d differences, %d listed; want %d, 7", rep.Differing, len(rep.Differences), points)
	}
	if !slices.IsSortedFunc(rep.Differences, func(a, b Difference) int {
		return windowID{site: a.Site, start: a.Start}.compare(windowID{site: b.Site, start: b.Start})
	}) {
		t.Errorf("not in order: %v", rep.Differences)
	}
}

// TestRange: only windows that overlap the range change, wherever it cuts the hours; they come out as when all is replayed.
func TestRange(t *testing.T) {
	t.Parallel()
	events := traffic(6, 4000, noon, 5*event.Hour)
	expect := want(events, 0)
	f := func(from, to event.Time) {
		t.Helper()
		before := &window.Window{Site: "a.example", Start: noon - event.Minute, Points: []window.Point{{Rollup: window.Rollup{Events: 1}}}}
		store, in := newStore(before), newStore(before)
		rep := mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store, From: from, To: to})
		for id, w := range expect.windows {
			if id.start+id.kind.Length() > from && id.start < to {
				in.windows[id] = w
			}
		}
		same(t, store, in)
		n := int64(0)
		for _, e := range events {
			if e.Time >= from && e.Time < to {
				n++
			}
		}
		if rep.Events+rep.Duplicates != n || rep.From != from || rep.To != to {
			t.Errorf("%s to %s: report %+v, want %d events", from, to, rep, n)
		}
	}
	f(noon, noon+5*event.Hour)
	f(noon+30*event.Minute, noon+31*event.Minute)
	f(noon+59*event.Minute, noon+61*event.Minute)
	f(noon+event.Hour, noon+2*event.Hour)
	f(noon, noon+20*event.Hour)
}

// TestGap: minutes that only the store has are cleared, in gaps of years as well.
func TestGap(t *testing.T) {
	t.Parallel()
	later := traffic(8, 100, noon+3*365*day, 10*event.Minute)
	for i := range later {
		later[i].offset += 1000
	}
	events := slices.Concat(traffic(7, 100, noon, 10*event.Minute), later)
	one := func(site string, start event.Time) *window.Window {
		return &window.Window{Site: site, Start: start, Final: true, Points: []window.Point{{Rollup: window.Rollup{Events: 1}}}}
	}
	store := newStore(one("a.example", noon-event.Minute), one("gone.example", noon+5*event.Minute), one("a.example", noon+100*day), one("gone.example", noon+3*365*day+event.Hour))
	expect := want(events, 0)
	before := one("a.example", noon-event.Minute)
	expect.windows[idOf(before)] = before
	rep := mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store, From: noon, To: noon + 4*365*day})
	same(t, store, expect)
	if want := rep.Total().Windows + 3; rep.Total().Changed != want || rep.Total().Written != want {
		t.Errorf("%+v: want %d changed and written", rep, want)
	}
	// An open range begins where the archive does and clears nothing before.
	mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store})
	same(t, store, expect)
}

func TestEmptyArchive(t *testing.T) {
	t.Parallel()
	events := traffic(9, 100, noon, 10*event.Minute)
	store := want(events, 0)
	o := Options{Lake: &memLake{}, Reader: store, Sink: store, From: noon, To: noon + event.Hour}
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrEmpty) {
		t.Errorf("got %v, want ErrEmpty", err)
	}
	same(t, store, want(events, 0))
	o.Mode = Verify
	if rep := mustRun(t, o); rep.Differing == 0 {
		t.Error("verify finds no difference")
	}
	o = Options{Lake: &memLake{}, Reader: store, Sink: store}
	if rep := mustRun(t, o); !reflect.DeepEqual(rep, Report{Reasons: map[string]int64{}, Visits: map[string]int64{}}) {
		t.Errorf("open range: %+v", rep)
	}
	same(t, store, want(events, 0))
}

func TestCompleteUntil(t *testing.T) {
	t.Parallel()
	events := traffic(10, 500, noon, 3*event.Hour)
	f := func(complete, to, grace, end event.Time, want error) {
		t.Helper()
		store := newStore()
		rep, err := Run(context.Background(), Options{Lake: &memLake{events: events, complete: complete}, Reader: store, Sink: store, From: noon, To: to, Grace: grace})
		if !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
		if err != nil {
			for _, at := range []event.Time{to, complete} {
				if !strings.Contains(err.Error(), at.String()) {
					t.Errorf("%v does not name %s", err, at)
				}
			}
			return
		}
		for id := range store.windows {
			if last := end; id.kind == window.Minute && id.start+event.Minute > last || id.kind == window.Hour && id.start+event.Hour > last {
				t.Errorf("%s %s is past %s", id.kind, id.start, end)
			}
		}
		if rep.To != end {
			t.Errorf("to %s, want %s", rep.To, end)
		}
	}
	f(0, 0, 0, noon+3*event.Hour, nil) // imports only
	f(0, noon+9*event.Hour, 0, noon+9*event.Hour, nil)
	f(noon+90*event.Minute+30*event.Second, 0, 0, noon+90*event.Minute, nil)
	f(noon+90*event.Minute, 0, 5*event.Minute, noon+85*event.Minute, nil)
	f(noon+90*event.Minute, noon+90*event.Minute, 5*event.Minute, noon+90*event.Minute, nil)
	f(noon+90*event.Minute-1, noon+90*event.Minute, 0, 0, ErrIncomplete)
	f(noon-event.Hour, 0, 0, noon, nil) // nothing of the range is complete
}

// Of an archive whose log is gone everything is counted, up to the last event: nobody else will.
func TestLogGone(t *testing.T) {
	t.Parallel()
	events := traffic(10, 500, noon, 90*event.Minute)
	f := func(gone bool) (last map[window.Kind]event.Time, pageviews int64) {
		store := newStore()
		mustRun(t, Options{Lake: &memLake{events: events, complete: noon + 61*event.Minute}, Reader: store, Sink: store, LogGone: gone})
		last = map[window.Kind]event.Time{}
		for id, w := range store.windows {
			last[id.kind] = max(last[id.kind], id.start)
			for _, p := range w.Points {
				if id.kind == window.Hour && p.Family == window.Totals {
					pageviews += p.Events
				}
			}
		}
		return last, pageviews
	}
	if last, n := f(false); n != 0 || last[window.Minute] > noon+61*event.Minute {
		t.Errorf("with a log that goes on: %v, %d events in hours", last, n)
	}
	want := newStore()
	mustRun(t, Options{Lake: &memLake{events: events}, Reader: want, Sink: want})
	var all int64
	for id, w := range want.windows {
		for _, p := range w.Points {
			if id.kind == window.Hour && p.Family == window.Totals {
				all += p.Events
			}
		}
	}
	if last, n := f(true); n != all || n == 0 || last[window.Hour] != noon+event.Hour {
		t.Errorf("with a log that is gone: %v, %d events in hours, want %d", last, n, all)
	}
}

// An archive that was lost, or began beside an old log, does not take from the store what the stream has counted of
// events that it does not have.
func TestBegan(t *testing.T) {
	t.Parallel()
	events := traffic(13, 4000, noon, 40*event.Hour)
	began := noon + 10*event.Hour + 3*event.Minute
	const first = noon + 11*event.Hour + 13*event.Hour // 13 h are the longest visit and an hour
	var left []logged
	for _, e := range events {
		if e.Received >= began {
			left = append(left, e)
		}
	}
	lake := &memLake{events: left, began: began}
	sound, store := want(events, 0), want(events, 0)
	o := Options{Lake: lake, Reader: store, Sink: store}
	if rep := mustRun(t, o); rep.From != first || rep.Total().Written != 0 || rep.Total().Windows == 0 {
		t.Errorf("open range: from %s, want %s; %+v", rep.From, first, rep.Total())
	}
	same(t, store, sound)

	o.From = first - event.Minute
	_, err := Run(context.Background(), o)
	if !errors.Is(err, ErrBegan) || !strings.Contains(err.Error(), first.String()) {
		t.Errorf("a range before: %v", err)
	}
	same(t, store, sound)
	o.From = first
	if rep := mustRun(t, o); rep.From != first || rep.Differing != 0 {
		t.Errorf("a range from %s: %s, %d differences", first, rep.From, rep.Differing)
	}

	o.From, o.Incomplete = noon+10*event.Hour, true
	if rep := mustRun(t, o); rep.Total().Written == 0 {
		t.Error("who asks for it does not get what the archive has")
	}
	// Soon after the archive began there is nothing to do.
	o = Options{Lake: &memLake{events: left, began: began, complete: began + 12*event.Hour}, Reader: store, Sink: store}
	if rep := mustRun(t, o); rep.From != rep.To {
		t.Errorf("from %s to %s", rep.From, rep.To)
	}
}

func TestSite(t *testing.T) {
	t.Parallel()
	events := traffic(11, 300, noon, 10*event.Minute)
	store := want(traffic(12, 300, noon, 10*event.Minute), 0)
	expect := newStore()
	for id, w := range store.windows {
		if id.site != "b.example" {
			expect.windows[id] = w
		}
	}
	for id, w := range want(events, 0).windows {
		if id.site == "b.example" {
			expect.windows[id] = w
		}
	}
	rep := mustRun(t, Options{Lake: &memLake{events: events, seed: 1}, Reader: store, Sink: store, Site: "b.example"})
	same(t, store, expect)
	n := rep.Events + rep.Duplicates
	for _, e := range events {
		if e.Site == "b.example" {
			n--
		}
	}
	if n != 0 {
		t.Errorf("%d events too many", n)
	}
}

// TestKept: windows that a site keeps no longer are neither written again nor missed, of the kinds that begin before and
// of no other site.
func TestKept(t *testing.T) {
	t.Parallel()
	events := traffic(14, 1500, noon, 4*event.Hour)
	const kept = noon + 2*event.Hour + 30*event.Minute
	expect := want(events, 0)
	gone := 0
	for id := range expect.windows {
		if id.site == "b.example" && id.start < kept {
			delete(expect.windows, id)
			gone++
		}
	}
	store := newStore()
	o := Options{Lake: &memLake{events: events}, Reader: store, Sink: store, KeptFrom: func(site string) event.Time {
		if site == "b.example" {
			return kept
		}
		return 0
	}}
	mustRun(t, o)
	same(t, store, expect)
	o.Mode, o.Sink = Verify, nil
	if rep := mustRun(t, o); rep.Differing != 0 {
		t.Errorf("%d differences", rep.Differing)
	}
	o.KeptFrom = nil
	if rep := mustRun(t, o); gone == 0 || rep.Differing == 0 {
		t.Errorf("%d differences without it, and %d windows are gone", rep.Differing, gone)
	}
}

// TestShards: a site's part in each partition has a number of its own, and its windows are compared together.
func TestShards(t *testing.T) {
	t.Parallel()
	events := traffic(13, 600, noon, 10*event.Minute)
	for i := range events {
		events[i].topic = "millrace.events"
	}
	store, plain := newStore(), newStore()
	o := Options{Lake: &memLake{events: events}, Reader: store, Sink: store, Partitions: 3}
	mustRun(t, o)
	shards := map[uint16]bool{}
	for id := range store.windows {
		if id.site == "a.example" {
			shards[id.shard] = true
		}
	}
	for p := range int32(3) {
		if n := event.ShardOf("a.example", p, 3); !shards[n] || len(shards) != 3 {
			t.Errorf("shards %v: want one for each partition, of them %d", shards, n)
		}
	}
	// Without shards all lies in shard 0, and the sums are the same.
	p := Options{Lake: o.Lake, Reader: plain, Sink: plain}
	mustRun(t, p)
	p.Mode, p.Reader = Verify, store
	if rep := mustRun(t, p); rep.Differing != 0 {
		t.Errorf("sums over the shards differ: %v", rep.Differences[0])
	}
	o.Reader, o.Sink = plain, plain
	if rep := mustRun(t, o); rep.Total().Changed != 0 {
		t.Errorf("%+v", rep)
	}
	// A minute that differs is cleared in the shards that it has no events in.
	stray := storeID{window.Minute, windowID{"a.example", noon + 20*event.Minute, event.ShardOf("a.example", 1, 3)}}
	if stray.shard == 0 {
		stray.shard = event.ShardOf("a.example", 2, 3)
	}
	store.windows[stray] = &window.Window{Site: stray.site, Start: stray.start, Shard: stray.shard, Points: []window.Point{{Rollup: window.Rollup{Events: 1}}}}
	o.Reader, o.Sink = store, store
	if rep := mustRun(t, o); rep.Total().Changed != 1 || rep.Total().Written != 3 || store.windows[stray] != nil {
		t.Errorf("%+v", rep)
	}
	o.Mode = Verify
	if rep := mustRun(t, o); rep.Differing != 0 {
		t.Errorf("after the repair: %v", rep.Differences[0])
	}
}

// TestStoreOfZeros: stores that can't delete keep zeros, which are no points.
func TestStoreOfZeros(t *testing.T) {
	t.Parallel()
	events := traffic(14, 300, noon, 10*event.Minute)
	store := want(traffic(15, 300, noon, 10*event.Minute), 0)
	store.zeros = true
	o := Options{Lake: &memLake{events: events}, Reader: store, Sink: store}
	if rep := mustRun(t, o); rep.Total().Changed == 0 {
		t.Error("nothing changed")
	}
	if rep := mustRun(t, o); rep.Differing != 0 || rep.Total().Written != 0 {
		t.Errorf("second run: %+v", rep)
	}
}

// TestEarlyWindow: a window that only fired early is written as final even if its numbers are right.
func TestEarlyWindow(t *testing.T) {
	t.Parallel()
	events := traffic(16, 50, noon, event.Minute)
	store := want(events, 0)
	for _, w := range store.windows {
		w.Final = false
	}
	n := int64(len(store.windows))
	rep := mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store})
	if rep.Total().Changed != 0 || rep.Total().Written != n {
		t.Errorf("%d changed, %d written, want 0 and %d", rep.Total().Changed, rep.Total().Written, n)
	}
	same(t, store, want(events, 0))
}

func TestBatches(t *testing.T) {
	t.Parallel()
	var events []logged
	for i := range 1000 {
		e := traffic(17, 1, noon, event.Hour)[0]
		e.Site = fmt.Sprintf("s%d.example", i)
		events = append(events, e)
	}
	store := newStore()
	mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store})
	one := []int{256, 256, 256, 232}
	if want := slices.Concat(one, one, one); !slices.Equal(store.calls, want) { // minutes, hours, visits
		t.Errorf("calls of %v windows, want %v", store.calls, want)
	}

	events = events[:0]
	for i := range 12_000 {
		e := logged{topic: "millrace.events", offset: int64(i), Event: event.Event{Site: "a.example", Name: event.Pageview, Time: noon + event.Time(i%60)*event.Minute, UA: "x y/z .....", URL: fmt.Sprint("/", i)}}
		events = append(events, e)
	}
	store = newStore()
	mustRun(t, Options{Lake: &memLake{events: events, records: 10_000}, Reader: store, Sink: store, Limit: 500})
	if len(store.points) < 3 || slices.Max(store.points) > maxBatchPoints+2000 {
		t.Errorf("calls of %v points", store.points)
	}
}

// TestPortions: however few points may be held, the outcome is the same, and no more are held than that and the hour of the
// site that is largest.
func TestPortions(t *testing.T) {
	t.Parallel()
	events := traffic(19, 4000, noon-90*event.Minute, 4*event.Hour)
	for i := range events {
		if n := i % 11; events[i].Site == "a.example" && n > 2 {
			events[i].Site = fmt.Sprintf("%c%d.example", "az"[n%2], n)
		}
	}
	expect := want(events, 0)
	largest, all := [window.NumKinds]int{}, [window.NumKinds]int{}
	hours := map[storeID]int{}
	for id, w := range expect.windows {
		hour := storeID{id.kind, windowID{site: id.site, start: id.start.Floor(event.Hour)}}
		hours[hour] += len(w.Points)
		largest[id.kind] = max(largest[id.kind], hours[hour])
		all[id.kind] += len(w.Points)
	}
	var reports []Report
	for _, most := range []int{0, 5000, 700, 1} {
		// The store has a site that is gone, an hour that is too much, and lacks one.
		store, rep := newStore(), Report{}
		for id, w := range expect.windows {
			if id.site != "a.example" || id.start.Floor(event.Hour) != noon {
				store.windows[id] = w
			}
		}
		for id, w := range want(traffic(20, 200, noon-4*event.Hour, 6*event.Hour), 0).windows {
			id.site = "a9." + id.site
			moved := *w
			moved.Site = id.site
			store.windows[id] = &moved
		}
		o := Options{Lake: &memLake{events: events}, Reader: store, Mode: Verify, MaxPoints: most, MaxDifferences: 1 << 20, From: noon - 5*event.Hour, To: noon + 4*event.Hour}
		r := newRun(o)
		if err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		for k, out := range r.outputs {
			if out.peak == 0 || most > 0 && out.peak > most+largest[k] || most == 0 && out.peak != all[k] {
				t.Errorf("%s with %d at a time: %d points are held, the largest hour of a site has %d, all %d", window.Kind(k), most, out.peak, largest[k], all[k])
			}
		}
		rep = r.report
		slices.SortFunc(rep.Differences, func(a, b Difference) int {
			return cmp.Or(cmp.Compare(a.Window, b.Window), strings.Compare(a.Site, b.Site), pointID{a.Start, a.Family, a.Dims}.compare(pointID{b.Start, b.Family, b.Dims}))
		})
		if reports = append(reports, rep); !reflect.DeepEqual(rep, reports[0]) || rep.Differing < 1000 {
			t.Errorf("%d at a time: %d differences, want %d and the same", most, rep.Differing, reports[0].Differing)
		}
		o.Mode, o.Sink = Write, store
		mustRun(t, o)
		for id, w := range store.windows {
			if len(w.Points) == 0 {
				delete(store.windows, id) // cleared
			}
		}
		same(t, store, expect)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	events := traffic(17, 70_000, noon, 3*event.Hour)
	store := newStore()
	var seen []Progress
	mustRun(t, Options{Lake: &memLake{events: events, records: 3000}, Reader: store, Sink: store, Progress: func(p Progress) { seen = append(seen, p) }})
	if len(seen) != 4 || seen[3] != (Progress{70_000, 3, 3}) || seen[2].Events != 1<<16 {
		t.Errorf("%+v", seen)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	events := traffic(18, 100, noon, event.Minute)
	store := newStore()
	boom := errors.New("boom")
	o := Options{Lake: &memLake{events: events, fail: boom}, Reader: store, Sink: store}
	if _, err := Run(context.Background(), o); !errors.Is(err, boom) || !strings.Contains(err.Error(), "2015-05-17T12:00") {
		t.Errorf("got %v", err)
	}
	if len(store.windows) != 0 {
		t.Error("half of an hour was written")
	}
	o.Lake = astray{&memLake{events: events}}
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "for this hour") {
		t.Errorf("an event of another hour: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o.Lake = &memLake{events: traffic(18, 5000, noon, event.Minute)}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	_, err := Run(context.Background(), Options{From: 1, To: 1, Limit: -1, Grace: -1, Mode: 9, Site: "no site"})
	for _, want := range []string{"no archive", "no store to compare", "mode 9", "from", "not before", "limit", "grace", "site"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not speak of %s", err, want)
		}
	}
}

// astray is a lake that files events under the wrong hour.
type astray struct{ *memLake }

func (l astray) ReadSegment(ctx context.Context, files []File, site string, fn func(*event.Event, int64, int) error) error {
	return l.memLake.ReadSegment(ctx, files, site, func(e *event.Event, o int64, i int) error {
		e.Time += event.Hour
		return fn(e, o, i)
	})
}

// A log that has grown is imported again: the lines that both files hold count once, in every minute and past the
// budget too.
func TestImportedTwice(t *testing.T) {
	t.Parallel()
	var events []logged
	for _, e := range traffic(3, 4000, noon, 2*event.Hour) {
		e.topic, e.partition = "import-aaaaaaaaaaaa", 0
		events = append(events, e)
	}
	once := len(events)
	for _, e := range events[:once/2] {
		e.topic = "import-bbbbbbbbbbbb"
		events = append(events, e)
	}
	distinct := map[string]bool{}
	for _, e := range events {
		distinct[e.Site+e.ID] = true
	}
	for _, limit := range []int{0, 3} {
		store := newStore()
		rep := mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store, Limit: limit})
		if n := int64(len(distinct)); rep.Events != n || rep.Events+rep.Duplicates != int64(len(events)) {
			t.Errorf("limit %d: %d events and %d duplicates of %d, want %d", limit, rep.Events, rep.Duplicates, len(events), n)
		}
		same(t, store, want(events, limit))
		single := newStore()
		mustRun(t, Options{Lake: &memLake{events: events[:once]}, Reader: single, Sink: single, Limit: limit})
		rep = mustRun(t, Options{Lake: &memLake{events: events}, Reader: single, Mode: Verify, Limit: limit})
		if rep.Differing != 0 {
			t.Errorf("limit %d: %d differences to the log imported once, first %s", limit, rep.Differing, rep.Differences[0])
		}
	}
}

// Recomputed windows carry the version that the archive stands for, cleared ones too.
func TestVersion(t *testing.T) {
	t.Parallel()
	store := newStore(&window.Window{Site: "gone.example", Start: noon, Final: true, Points: []window.Point{{Rollup: window.Rollup{Events: 1}}}})
	events := traffic(1, 100, noon, 10*event.Minute)
	mustRun(t, Options{Lake: &memLake{events: events}, Reader: store, Sink: store, Version: func(site string, shard uint16) int64 { return int64(len(site)) }})
	for id, w := range store.windows {
		if w.Version != int64(len(id.site)) {
			t.Errorf("%s has version %d", id.site, w.Version)
		}
	}
	if len(store.windows) == 0 {
		t.Error("nothing was written")
	}
}

// Events of builds before have ids by line number: the equal lines of one file are several events, and those of
// another file, of whatever build, the same ones.
func TestImportedByPlace(t *testing.T) {
	t.Parallel()
	const digest = "0123456789abcdef"
	file := func(topic string, id func(line, rank int) string, lines ...int) (events []logged) {
		ranks := map[int]int{}
		for i, n := range lines {
			e := logged{topic: topic, offset: int64(i), Event: event.Event{Site: "a.example", Name: event.Pageview, Time: noon, Received: noon, Visitor: 1}}
			e.ID = id(i+1, ranks[n])
			e.ID = digest[:15] + strconv.Itoa(n) + e.ID
			ranks[n]++
			events = append(events, e)
		}
		return events
	}
	place := func(line, _ int) string { return "-" + strconv.Itoa(line) }
	rank := func(_, rank int) string { return "." + strconv.Itoa(rank) }
	f := func(want int64, files ...[]logged) {
		t.Helper()
		store := newStore()
		rep := mustRun(t, Options{Lake: &memLake{events: slices.Concat(files...)}, Reader: store, Sink: store})
		if rep.Events != want {
			t.Errorf("%d events, want %d", rep.Events, want)
		}
	}
	f(4, file("import-aa", place, 1, 2, 2, 3))
	f(5, file("import-aa", place, 1, 2, 2, 3), file("import-bb", place, 2, 2, 2, 3))
	f(5, file("import-aa", place, 1, 2, 2, 3), file("import-rbb", rank, 2, 2, 2, 3))
	f(5, file("import-ff", place, 2, 3, 2, 2), file("import-rbb", rank, 1, 2))
	f(2, file("import-aa", func(int, int) string { return "-17" }, 1, 1, 2)) // an id of the line's own
}
