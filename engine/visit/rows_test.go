package visit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// pageview returns one of visitor 1, some seconds after the origin.
func pageview(second int, page string) seen {
	e := seen{site: "a.example", visitor: 1, at: origin + event.Time(second)*event.Second, pageview: true}
	e.dims[window.Page] = page
	e.dims[window.Source] = "Google"
	return e
}

func custom(second int) seen {
	e := pageview(second, "")
	e.pageview = false
	return e
}

func (e seen) from(source string) seen { e.dims[window.Source] = source; return e }
func (e seen) silent() seen            { e.nonInteractive = true; return e }
func (e seen) of(visitor, prev event.Visitor) seen {
	e.visitor, e.prev = visitor, prev
	return e
}

// run gives a table records of events and returns the number of rows of the last one.
func run(tab *Table, records ...[]seen) (n int) {
	for _, record := range records {
		for _, e := range record {
			observe(tab, e)
		}
		out := flush(tab)
		n = 0
		for _, g := range tab.groups[:len(out.adds)] {
			n += g.rows.Len()
		}
	}
	return n
}

// TestRowsAreFew: a record writes no more rows than it must.
func TestRowsAreFew(t *testing.T) {
	f := func(what string, want int, records ...[]seen) {
		t.Helper()
		if got := run(NewTable(Rules{}), records...); got != want {
			t.Errorf("%s: %d rows, want %d", what, got, want)
		}
	}
	first := []seen{pageview(0, "/")}
	f("a visit begins", 1, first)
	f("the same page", 1, first, []seen{pageview(5, "/")})
	f("another page", 3, first, []seen{pageview(5, "/a")})
	f("another page, five events in a record", 3, first, []seen{pageview(5, "/a"), pageview(6, "/"), custom(7), pageview(8, "/b"), pageview(9, "/a")})
	f("away and back in a record", 1, first, []seen{pageview(5, "/a"), pageview(6, "/")})
	f("begun and moved on in a record", 1, []seen{pageview(0, "/"), pageview(5, "/a")})
	f("an interactive event: no bounce any more", 1, first, []seen{custom(0)})
	f("a silent event, in a bounce", 0, first, []seen{custom(5).silent()})
	f("an event that changes no second", 0, []seen{pageview(0, "/"), custom(0)}, []seen{custom(0)})
	f("an earlier pageview of the same source and page", 1, first, []seen{pageview(-5, "/")})
	f("an earlier pageview of another source", 2, first, []seen{pageview(-5, "/").from("Bing")})
	f("an earlier event", 1, first, []seen{custom(-5).from("Bing")})
	f("the first pageview after an event", 2, []seen{custom(0)}, []seen{pageview(5, "/")})
	f("an earlier event in the quarter before", 2, first, []seen{custom(-25 * 60)})
	// One is taken out of all; the other moves on and counts more.
	f("a bridge between two visits", 4, first, []seen{pageview(40*60, "/b")}, []seen{pageview(20*60, "/a")})
	f("re-keyed", 1, first, []seen{pageview(5, "/").of(2, 1)})
	f("without a visitor", 0, []seen{pageview(0, "/").of(0, 1)})
	// origin is 13 min 20 s into a quarter.
	f("another quarter and back in a record", 1, []seen{pageview(200, "/")}, []seen{pageview(-25*60+200, "/"), pageview(201, "/")}[1:])
}

// TestPlace shows which events are one visit: how many visits there are after the events, each given as a minute.
func TestPlace(t *testing.T) {
	f := func(want int, minutes ...int) {
		t.Helper()
		tab := NewTable(Rules{})
		for _, m := range minutes {
			run(tab, []seen{pageview(m*60, "/")})
		}
		audit(t, tab)
		if tab.Len() != want {
			t.Errorf("%v: %d visits, want %d", minutes, tab.Len(), want)
		}
	}
	f(1, 0, 30)
	f(2, 0, 31)
	f(1, 0, 30, 60, 90, 120)
	f(2, 0, 60)
	f(1, 0, 60, 30)
	f(2, 0, 61, 30)
	f(1, 60, 30, 0)
	f(3, 120, 60, 0)
	// Twelve hours, and no more.
	var day []int
	for m := 0; m <= 12*60; m += 20 {
		day = append(day, m)
	}
	f(1, day...)
	f(2, append(day[:len(day):len(day)], 12*60+1)...)
	f(2, append(day[:len(day):len(day)], 12*60+1, 12*60+15, 12*60+25)...)
}

