package window

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"millrace/engine/event"
)

// TestAssociative cuts a sequence of rows and marks anywhere, folds neighbours in any order, and
// wants the rollups, the status and the folded state of the sequence as it was. A part that does
// not begin at the beginning is folded without a limit, a prefix with the limit or without.
func TestAssociative(t *testing.T) {
	f := func(kind Kind, drawChunk func(*rapid.T) []byte) {
		t.Helper()
		rapid.Check(t, func(t *rapid.T) {
			limit := rapid.IntRange(0, 4).Draw(t, "limit")
			var parts [][]byte
			for i := range rapid.IntRange(1, 8).Draw(t, "parts") {
				if rapid.IntRange(0, 3).Draw(t, "mark?") == 0 {
					parts = append(parts, AppendMark(nil, int64(i), rapid.Bool().Draw(t, "final")))
					continue
				}
				parts = append(parts, drawChunk(t))
			}
			want := NewAgg(limit)
			if err := want.Add(bytes.Join(parts, nil)); err != nil {
				t.Fatal(err)
			}
			all := foldAnyhow(t, parts, limit)
			got := NewAgg(limit)
			if err := got.Add(all); err != nil {
				t.Fatal(err)
			}
			head := Window{Kind: kind, Site: "a.example", Version: 7}
			if g, w := linesOf(t, got, head), linesOf(t, want, head); g != w {
				t.Fatalf("folded:\n%s\nwhole:\n%s", g, w)
			}
			if got.Status() != want.Status() {
				t.Fatalf("status %+v, want %+v", got.Status(), want.Status())
			}
			if s, err := ReadStatus(all); err != nil || s != want.Status() {
				t.Fatalf("ReadStatus %+v %v, want %+v", s, err, want.Status())
			}
			if !bytes.Equal(got.AppendFolded(nil), want.AppendFolded(nil)) {
				t.Fatal("folded state differs")
			}
		})
	}
	f(Minute, func(t *rapid.T) []byte { return chunkOf(rapid.SliceOfN(rapid.Custom(drawRow), 0, 8).Draw(t, "rows")) })
	f(Visits, func(t *rapid.T) []byte {
		return visitsOf(rapid.SliceOfN(rapid.Custom(drawVisit), 0, 8).Draw(t, "visits"))
	})
}

// foldAnyhow folds neighbours until one chunk is left or it has had enough.
func foldAnyhow(t *rapid.T, parts [][]byte, limit int) []byte {
	for len(parts) > 1 && rapid.IntRange(0, 9).Draw(t, "stop") != 0 {
		from := rapid.IntRange(0, len(parts)-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(parts)).Draw(t, "to")
		l := 0
		if from == 0 && rapid.Bool().Draw(t, "limited") {
			l = limit
		}
		a := NewAgg(l)
		for _, p := range parts[from:to] {
			if err := a.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		parts = append(append(append([][]byte{}, parts[:from]...), a.AppendFolded(nil)), parts[to:]...)
	}
	return bytes.Join(parts, nil)
}

// TestRecount compares an Agg with a count that shares no code with it; the budget is a small one.
func TestRecount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 4).Draw(t, "limit")
		rows := rapid.SliceOfN(rapid.Custom(drawRow), 0, 40).Draw(t, "rows")
		want := tally{limit: limit}
		for i := range rows {
			want.row(&rows[i])
		}
		a := usedAgg(limit)
		for len(rows) > 0 {
			n := rapid.IntRange(1, len(rows)).Draw(t, "chunk")
			if err := a.Add(chunkOf(rows[:n])); err != nil {
				t.Fatal(err)
			}
			rows = rows[n:]
		}
		diffPoints(t, a, Minute, &want)
	})
}

// TestRecountVisits does so with visits.
func TestRecountVisits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 4).Draw(t, "limit")
		rows := rapid.SliceOfN(rapid.Custom(drawVisit), 0, 40).Draw(t, "rows")
		want := tally{limit: limit}
		for i := range rows {
			want.visit(&rows[i])
		}
		a := usedAgg(limit)
		for len(rows) > 0 {
			n := rapid.IntRange(1, len(rows)).Draw(t, "chunk")
			if err := a.Add(visitsOf(rows[:n])); err != nil {
				t.Fatal(err)
			}
			rows = rows[n:]
		}
		diffPoints(t, a, Visits, &want)
	})
}

