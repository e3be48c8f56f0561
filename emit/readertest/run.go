package readertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/query"
)

// Run runs the suite. Open returns an empty store; it cleans up through t.
func Run(t *testing.T, open func(t *testing.T) (Sink, query.Reader)) {
	f := func(name string, fn func(*testing.T, *store)) {
		t.Run(name, func(t *testing.T) {
			sink, reader := open(t)
			fn(t, &store{t: t, sink: sink, reader: reader, model: map[key]stored{}})
		})
	}
	f("Empty", testEmpty)
	f("Versions", testVersions)
	f("Parts", testParts)
	f("Replace", testReplace)
	f("Shards", testShards)
	f("Kinds", testKinds)
	f("Visits", testVisits)
	f("Dense", testDense)
	f("Selection", testSelection)
	f("Sites", testSites)
	f("Progress", testProgress)
	f("ScanError", testScanError)
	f("Random", testRandom)
	f("Query", testQuery)
	f("QueryDaylight", testQueryDaylight)
	f("QueryTiers", testQueryTiers)
}

const (
	siteA = "a.example"
	siteB = "a.example.org" // begins with siteA
	siteC = "a"
	start = event.Time(1_700_000_040_000) // 2023-11-14 22:14, a whole minute
)

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 0)) }

func testEmpty(t *testing.T, s *store) {
	s.check(window.Selection{Site: siteA, Family: window.Pages, From: 0, To: 1 << 42})
	if sites, err := s.reader.Sites(t.Context()); err != nil || len(sites) != 0 {
		t.Errorf("Sites: %q %v", sites, err)
	}
	if ps, err := s.reader.Progress(t.Context()); err != nil || len(ps) != 0 {
		t.Errorf("Progress: %v %v", ps, err)
	}
	s.write()
	s.replace(&window.Window{Site: siteA, Start: start, Final: true})
	s.check(window.Selection{Site: siteA, Family: window.Pages, From: 0, To: 1 << 42})
}

// testVersions follows a window from its early firing to a late one, with older ones in between.
func testVersions(_ *testing.T, s *store) {
	r := seeded(1)
	all := rows(r, 90, 20)
	early := fold(siteA, 0, start, 100, false, all[:30])
	final := fold(siteA, 0, start, 110, true, all[:60])
	late := fold(siteA, 0, start, 120, true, all)
	neighbour := fold(siteA, 0, start+event.Minute, 105, true, all[:10])
	s.write(early)
	s.checkAll()
	s.write(neighbour, final)
	s.checkAll()
	s.write(final) // again
	s.checkAll()
	s.write(early) // older
	s.checkAll()
	s.write(late)
	s.checkAll()
	s.write(final) // older
	s.checkAll()
	// A version that holds less: nothing of the one before may stay.
	s.write(fold(siteA, 0, start, 130, true, all[80:83]))
	s.checkAll()
	// One list with several versions, the newest in the middle.
	other := start + 5*event.Minute
	s.write(
		fold(siteA, 0, other, 7, false, all[:5]),
		fold(siteA, 0, other, 9, true, all[5:30]),
		fold(siteA, 0, other, 8, false, all[:10]))
	s.checkAll()
}

// testParts: a firing too large for one record comes in several of one version, together, one by
// one and again.
func testParts(_ *testing.T, s *store) {
	r := seeded(9)
	parts := func(version int64, n int) (ws []*window.Window) {
		w := fold(siteA, 0, start, version, true, rows(r, n, 20))
		for points := range slices.Chunk(w.Points, 1+len(w.Points)/4) {
			part := *w
			part.Points = points
			ws = append(ws, &part)
		}
		return ws
	}
	s.write(fold(siteA, 0, start, 5, false, rows(r, 50, 20)))
	for _, part := range parts(6, 80) {
		s.write(part)
		s.checkAll()
	}
	late := parts(7, 120)
	s.write(late...)
	s.checkAll()
	s.write(late[1], late[2]) // again
	s.checkAll()
	fewer := parts(8, 4)
	s.write(append([]*window.Window{late[3]}, fewer...)...)
	s.checkAll()
	s.write(late[0]) // older
	s.checkAll()
}