// TestMidnight: a visit that goes on under the hash of the new day stays one.
func TestMidnight(t *testing.T) {
	tab := NewTable(Rules{})
	run(tab, []seen{pageview(0, "/").of(1, 0)}, []seen{pageview(60, "/a").of(2, 1)}, []seen{pageview(120, "/b").of(2, 1)}, []seen{pageview(180, "/c").of(2, 0)})
	if tab.Len() != 1 {
		t.Fatalf("%d visits: %s", tab.Len(), dump(tab))
	}
	if v := tab.visits.at(tab.first(tab.names["a.example"], 2)); v.views != 4 || v.span != 180_000 {
		t.Errorf("got %s", dump(tab))
	}
	run(tab, []seen{pageview(200, "/").of(1, 0)}) // the old hash is somebody new
	if tab.Len() != 2 {
		t.Errorf("%d visits: %s", tab.Len(), dump(tab))
	}
}

// TestExpire: a visit lives as long as an event that is not dropped may touch it.
func TestExpire(t *testing.T) {
	tab := NewTable(Rules{})
	run(tab, []seen{pageview(0, "/")})
	end := origin + 30*event.Minute // of its time
	dies := (end + event.Hour).Floor(event.Minute) + event.Minute
	tab.Expire(dies - 1)
	if tab.Len() != 1 {
		t.Fatal("it died early")
	}
	tab.Expire(dies)
	audit(t, tab)
	if tab.Len() != 0 || len(tab.names) != 0 || len(tab.due) != 0 {
		t.Errorf("it lives on: %s", dump(tab))
	}
}

// TestHorizon: no window before the horizon can change.
func TestHorizon(t *testing.T) {
	tab := NewTable(Rules{})
	const watermark = origin
	oldest := (watermark - event.Hour).Floor(event.Minute) // of an event that is not dropped
	first := oldest - 30*event.Minute - 12*event.Hour      // of a visit that it may be one of, or bridge to
	if h := tab.Horizon(watermark); h > first || h < first-20*event.Minute || h%(15*event.Minute) != 0 {
		t.Errorf("horizon %s, a visit may have begun at %s", h, first)
	}
	if h := tab.Horizon(0); h > -event.Hour*1e6 {
		t.Errorf("horizon %d before the first watermark", h)
	}
}

func TestValidate(t *testing.T) {
	f := func(r Rules, want string) {
		t.Helper()
		got := ""
		if err := r.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(Rules{}, "")
	f(Rules{Timeout: -1, MaxLength: 30 * 24 * event.Hour, Lateness: -1, MaxPerSite: -1},
		"visit rules: timeout -1 ms is negative; max length 2592000000 ms is not within the timeout of -1 ms and 24 days; lateness -1 ms is negative; max per site -1 is negative")
}

// TestLongValues: values past the bounds that package window sets do no harm.
func TestLongValues(t *testing.T) {
	tab, other := NewTable(Rules{}), NewTable(Rules{})
	e := pageview(0, strings.Repeat("é", 2*window.MaxValueLen))
	for d := range e.dims {
		e.dims[d] = strings.Repeat(fmt.Sprint(d), 2*window.MaxValueLen)
	}
	e.site = e.dims[window.Hostname]
	for _, e := range []seen{e, pageview(1, e.dims[0]+"x")} {
		observe(tab, e)
		if err := other.Apply(flush(tab).journal); err != nil {
			t.Fatal(err)
		}
	}
	audit(t, tab)
	if dump(tab) != dump(other) {
		t.Errorf("got %s", dump(other))
	}
}

// TestOwnHost: a hostname that is the site's name is held as such and in no other way.
func TestOwnHost(t *testing.T) {
	tab := NewTable(Rules{})
	e := pageview(0, "/")
	e.dims[window.Hostname] = e.site
	observe(tab, e)
	journal := flush(tab).journal
	dims := tab.arena.get(tab.visits.at(1).dims)
	entry, host, origin, _ := cutDims(dims, e.site)
	if host != e.site {
		t.Errorf("hostname %q", host)
	}
	long := append(window.AppendValue(window.AppendValue(nil, entry), e.site), origin...)
	journal = bytes.Replace(journal, appendBytes(nil, dims), appendBytes(nil, long), 1)
	if err := NewTable(Rules{}).Apply(journal); !errors.Is(err, ErrJournal) {
		t.Errorf("spelled out: %v", err)
	}
}

func TestApplyRefuses(t *testing.T) {
	tab := NewTable(Rules{})
	observe(tab, pageview(0, "/"))
	good := flush(tab).journal
	for n := 8; n < len(good)-1; n++ { // 7 are an empty journal
		if err := NewTable(Rules{}).Apply(good[:n]); !errors.Is(err, ErrJournal) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(good), err)
		}
	}
	observe(tab, pageview(1, "/a"))
	f := func(journal []byte, want string) {
		t.Helper()
		if err := NewTable(Rules{}).Apply(journal); !errors.Is(err, ErrJournal) || err.Error() != "malformed journal of visits: "+want {
			t.Errorf("%x: %v", journal, err)
		}
	}
	f(flush(tab).journal, "change of a visit that is not known")
	f([]byte{9}, "data of a newer Millrace (format 9; this one reads 5 to 8): use the newer program")
	f([]byte{7}, "format 7, and the table names visits: false")
	f([]byte{4}, "unknown format 4")
	f([]byte{formatJournal, 0, 1, 'a', 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, "visit at no possible time")
	f([]byte{formatJournal, 0, 1, 'a', 4, 1, 0, 0, 0, 0, 0, 0, 0, markEntry, 8, 1, 1, 2, 0}, "place beyond the end of a visit")
	f([]byte{formatJournal, 0, 1, 'a', 4, 1, 0, 0, 0, 0, 0, 0, 0, markExitKept, 8, 1, 1, 0}, "marks of a visit that exclude each other")
	f([]byte{formatJournal, 0, 1, 'a', 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1, 1, 0}, "bad dimensions of a visit")
	f([]byte{formatJournal, 0, 1, 'a', 4, 1, 0, 0, 0, 0, 0, 0, 0, 64, 8, 1, 1, 0}, "bad marks of a visit")
	f([]byte{formatJournal, 0, 1, 'a', 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1, 1, 3, 0x80, 0x80, 0, 0, 8, 1, 1, 3, 0x80, 0x80, 0}, "visits of a visitor overlap")
}

