package window

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
)

// rowsIn reads the rows of chunks back, as copies that share no memory with chunk.
func rowsIn(t interface{ Fatal(...any) }, chunk []byte) (rows []Row, visits []VisitRow) {
	chunk = bytes.Clone(chunk)
	kind, payload, rest, err := cutChunk(chunk)
	if err != nil || len(rest) > 0 {
		t.Fatal(kind, err, rest)
	}
	if kind == chunkVisits {
		r := visitReader{reader: newReader(payload)}
		for r.next() {
			visits = append(visits, VisitRow{
				Scope: r.scope, Dims: textOf(&r.dims, visitScope[r.scope]),
				Visits: r.add.visits, Bounces: r.add.bounces, Seconds: r.add.seconds, Views: r.add.views,
			})
		}
		err = r.Err
	} else {
		r := rowReader{reader: newReader(payload)}
		for r.next() {
			row := Row{Flags: r.flags, Visitor: r.visitor, Revenue: r.revenue, Paid: r.paid, Dims: textOf(&r.dims, rowDims)}
			for _, g := range r.goals {
				row.Goals = append(row.Goals, strings.Clone(g.s))
			}
			for _, p := range r.props {
				row.Props = append(row.Props, event.Prop{Key: strings.Clone(p[0].s), Value: strings.Clone(p[1].s)})
			}
			rows = append(rows, row)
		}
		err = r.Err
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range chunk {
		chunk[i] = '!' // a string that is still a view shows
	}
	return rows, visits
}

// textOf returns the values of those dimensions, cloned, after a look at the hashes and the set.
func textOf(d *dims, of dimSet) (all [NumDims]string) {
	for i := range all {
		v := d.values[i]
		if v.s != "" && (v.hash != hashOf(v.s) || v.id != 0 && v.id != valueOf(v.s).id) || d.set.has(Dim(i)) != (v.s != "") {
			panic(fmt.Sprintf("dimension %s: %+v, set %b", Dim(i), v, d.set))
		}
		if of.has(Dim(i)) {
			all[i] = strings.Clone(v.s)
		}
	}
	return all
}

func TestRowsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(drawRow)).Draw(t, "rows")
		var w RowWriter
		w.Add(&Row{Dims: [NumDims]string{Page: "left over"}, Goals: []string{"left over"}})
		w.Reset()
		for i := range rows {
			w.Add(&rows[i])
		}
		if w.Len() != len(rows) {
			t.Fatalf("Len %d, want %d", w.Len(), len(rows))
		}
		chunk := w.AppendChunk(nil)
		if d := len(chunk) - w.Size(); d < -8 || d > 8 {
			t.Fatalf("Size %d, encoded %d", w.Size(), len(chunk))
		}
		if got, _ := rowsIn(t, chunk); len(rows) > 0 && !reflect.DeepEqual(got, rows) {
			t.Fatalf("got %+v, want %+v", got, rows)
		}
	})
}

func TestVisitsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(drawVisit)).Draw(t, "rows")
		for i := range rows {
			for d := range rows[i].Dims {
				if !visitScope[rows[i].Scope].has(Dim(d)) {
					rows[i].Dims[d] = ""
				}
			}
		}
		var w VisitWriter
		w.Add(&VisitRow{Scope: ExitPageOnly, Dims: [NumDims]string{ExitPage: "left over"}})
		w.Reset()
		for i := range rows {
			w.Add(&rows[i])
		}
		if w.Len() != len(rows) {
			t.Fatalf("Len %d, want %d", w.Len(), len(rows))
		}
		chunk := w.AppendChunk(nil)
		if d := len(chunk) - w.Size(); d < -8 || d > 8 {
			t.Fatalf("Size %d, encoded %d", w.Size(), len(chunk))
		}
		if _, got := rowsIn(t, chunk); len(rows) > 0 && !reflect.DeepEqual(got, rows) {
			t.Fatalf("got %+v, want %+v", got, rows)
		}
	})
}