// TestRecountHour folds an hour from a few minutes, each with its budget, and wants what a recount
// has.
func TestRecountHour(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 4).Draw(t, "limit")
		want, hour := tally{}, usedAgg(limit)
		minute := NewAgg(0)
		for range rapid.IntRange(0, 5).Draw(t, "minutes") {
			wantMinute := tally{limit: limit}
			minute.Reset(limit)
			rows := rapid.SliceOfN(rapid.Custom(drawRow), 0, 12).Draw(t, "rows")
			for i := range rows {
				wantMinute.row(&rows[i])
				minute.AddRow(&rows[i])
			}
			before := minute.AppendFolded(nil)
			hour.Merge(minute)
			want.hour(&wantMinute)
			if !bytes.Equal(minute.AppendFolded(nil), before) {
				t.Fatal("Merge changed the minute")
			}
			diffPoints(t, minute, Minute, &wantMinute)
		}
		want.choose(limit)
		for range 2 { // read again it is the same
			diffPoints(t, hour, Hour, &want)
		}
	})
}

// TestRecountMany has more visitors than a memo has room for, who come again with other pages and
// now and then other dimensions, and more values than the budget.
func TestRecountMany(t *testing.T) {
	const limit = 500
	rng := rand.New(rand.NewPCG(3, 4))
	want, a := tally{limit: limit}, NewAgg(limit)
	var w RowWriter
	for i := range 3 * maxMemo {
		who := uint64(rng.IntN(8 * maxMemo))
		if rng.IntN(2) > 0 {
			who %= 100
		}
		r := Row{Flags: PageviewRow, Visitor: event.Visitor(who), Dims: [NumDims]string{
			Page: fmt.Sprintf("/%d", rng.IntN(700)), EntryPage: fmt.Sprintf("/%d", who), Country: benchCountries[who%20],
			Browser: benchBrowsers[who%7], BrowserVersion: fmt.Sprint(who % 200), Source: None,
		}}
		if rng.IntN(10) == 0 {
			r.Dims[Country] = "EE"
		}
		want.row(&r)
		if w.Add(&r); w.Len() == 50 || i+1 == 3*maxMemo {
			if err := a.Add(w.AppendChunk(nil)); err != nil {
				t.Fatal(err)
			}
			w.Reset()
		}
	}
	if b := a.Bytes(); b < a.Len()*int(unsafe.Sizeof(cell{})) || b > a.Len()*1000+maxMemo*100 {
		t.Errorf("%d bytes of %d values", b, a.Len())
	}
	got := Window{Kind: Minute}
	a.Fill(&got)
	points := want.points(Minute)
	if len(got.Points) != len(points) {
		t.Fatalf("%d points, want %d", len(got.Points), len(points))
	}
	for i, p := range got.Points {
		q := points[i]
		p.Visitors, q.Visitors = 0, 0 // an estimate, and a count
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("%s %v: got %+v, want %+v", p.Family, p.Dims, p, q)
		}
	}
}

// usedAgg returns an Agg that has memory of another window.
func usedAgg(limit int) *Agg {
	a := NewAgg(1)
	for range 3 {
		a.AddRow(&Row{Visitor: 9, Revenue: 3, Dims: [NumDims]string{Page: "/old", Country: "XX", Browser: "Old"}, Goals: []string{"old"}})
		a.AddVisitRow(&VisitRow{Visits: 1, Dims: [NumDims]string{ExitPage: "/older", Country: "YY", Browser: "Older"}})
	}
	a.Reset(limit)
	return a
}

func diffPoints(t *rapid.T, a *Agg, kind Kind, want *tally) {
	t.Helper()
	w := Window{Kind: kind}
	a.Fill(&w)
	if g, w := fmt.Sprintf("%+v", w.Points), fmt.Sprintf("%+v", want.points(kind)); g != w {
		t.Fatalf("got  %s\nwant %s", g, w)
	}
}