// TestApplyTail: without the first journal, its visit is passed over and all others are there.
func TestApplyTail(t *testing.T) {
	tab, tail := NewTable(Rules{}), NewTable(Rules{})
	observe(tab, pageview(0, "/"))
	observe(tab, pageview(0, "/").of(2, 0))
	flush(tab)
	for _, e := range []seen{pageview(5, "/a"), pageview(6, "/").of(3, 0), pageview(7, "/b").of(3, 0), pageview(8, "/c").of(4, 2)} {
		observe(tab, e)
		if err := tail.ApplyTail(flush(tab).journal); err != nil {
			t.Fatal(err)
		}
	}
	audit(t, tail)
	s := tail.names["a.example"]
	if s.live != 2 || tail.first(s, 3) == 0 || tail.first(s, 4) == 0 {
		t.Errorf("got %s", dump(tail))
	}
}

func FuzzApply(f *testing.F) {
	tab := NewTable(Rules{})
	seed := func(events ...seen) {
		for _, e := range events {
			observe(tab, e)
		}
		f.Add(flush(tab).journal)
	}
	seed(pageview(0, "/"))
	seed(pageview(1, "/a"), custom(2))
	seed(pageview(7200, "/a"), pageview(7200, "/a").of(3, 0))
	seed(pageview(7201, "/b").of(2, 1))
	blob, _ := tab.Checkpoint(nil)
	f.Add(blob)
	named := NewTable(Rules{})
	named.Watch(nil)
	observe(named, pageview(0, "/"))
	f.Add(flush(named).journal)
	observe(named, pageview(1, "/a").of(2, 1))
	blob, _ = named.Checkpoint(nil)
	f.Add(blob)
	f.Fuzz(func(t *testing.T, b []byte) {
		if tail := NewTable(Rules{}); tail.ApplyTail(b) == nil {
			audit(t, tail)
		}
		// A table that names its visits reads what one of its kind has written, and no other.
		newTable := func() *Table {
			tab := NewTable(Rules{})
			if len(b) > 0 && b[0] >= formatNamedJournal {
				tab.Watch(nil)
			}
			return tab
		}
		tab := newTable()
		if err := tab.Apply(b); err != nil {
			if !errors.Is(err, ErrJournal) {
				t.Fatalf("error without a reason: %v", err)
			}
			return
		}
		audit(t, tab)
		if limit := 1<<20 + 200*len(b); tab.Bytes() > limit {
			t.Fatalf("%d bytes for a journal of %d", tab.Bytes(), len(b))
		}
		// What was read is the state of a table like any other.
		tab.tracking = false // write all
		blob, _ := tab.Checkpoint(nil)
		again := newTable()
		if err := again.Apply(blob); err != nil || dump(again) != dump(tab) {
			t.Fatalf("%v\ngot\n%swant\n%s", err, dump(again), dump(tab))
		}
		observe(tab, pageview(0, "/"))
		flush(tab)
		tab.Expire(origin)
		audit(t, tab)
	})
}