// FuzzRows: any payload of rows is an error or reads as rows that, written again, read the same.
func FuzzRows(f *testing.F) {
	payload := func(chunk []byte) []byte {
		_, p, _, _ := cutChunk(chunk)
		return p
	}
	dims := [NumDims]string{Page: "/a", EntryPage: "/a", Country: "DE", Browser: "Chrome", City: "2950159", BrowserVersion: "126"}
	f.Add(false, payload(chunkOf([]Row{
		{Flags: PageviewRow, Visitor: 7, Dims: dims}, {Visitor: 7, Dims: dims, Revenue: 5, Goals: []string{"g", ""}, Props: []event.Prop{{Key: "k", Value: None}}}, {Flags: BotRow},
	})))
	dims[ExitPage] = dims[EntryPage]
	f.Add(true, payload(visitsOf([]VisitRow{
		{Visits: 1, Bounces: 1, Views: 1, Dims: dims}, {Scope: AllButExitPage, Bounces: -1, Seconds: 300, Dims: dims}, {Scope: ExitPageOnly, Views: -1, Dims: dims},
	})))
	f.Add(false, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 0x85, 0x06, copied, twoBytes, 3, literalLong, 2, 'a', 'b'})
	f.Fuzz(func(t *testing.T, isVisits bool, b []byte) {
		kind := byte(chunkRows)
		if isVisits {
			kind = chunkVisits
		}
		chunk := appendChunk(nil, kind, b)
		if err := NewAgg(2).Add(chunk); err != nil {
			if !errors.Is(err, ErrChunk) {
				t.Fatalf("error without ErrChunk: %v", err)
			}
			return
		}
		rows, changes := rowsIn(t, chunk)
		if isVisits {
			if _, again := rowsIn(t, visitsOf(changes)); !reflect.DeepEqual(again, changes) {
				t.Fatalf("got %+v, want %+v", again, changes)
			}
		} else if again, _ := rowsIn(t, chunkOf(rows)); !reflect.DeepEqual(again, rows) {
			t.Fatalf("got %+v, want %+v", again, rows)
		}
	})
}

// TestOtherDims: what stands in dimensions that a row does not hold is neither written nor counted.
func TestOtherDims(t *testing.T) {
	var all [NumDims]string
	for d := range all {
		all[d] = "x"
	}
	a, b := NewAgg(0), NewAgg(0)
	row, visit := Row{Dims: all}, VisitRow{Dims: all, Visits: 1}
	a.AddRow(&row)
	a.AddVisitRow(&visit)
	if err := b.Add(append(chunkOf([]Row{row}), visitsOf([]VisitRow{visit})...)); err != nil {
		t.Fatal(err)
	}
	for k := range NumKinds {
		x, y := linesOf(t, a, Window{Kind: k, Site: "s"}), linesOf(t, b, Window{Kind: k, Site: "s"})
		if x != y || strings.Contains(x, "goal") || strings.Contains(x, "prop") {
			t.Errorf("%s: of rows\n%s\nof chunks\n%s", k, x, y)
		}
	}
}

// TestWindowPartition: windows lie in the partition of the same number as their events.
func TestWindowPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		site := rapid.StringMatching(`[a-z0-9.-]{1,20}`).Draw(t, "site")
		shard := uint16(rapid.IntRange(0, 1<<16-1).Draw(t, "shard"))
		start := event.Time(rapid.Int64Range(0, 1<<42).Draw(t, "start")).Floor(event.Minute)
		k := Kind(rapid.IntRange(0, int(NumKinds)-1).Draw(t, "kind"))
		n := rapid.Int32Range(1, 64).Draw(t, "partitions")
		p := event.Partition(site, shard, n)
		if got := event.Hash(RecordKey(k, site, start, shard)) % uint32(n); got != uint32(p) {
			t.Fatalf("window in %d, events in %d", got, p)
		}
		if got := event.Hash(event.Key(p)) % uint32(n); got != uint32(p) {
			t.Fatalf("key %q in %d", event.Key(p), got)
		}
	})
}