// TestBudget sends more values than fit: the first ones stay, and what they and Other hold adds up
// to the totals, exactly.
func TestBudget(t *testing.T) {
	const limit, values = 500, 2_000
	a := NewAgg(limit)
	for i := range 3 * values {
		a.AddRow(&Row{
			Flags: PageviewRow, Visitor: event.Visitor(i + 1),
			Dims: [NumDims]string{Page: fmt.Sprintf("/%d", i%values), Country: "DE", Browser: fmt.Sprint(i % values)},
		})
	}
	w := a.Window("a.example", 0, 0, 1, true)
	events := map[Family]int64{}
	n := map[Family]int{}
	others := 0
	for i := range w.Points {
		p := &w.Points[i]
		events[p.Family] += p.Events
		n[p.Family]++
		if p.Family == Pages && p.Dims[0] == Other {
			others++
			if p.Events != 3*(values-limit) || i+1 < len(w.Points) && w.Points[i+1].Family == Pages {
				t.Errorf("%+v: not last, or not %d events", p, 3*(values-limit))
			}
		}
	}
	if others != 1 {
		t.Errorf("%d times Other", others)
	}
	for _, f := range []Family{Totals, Pages, Countries, CountryBrowsers, Browsers} {
		if events[f] != 3*values {
			t.Errorf("%s: %d events, want %d", f, events[f], 3*values)
		}
	}
	if n[Pages] != limit+1 || n[CountryBrowsers] != limit+1 || n[Countries] != 1 {
		t.Errorf("values: %v", n)
	}
}

// TestMerge runs the store's merge operator over a state that is large enough to be folded.
func TestMerge(t *testing.T) {
	var small, large []byte
	rows := make([]Row, FoldFrom/40)
	for i := range rows {
		rows[i] = Row{Flags: PageviewRow, Visitor: event.Visitor(i%50 + 1), Dims: [NumDims]string{Page: fmt.Sprintf("/%d", i%40), Source: "a source with a name that takes room"}}
		large = append(large, chunkOf(rows[i:i+1])...)
	}
	small = large[:1000]
	if got, err := Merge(small, true, 5, FoldFrom); err != nil || !bytes.Equal(got, small) {
		t.Errorf("a small state was folded: %d bytes of %d, %v", len(got), len(small), err)
	}
	f := func(whole bool) {
		t.Helper()
		folded, err := Merge(large, whole, 5, FoldFrom)
		if err != nil || len(folded) >= len(large) {
			t.Fatalf("Merge: %d bytes of %d, %v", len(folded), len(large), err)
		}
		a, b := NewAgg(5), NewAgg(5)
		if err := errors.Join(a.Add(large), b.Add(folded)); err != nil {
			t.Fatal(err)
		}
		if x, y := mustLines(t, a.Window("s", 0, 0, 1, true)), mustLines(t, b.Window("s", 0, 0, 1, true)); x != y {
			t.Errorf("whole=%v: folded\n%s\nwant\n%s", whole, y, x)
		}
	}
	f(true)
	f(false)
	if _, err := Merge(large[:len(large)-1], true, 5, FoldFrom); !errors.Is(err, ErrChunk) {
		t.Errorf("cut short: %v", err)
	}
}

