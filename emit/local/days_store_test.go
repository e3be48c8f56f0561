package local

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/event"
	"millrace/engine/window"
)

func countKeys(t *testing.T, s *Store, table byte) (n int) {
	t.Helper()
	it, err := pebbleOf(s).NewIter(&pebble.IterOptions{LowerBound: []byte{table}, UpperBound: []byte{table + 1}})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := closeIter(it.Error(), it); err != nil {
		t.Fatal(err)
	}
	return n
}

// fillDay fills a day with hours of a site, each with some pages, and returns a scan of the day's pages.
func fillDay(t *testing.T, s *Store, site string, pages int) func() (rows int, events int64) {
	t.Helper()
	var ws []*window.Window
	for at := event.Time(0); at < day; at += event.Hour {
		w := &window.Window{Kind: window.Hour, Site: site, Start: at, Version: 1, Final: true}
		for p := range pages {
			w.Points = append(w.Points, window.Point{Family: window.Pages, Dims: [2]string{fmt.Sprintf("/%05d", p)}, Rollup: window.Rollup{Events: 1}})
		}
		ws = append(ws, w)
	}
	mustWrite(t, s, ws...)
	return func() (rows int, events int64) {
		t.Helper()
		sel := window.Selection{Kind: window.Hour, Site: site, Family: window.Pages, From: -day, To: 9 * day, Days: true}
		err := s.Scan(t.Context(), sel, func(_ event.Time, _ bool, p *window.Point) error {
			rows++
			events += p.Events
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		return rows, events
	}
}

// TestDaysOfBefore: where a build that knows no sums has had the store open, and may have written, there are none.
func TestDaysOfBefore(t *testing.T) {
	fs := vfs.NewMem()
	opened := func(want int) {
		t.Helper()
		s := mustOpen(t, Options{Dir: "rollups", FS: fs})
		if n := countKeys(t, s, tableDay); n != want {
			t.Errorf("%d chunks, want %d", n, want)
		}
		scan := fillDay(t, s, daysSite, 3)
		scan()
		if rows, events := scan(); rows != 3 || events != 72 {
			t.Errorf("%d points of %d events, want 3 of 72", rows, events)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	opened(0)
	opened(1)
	db, err := pebble.Open("rollups", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest, Logger: newLogger(testLogger(t), nil, "rollups")})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	opened(0)
	opened(1)
}

// TestDaysExpire: what is deleted of a day is not in its sums.
func TestDaysExpire(t *testing.T) {
	s := mustOpen(t, Options{})
	scan := fillDay(t, s, daysSite, 3)
	scan()
	if rows, _ := scan(); rows != 3 {
		t.Fatalf("%d points, want 3", rows)
	}
	if _, err := s.DeleteBefore(t.Context(), daysSite, 12*event.Hour); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{36, 3} {
		if rows, events := scan(); rows != want || events != 36 {
			t.Errorf("half a day was deleted: %d points of %d events, want %d of 36", rows, events, want)
		}
	}
	if _, err := s.DeleteBefore(t.Context(), daysSite, 2*day); err != nil {
		t.Fatal(err)
	}
	if n, marks := countKeys(t, s, tableDay), countKeys(t, s, tableSummed); n != 0 || marks != 0 {
		t.Errorf("all was deleted: %d chunks and %d notes are left", n, marks)
	}
}

// TestDaysOfMany: the values of a day that fill several chunks are found one by one, and all.
func TestDaysOfMany(t *testing.T) {
	s := mustOpen(t, Options{})
	const pages = 5000
	scan := fillDay(t, s, daysSite, pages)
	scan()
	if rows, _ := scan(); rows != pages {
		t.Fatalf("%d points of a day with %d values", rows, pages)
	}
	if n := countKeys(t, s, tableDay); n < 3 {
		t.Fatalf("%d chunks", n)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var wanted []string
		for range 1 + r.IntN(4) {
			wanted = append(wanted, fmt.Sprintf("/%05d", r.IntN(pages+500)))
		}
		sel := window.Selection{Kind: window.Hour, Site: daysSite, Family: window.Pages, From: 0, To: 3 * day, Values: [2][]string{wanted}, Days: true}
		var got, want []string
		err := s.Scan(t.Context(), sel, func(_ event.Time, _ bool, p *window.Point) error {
			got = append(got, strings.Clone(p.Dims[0]))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range slices.Compact(slices.Sorted(slices.Values(wanted))) {
			if v < fmt.Sprintf("/%05d", pages) {
				want = append(want, v)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("of %q there are %q", wanted, got)
		}
	}
}

// TestDaysNotWorth: where hours have few values in common there are no sums.
func TestDaysNotWorth(t *testing.T) {
	s := mustOpen(t, Options{})
	for at := event.Time(0); at < day; at += event.Hour {
		mustWrite(t, s, &window.Window{Kind: window.Hour, Site: daysSite, Start: at, Version: 1, Points: []window.Point{
			{Family: window.Pages, Dims: [2]string{fmt.Sprint("/", at)}, Rollup: window.Rollup{Events: 1}},
		}})
	}
	for range 3 {
		sel := window.Selection{Kind: window.Hour, Site: daysSite, Family: window.Pages, From: 0, To: day, Days: true}
		if err := s.Scan(t.Context(), sel, func(event.Time, bool, *window.Point) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n, marks := countKeys(t, s, tableDay), countKeys(t, s, tableSummed); n != 0 || marks != 1 {
		t.Errorf("%d chunks and %d notes, want none and one", n, marks)
	}
}
