package hitread_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/emit/lake/hitread"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/query"
	"millrace/query/statsapi"
)

// TestOutside: of what is outside of a selection nothing is read, of a column what is asked for alone, and each row is given once.
func TestOutside(t *testing.T) {
	w := newWorld(t, 3, 400, 12)
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := openArchive(t, store, w.archive(t, store, 50))
	s, err := a.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := func(sel hits.Selection, read func(b hits.Block) error) (n int64) {
		t.Helper()
		sel.Workers = 2
		var all atomic.Int64
		err := s.Hits(t.Context(), &sel, func(_ int, b hits.Block) error {
			all.Add(int64(b.Len()))
			return read(b)
		})
		if err != nil {
			t.Fatal(err)
		}
		return all.Load()
	}
	nothing := func(hits.Block) error { return nil }
	for _, sel := range []hits.Selection{
		{Site: "zz", From: 0, To: w.low * 2},
		{Site: sites[0], From: 0, To: base - 24*event.Hour},
		{Site: sites[0], From: w.low + 24*event.Hour, To: w.low * 2},
		{Site: "b", From: 0, To: w.low * 2}, // between the first and the last site of a file
	} {
		if n := rows(sel, nothing); n != 0 {
			t.Errorf("%+v: %d rows", sel, n)
		}
		if sel.Site == "b" {
			continue // is within the sites of files
		}
		if requests, _, _ := a.Reads(); requests != 0 {
			t.Errorf("%+v: %d requests", sel, requests)
		}
	}
	all := hits.Selection{Site: sites[1], From: 0, To: w.low * 2}
	want := int64(0)
	for p := range partitions {
		for _, h := range w.hits[p] {
			if h.Site == sites[1] {
				want++
			}
		}
	}
	if n := rows(all, nothing); n != want {
		t.Errorf("%d rows, the site has %d hits", n, want)
	}
	bytesOf := func(read func(b hits.Block) error) int64 {
		_, before, footers := a.Reads()
		rows(all, read)
		_, after, again := a.Reads()
		if again != footers {
			t.Errorf("%d footers were read again", again-footers)
		}
		return after - before
	}
	none := bytesOf(nothing)
	one := bytesOf(func(b hits.Block) error { _, err := b.Text(window.Country); return err })
	twice := bytesOf(func(b hits.Block) error {
		_, err := b.Text(window.Country)
		_, again := b.Text(window.Country)
		return errors.Join(err, again)
	})
	many := bytesOf(func(b hits.Block) error {
		for _, d := range []window.Dim{window.Country, window.Page, window.Browser, window.Referrer} {
			if _, err := b.Text(d); err != nil {
				return err
			}
		}
		return nil
	})
	if one <= none || twice != one || many < one+2*(one-none) {
		t.Errorf("%d bytes were read for no column, %d for one, %d for one twice, %d for four", none, one, twice, many)
	}
	half := hits.Selection{Site: sites[1], From: base + 2*event.Hour, To: base + 3*event.Hour}
	if n := rows(half, nothing); n == 0 || n > want/2 {
		t.Errorf("%d rows for an hour, of %d", n, want)
	}
}

// TestCancel: the end of the context ends a scan, and so does an error.
func TestCancel(t *testing.T) {
	w := newWorld(t, 4, 300, 12)
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := openArchive(t, store, w.archive(t, store, 10))
	s, err := a.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sel := &hits.Selection{Site: sites[0], From: 0, To: w.low * 2, Workers: 3}
	scan := func(ctx context.Context, visits bool, fn func() error) (calls int64, err error) {
		var n atomic.Int64
		if visits {
			err = s.Visits(ctx, sel, func(int, hits.VisitBlock) error { n.Add(1); return fn() })
		} else {
			err = s.Hits(ctx, sel, func(int, hits.Block) error { n.Add(1); return fn() })
		}
		return n.Load(), err
	}
	whole, err := scan(t.Context(), false, func() error { return nil })
	if err != nil || whole < 20 {
		t.Fatalf("%d blocks, %v", whole, err)
	}
	for _, visits := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		n, err := scan(ctx, visits, func() error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) || n > 2*int64(sel.Workers) {
			t.Errorf("visits %v: canceled, %d blocks, %v", visits, n, err)
		}
		mine := errors.New("mine")
		if n, err := scan(t.Context(), visits, func() error { return mine }); !errors.Is(err, mine) || n > int64(sel.Workers) {
			t.Errorf("visits %v: failed, %d blocks, %v", visits, n, err)
		}
	}
	list := w.archive(t, store, 10)
	gone := list.Hits[0].Key
	if err := store.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	fresh, err := openArchive(t, store, list).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = fresh.Hits(t.Context(), sel, func(int, hits.Block) error { return nil })
	if !errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), gone) {
		t.Errorf("of an archive without %s: %v", gone, err)
	}
}

// TestImported: an answer says that imported files are not in it.
func TestImported(t *testing.T) {
	w := newWorld(t, 3, 50, 12)
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list := w.archive(t, store, 50)
	for _, imported := range []bool{false, true} {
		a, err := hitread.New(hitread.Options{Store: store, Lister: list, VisitLength: rules.VisitLength, Imported: func(context.Context, []string) bool { return imported }})
		if err != nil {
			t.Fatal(err)
		}
		x, err := query.New(query.Options{Reader: noRollups{w.low}, Hits: a, Partitions: partitions, Now: func() time.Time { return w.low.Std().Add(time.Minute) }})
		if err != nil {
			t.Fatal(err)
		}
		api, err := statsapi.New(statsapi.Options{Executor: x})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := api.Answer(t.Context(), []byte(`{"site_id":"`+sites[0]+`","metrics":["events"],"date_range":"30d","dimensions":["event:page","visit:source"]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(answer.Meta.Warnings, " "), "imported files"); got != imported || answer.Meta.Source != "lake" {
			t.Errorf("imported %v: source %s, warnings %q", imported, answer.Meta.Source, answer.Meta.Warnings)
		}
	}
}