func TestClean(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	f("", None)
	f(" \t\n", None)
	f("/a b", "/a b")
	f("\x00/a\x1fb\x7f", "/a b")
	f(`C:\dir\`, "C:/dir/")
	f("/caf\xe9", "/caf\ufffd") // a path in Latin-1, percent-decoded: line protocol has to be UTF-8
	f("\xff", "\ufffd")
	f(strings.Repeat("x", MaxValueLen+1), strings.Repeat("x", MaxValueLen))
	f(strings.Repeat("x", MaxValueLen-1)+"é", strings.Repeat("x", MaxValueLen-1))
	f(strings.Repeat("\x80a", MaxValueLen), strings.Repeat("\ufffda", MaxValueLen/4))
}

// TestOrigin: a row or a change with an origin of its own is the bytes, and counts as, the one with
// the same in Dims, whatever else Dims has.
func TestOrigin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(drawRow)).Draw(t, "rows")
		changes := rapid.SliceOf(rapid.Custom(drawVisit)).Draw(t, "changes")
		a, b := NewAgg(0), NewAgg(0)
		withOrigin := func(dims [NumDims]string) ([NumDims]string, []byte) {
			origin := AppendOrigin(nil, &dims)
			got := dims
			for _, d := range originOrder {
				got[d] = "x"
			}
			if !ReadOrigin(origin, &got) || got != dims {
				t.Fatalf("%x is %q, want %q", origin, got, dims)
			}
			for _, d := range originOrder {
				got[d] = "x"
			}
			return got, origin
		}
		want := append(chunkOf(rows), visitsOf(changes)...)
		for i := range rows {
			a.AddRow(&rows[i])
			rows[i].Dims, rows[i].Origin = withOrigin(rows[i].Dims)
			b.AddRow(&rows[i])
		}
		for i := range changes {
			a.AddVisitRow(&changes[i])
			changes[i].Dims, changes[i].Origin = withOrigin(changes[i].Dims)
			b.AddVisitRow(&changes[i])
		}
		if got := append(chunkOf(rows), visitsOf(changes)...); !bytes.Equal(got, want) {
			t.Fatalf("%x\nwant %x", got, want)
		}
		for k := range NumKinds {
			if x, y := linesOf(t, a, Window{Kind: k, Site: "s"}), linesOf(t, b, Window{Kind: k, Site: "s"}); x != y {
				t.Fatalf("%s: %s\nwant %s", k, y, x)
			}
		}
	})
}

// FuzzOrigin: any bytes are no origin, or one that reads the same when it is written again; and
// values as well.
func FuzzOrigin(f *testing.F) {
	f.Add(AppendOrigin(nil, &[NumDims]string{Source: "Google", Country: "DE", City: "2950159", UTMTerm: strings.Repeat("x", 100)}))
	f.Add(noOrigin)
	f.Add([]byte{1, literal})
	f.Fuzz(func(t *testing.T, b []byte) {
		var x, y [NumDims]string
		if ReadOrigin(b, &x) && (!ReadOrigin(AppendOrigin(nil, &x), &y) || x != y) {
			t.Fatalf("%q read again: %q", x, y)
		}
		if s, rest, ok := CutValue(b); ok {
			if again, left, ok := CutValue(AppendValue(nil, s)); !ok || again != s || len(left) > 0 || len(rest) >= len(b) {
				t.Fatalf("%q read again: %q", s, again)
			}
		}
	})
}

// TestOfVisit: a dimension is the visit's if it is kept from the visit's beginning, and else only
// where it is the page the visit began with. One that is added is neither by accident.
func TestOfVisit(t *testing.T) {
	for d := Dim(0); d < NumDims; d++ {
		if got, want := d.OfVisit(), d == EntryPage || slices.Contains(originOrder[:], d); got != want {
			t.Errorf("%s: OfVisit is %v, want %v", d, got, want)
		}
	}
}