// testReplace replaces windows as replay does.
func testReplace(_ *testing.T, s *store) {
	r := seeded(2)
	all := rows(r, 60, 20)
	s.write(fold(siteA, 0, start, 120, true, all))
	s.replace(fold(siteA, 0, start, 0, true, all[:7])) // fewer values, an older version
	s.checkAll()
	s.write(fold(siteA, 0, start, 119, true, all[:50])) // older than what live wrote
	s.checkAll()
	s.replace(fold(siteA, 0, start, 500, true, all[:9])) // the version of a replay counts for nothing
	s.checkAll()
	s.write(fold(siteA, 0, start, 121, true, all[10:40]))
	s.checkAll()
	s.replace(&window.Window{Site: siteA, Start: start, Final: true}) // cleared
	s.checkAll()
	s.write(fold(siteA, 0, start, 120, true, all)) // older still
	s.checkAll()
	s.write(fold(siteA, 0, start, 122, true, all))
	s.checkAll()
	// A minute that live has never written.
	other := start + 3*event.Minute
	s.replace(fold(siteA, 0, other, 1000, true, all[:20]), fold(siteB, 0, other, 1000, true, all[:3]))
	s.checkAll()
	s.replace(fold(siteA, 0, other, 1000, true, all[20:30]))
	s.checkAll()
	s.write(fold(siteA, 0, other, 5, true, all[30:]))
	s.checkAll()
}

// testShards: windows of the shards of a site are separate.
func testShards(_ *testing.T, s *store) {
	r := seeded(3)
	all := rows(r, 60, 20)
	s.write(fold(siteA, 0, start, 10, true, all[:20]), fold(siteA, 1, start, 11, true, all[20:40]), fold(siteA, 65535, start, 12, true, all[40:]))
	s.write(fold(siteA, 1, start+event.Minute, 13, true, all[:5]))
	s.checkAll()
	s.replace(fold(siteA, 1, start, 0, true, all[:2]))
	s.checkAll()
	s.write(fold(siteA, 65535, start, 14, true, all[10:12]), fold(siteA, 0, start, 9, true, all))
	s.checkAll()
	s.replace(&window.Window{Site: siteA, Shard: 65535, Start: start})
	s.checkAll()
	s.check(window.Selection{
		Site: siteA, Family: window.Countries, From: start, To: start + 2*event.Minute,
		Values: [2][]string{{"DE", "US"}},
	})
}

// testKinds: windows of different kinds that start together are separate, for firings, parts and
// replays.
func testKinds(_ *testing.T, s *store) {
	r := seeded(10)
	at := start.Floor(event.Hour)
	all := rows(r, 80, 20)
	s.write(
		fold(siteA, 0, at, 10, true, all[:40]),
		foldKind(window.Hour, siteA, 0, at, 5, false, all),
		foldVisits(siteA, 0, at, 7, false, visits(r, 30)))
	s.checkAll()
	s.write(foldKind(window.Hour, siteA, 0, at, 6, true, all[60:])) // fewer values; older than the minute
	s.checkAll()
	s.write(foldVisits(siteA, 0, at, 6, true, visits(r, 9))) // older than the stored one of its kind
	s.checkAll()
	s.replace(foldKind(window.Hour, siteA, 0, at, 0, true, all[:3]))
	s.checkAll()
	s.replace(&window.Window{Kind: window.Visits, Site: siteA, Start: at})
	s.checkAll()
	s.write(fold(siteA, 0, at, 11, true, all[:5]), foldVisits(siteA, 0, at, 8, true, visits(r, 12)))
	s.checkAll()
	s.replace(
		fold(siteA, 1, at, 1, true, all[:9]),
		foldVisits(siteA, 1, at, 1, true, visits(r, 5)),
		foldVisits(siteA, 1, at+15*event.Minute, 1, true, visits(r, 5)),
		foldKind(window.Hour, siteA, 1, at, 1, true, all[:9]))
	s.checkAll()
}