// TestRecords cuts a window into records: together they hold its points, each once, and each is a
// record of its own.
func TestRecords(t *testing.T) {
	a := NewAgg(0)
	for i := range 300 {
		a.AddRow(&Row{Flags: PageviewRow, Visitor: event.Visitor(i + 1), Dims: [NumDims]string{Page: fmt.Sprintf("/%d", i), Country: "EE"}})
	}
	head := &Window{Site: "s", Start: event.Minute, Version: 7, Final: true}
	var whole string
	parts := 0
	err := a.Records(head, 2000, func(b []byte) error {
		rec, err := Decode(b)
		if err != nil || rec.Window == nil || rec.Window.Version != 7 || !rec.Window.Final {
			t.Errorf("part %d: %+v, %v", parts, rec, err)
		}
		parts++
		whole += string(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := mustLines(t, a.Window("s", 0, event.Minute, 7, true)); whole != want || parts < len(want)/3000 {
		t.Errorf("%d parts of %d bytes, want %d bytes", parts, len(whole), len(want))
	}
	if n := a.linesLen(head); n < len(whole) || n > len(whole)*3/2 {
		t.Errorf("expected %d bytes, there are %d", n, len(whole))
	}
	fail := errors.New("full")
	if err := a.Records(head, 2000, func([]byte) error { return fail }); !errors.Is(err, fail) {
		t.Errorf("emit's error: %v", err)
	}
}

// TestStatus follows a window through its firings.
func TestStatus(t *testing.T) {
	row := chunkOf([]Row{{Visitor: 1}})
	fold := func(b []byte) []byte {
		a := NewAgg(0)
		if err := a.Add(b); err != nil {
			t.Fatal(err)
		}
		return a.AppendFolded(nil)
	}
	var state []byte
	f := func(add []byte, want Status) {
		t.Helper()
		state = append(state, add...)
		for _, b := range [][]byte{state, fold(state), append(fold(state[:len(state)-len(add)]), add...), append(bytes.Clone(state[:len(state)-len(add)]), fold(add)...)} {
			if got, err := ReadStatus(b); err != nil || got != want {
				t.Errorf("status %+v %v, want %+v", got, err, want)
			}
		}
	}
	f(nil, Status{FiredAt: NeverFired})
	f(row, Status{FiredAt: NeverFired, Dirty: true})
	f(AppendMark(nil, 0, false), Status{FiredAt: 0})
	f(row, Status{FiredAt: 0, Dirty: true})
	f(AppendMark(nil, 1<<40, true), Status{FiredAt: 1 << 40, Final: true})
	f(row, Status{FiredAt: 1 << 40, Final: true, Dirty: true})
	f(AppendMark(nil, 1<<40+1, true), Status{FiredAt: 1<<40 + 1, Final: true})
}

// FuzzChunks feeds arbitrary bytes as a state: an error or a status, never a panic, and what is
// accepted folds to something that is accepted and says the same.
func FuzzChunks(f *testing.F) {
	rows := chunkOf([]Row{{Flags: PageviewRow, Visitor: 7, Dims: [NumDims]string{Page: "/", Country: "DE", Browser: "Firefox"}}, {Flags: BotRow}})
	a := NewAgg(0)
	if err := a.Add(rows); err != nil {
		f.Fatal(err)
	}
	f.Add(rows)
	f.Add(AppendMark(rows, 77, true))
	f.Add(a.AppendFolded(AppendMark(rows, 77, true)))
	visits := visitsOf([]VisitRow{{Visits: 1, Views: 1, Bounces: 1, Dims: [NumDims]string{ExitPage: "/", Country: "DE"}}, {Scope: ExitPageOnly, Seconds: -5}})
	f.Add(visits)
	f.Add(chunkOf([]Row{{Revenue: 7, Goals: []string{"a", "b"}, Props: []event.Prop{{Key: "k", Value: "v"}}}}))
	if err := a.Add(visits); err != nil {
		f.Fatal(err)
	}
	f.Add(a.AppendFolded(nil))
	f.Add([]byte{chunkRows, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{chunkFolded, 4, 0, 0, 0, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		status, statusErr := ReadStatus(b)
		a := NewAgg(3)
		if err := a.Add(b); err != nil {
			if !errors.Is(err, ErrChunk) {
				t.Fatalf("error without ErrChunk: %v", err)
			}
			return
		}
		if statusErr != nil || status != a.Status() {
			t.Fatalf("ReadStatus %+v %v, Add %+v", status, statusErr, a.Status())
		}
		folded := a.AppendFolded(nil)
		again := NewAgg(3)
		if err := again.Add(folded); err != nil {
			t.Fatalf("what was folded is refused: %v", err)
		}
		if !bytes.Equal(again.AppendFolded(nil), folded) {
			t.Fatal("folding twice changes the state")
		}
	})
}

// TestMergeIntoRows: what came as rows and what comes from another Agg meet in the same values.
func TestMergeIntoRows(t *testing.T) {
	rows := []Row{{Visitor: 1, Dims: [NumDims]string{Page: "/a", Country: "EE", Browser: "Chrome"}}, {Visitor: 2, Dims: [NumDims]string{Page: "/b", Country: "EE"}}}
	a, b := NewAgg(0), NewAgg(0)
	for i := range rows {
		a.AddRow(&rows[i])
		b.AddRow(&rows[i])
	}
	n := a.Len()
	a.Merge(b)
	for i := range rows {
		a.AddRow(&rows[i])
	}
	if a.Len() != n {
		t.Errorf("%d values, want %d", a.Len(), n)
	}
}