// testVisits follows a quarter while its visits go on: exit pages, bounces and views move, and
// leave zeros behind.
func testVisits(_ *testing.T, s *store) {
	r := seeded(11)
	at := start.Floor(15 * event.Minute)
	vs := visits(r, 20)
	a := window.NewAgg(0)
	fire := func(version int64, final bool) {
		w := &window.Window{Kind: window.Visits, Site: siteA, Start: at, Version: version, Final: final}
		a.Fill(w)
		s.write(w)
		s.checkAll()
	}
	for i := range vs {
		a.AddVisitRow(&vs[i])
	}
	fire(1, false)
	for i := range vs {
		// Out under the old exit page, in under the new one.
		gone := window.VisitRow{Scope: window.ExitPageOnly, Dims: vs[i].Dims, Visits: -1, Bounces: -vs[i].Bounces, Seconds: -vs[i].Seconds, Views: -vs[i].Views}
		a.AddVisitRow(&gone)
		back := gone
		back.Dims[window.ExitPage] = "/end"
		back.Visits, back.Bounces, back.Seconds, back.Views = 1, 0, vs[i].Seconds+60, vs[i].Views+1
		a.AddVisitRow(&back)
		rest := window.VisitRow{Scope: window.AllButExitPage, Dims: vs[i].Dims, Bounces: -vs[i].Bounces, Seconds: 60, Views: 1}
		a.AddVisitRow(&rest)
	}
	fire(2, false)
	fire(3, true)
	s.write(foldVisits(siteA, 0, at, 2, false, vs)) // older
	s.checkAll()
}

// testDense stores sketches that have passed from exact counting to estimation.
func testDense(_ *testing.T, s *store) {
	all := rows(seeded(4), 6000, 5000)
	s.write(fold(siteA, 0, start, 1, false, all[:4000]))
	s.checkAll()
	s.write(fold(siteA, 0, start, 2, true, all))
	s.checkAll()
}

// testSelection selects parts: ranges, and values of one and of two dimensions.
func testSelection(_ *testing.T, s *store) {
	r := seeded(5)
	for i := range 20 {
		s.write(anyKind(r, siteA, 0, start+event.Time(i*7)*event.Minute, int64(i+100), true, 30))
	}
	for i := range 6 {
		at := start + event.Time(i*i)*event.Minute
		s.write(fold(siteA, uint16(i%3), at, int64(i), true, rows(r, 40, 20)), fold(siteB, 0, at, int64(i), true, rows(r, 5, 5)))
	}
	for i := range 90 {
		f := window.Family(r.IntN(int(window.NumFamilies)))
		sel := window.Selection{Kind: window.Kind(i % 3), Site: []string{siteA, siteA, siteB, siteC}[r.IntN(4)], Family: f}
		sel.From = start + event.Time(r.IntN(30)-2)*sel.Kind.Length()/4
		sel.To = sel.From + event.Time(r.IntN(20))*sel.Kind.Length()
		for d := range f.Dims() {
			for range r.IntN(3) * (i % 2) {
				sel.Values[d] = append(sel.Values[d], pick(r, append(append(slices.Clone(countries), browsers...), "/page/1", "/page/3", "/a,b=c", "/it's", window.Other, "no such value")))
			}
		}
		s.check(sel)
	}
	for _, v := range hostile {
		s.check(window.Selection{Site: siteA, Family: window.Pages, From: 0, To: 1 << 42, Values: [2][]string{{window.Clean(v)}}})
	}
}

func testSites(t *testing.T, s *store) {
	r := seeded(6)
	want := []string{siteC, siteA, siteB, "0-b", "zz.example"}
	for _, site := range want {
		s.write(fold(site, 0, start, 1, true, rows(r, 3, 3)))
	}
	slices.Sort(want)
	got, err := s.reader.Sites(t.Context())
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Sites: %q %v, want %q", got, err, want)
	}
}

func testProgress(t *testing.T, s *store) {
	want := map[int32]window.Progress{}
	f := func(ps ...window.Progress) {
		t.Helper()
		if err := s.sink.WriteProgress(t.Context(), ps); err != nil {
			t.Fatalf("WriteProgress: %v", err)
		}
		for _, p := range ps {
			if old, ok := want[p.Partition]; !ok || p.Offset >= old.Offset {
				want[p.Partition] = p
			}
		}
		got, err := s.reader.Progress(t.Context())
		if err != nil {
			t.Fatalf("Progress: %v", err)
		}
		var list []window.Progress
		for _, p := range want {
			list = append(list, p)
		}
		if got, want := sortProgress(got), sortProgress(list); !slices.Equal(got, want) {
			t.Errorf("Progress %v, want %v", got, want)
		}
	}
	f(window.Progress{Partition: 0, Low: start, Hours: start.Floor(event.Hour) - event.Hour, Offset: 5}, window.Progress{Partition: 10, Low: start + 1000, Offset: 3})
	f(window.Progress{Partition: 0, Low: start + event.Minute, Hours: start.Floor(event.Hour), Offset: 7}, window.Progress{Partition: 2, Low: start, Offset: 1})
	f(window.Progress{Partition: 0, Low: start, Offset: 6}) // older
	f(window.Progress{Partition: 0, Low: start + 2*event.Minute, Offset: 8}, window.Progress{Partition: 0, Low: start + event.Minute, Offset: 7})
}

// testScanError: an error of the caller ends the scan and comes back; so does the end of the
// context.
func testScanError(t *testing.T, s *store) {
	s.write(fold(siteA, 0, start, 1, true, rows(seeded(7), 50, 9)))
	sel := window.Selection{Site: siteA, Family: window.Pages, From: 0, To: 1 << 42}
	mine := errors.New("enough")
	n := 0
	err := s.reader.Scan(t.Context(), sel, func(event.Time, bool, *window.Point) error { n++; return mine })
	if !errors.Is(err, mine) || n != 1 {
		t.Errorf("error %v after %d points, want %v after 1", err, n, mine)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.reader.Scan(ctx, sel, func(event.Time, bool, *window.Point) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled scan: %v", err)
	}
	if err := s.sink.Write(ctx, []*window.Window{fold(siteA, 0, start, 9, true, nil)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled write: %v", err)
	}
}

// testRandom writes and replaces a few windows over and over. What a version holds does not change.
func testRandom(_ *testing.T, s *store) {
	r := seeded(8)
	sites := []string{siteA, siteB, siteC}
	fired := map[string]*window.Window{}
	for step := range 60 {
		var live, replayed []*window.Window
		for range 1 + r.IntN(4) {
			at := start + event.Time(r.IntN(4))*event.Minute
			w := anyKind(r, pick(r, sites), uint16(r.IntN(2)), at, int64(r.IntN(20)+step/2), r.IntN(2) == 0, 1+r.IntN(30))
			if r.IntN(3) == 0 {
				replayed = append(replayed, w)
				continue
			}
			id := fmt.Sprint(keyOf(w), w.Version)
			if old := fired[id]; old != nil {
				w = old
			}
			fired[id] = w
			if have := s.model[keyOf(w)]; !have.replaced || w.Version != have.version {
				live = append(live, w)
			}
		}
		s.write(live...)
		s.replace(replayed...)
		if step%10 == 9 {
			s.checkAll()
		}
		s.check(window.Selection{Kind: window.Kind(r.IntN(int(window.NumKinds))), Site: pick(r, sites), Family: window.Family(r.IntN(int(window.NumFamilies))), From: start, To: start + 3*event.Minute})
	}
}
