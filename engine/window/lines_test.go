package window

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

func drawPoint(t *rapid.T, k Kind) Point {
	p := Point{Family: rapid.SampledFrom(familiesWhere(func(f Family) bool { return f.In(k) })).Draw(t, "family")}
	for i := range p.Family.Dims() {
		p.Dims[i] = Clean(rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "value"))
	}
	n := func(label string) int64 {
		return rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, label)
	}
	if k == Visits {
		p.Visits, p.Bounces, p.Seconds, p.Views = n("visits"), n("bounces"), n("seconds"), n("views")
		return p
	}
	p.Events, p.Pageviews, p.Revenue, p.Paid = n("events"), n("pageviews"), event.Money(n("revenue")), n("paid")
	var sk sketch.Sketch
	for range rapid.IntRange(0, 20).Draw(t, "visitors") {
		sk.Add(rapid.Uint64().Draw(t, "visitor"))
	}
	p.Visitors, p.Sketch = sk.Estimate(), sk.AppendBinary([]byte{})
	return p
}

func TestLinesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Kind(rapid.IntRange(0, int(NumKinds)-1).Draw(t, "kind"))
		want := &Window{
			Kind:    k,
			Site:    rapid.StringMatching(`[a-z0-9.-]{1,30}`).Draw(t, "site"),
			Shard:   uint16(rapid.IntRange(0, 1<<16-1).Draw(t, "shard")),
			Start:   event.Time(rapid.Int64Range(-1<<42, 1<<42).Draw(t, "start")).Floor(k.Length()),
			Version: rapid.Int64().Draw(t, "version"),
			Final:   rapid.Bool().Draw(t, "final"),
			Points:  rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Point { return drawPoint(t, k) }), 1, 8).Draw(t, "points"),
		}
		lines, err := want.AppendLines(nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(lines), "\n"); n != len(want.Points) {
			t.Fatalf("%d lines of %d points", n, len(want.Points))
		}
		rec, err := Decode(lines)
		if err != nil {
			t.Fatalf("%v\n%s", err, lines)
		}
		if !reflect.DeepEqual(rec.Window, want) {
			t.Fatalf("got  %+v\nwant %+v\n%s", rec.Window, want, lines)
		}
	})
}

// FuzzLines: a hostile value through Clean reads back as it was written, and adds no line, tag or
// field.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"/", `/a,b=c d`, `x\`, "a\nb,site=evil events=9i", `"`, "\xff\xfe", "é\u2028", "#", " lead", `a\,b`, Other, None} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		want := &Window{Site: "a.example", Start: 1_700_000_040_000, Version: 3, Final: true, Points: []Point{
			{Family: Pages, Dims: [2]string{Clean(a)}, Rollup: Rollup{Events: 1, Sketch: []byte{}}},
			{Family: CountryBrowsers, Dims: [2]string{Clean(a), Clean(b)}, Rollup: Rollup{Events: 2, Pageviews: 1, Sketch: []byte{1, 2}}},
		}}
		rec, err := Decode([]byte(mustLines(t, want)))
		if err != nil || !reflect.DeepEqual(rec.Window, want) {
			t.Fatalf("got %+v %v\nwant %+v", rec.Window, err, want)
		}
	})
}

// FuzzDecode: any bytes give a record or an ErrLine; a window that can be written again reads the
// same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("page,page=/pricing,site=example.com events=3i,pageviews=3i,visitors=2i,sketch=\"\",version=1234i,final=true 1700000040\n"))
	f.Add([]byte("totals,site=a,shard=3 events=1i 60\ntotals,site=a,shard=3 events=2i 60"))
	f.Add([]byte("source_visits,site=a,source=x visits=0i,bounces=-1i,seconds=7i,views=2i,version=1i,final=false 900\n"))
	f.Add([]byte("goal_page_hour,goal=g,page=/,site=a events=1i,revenue=-5i 3600\n"))
	f.Add(Progress{Partition: 3, Low: 1_700_000_040_000, Hours: 1_699_999_200_000, Offset: 9}.AppendLines(nil))
	f.Add([]byte("# comment\n\n"))
	f.Add([]byte("progress,partition=x low=1i 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrLine) {
				t.Fatalf("error without ErrLine: %v", err)
			}
			return
		}
		if rec.Progress != nil {
			again, err := Decode(rec.Progress.AppendLines(nil))
			if err != nil || *again.Progress != *rec.Progress {
				t.Fatalf("progress %+v reads back as %+v, %v", rec.Progress, again.Progress, err)
			}
			return
		}
		lines, err := rec.Window.AppendLines(nil)
		if err != nil {
			return // values that Clean would not have let through
		}
		again, err := Decode(lines)
		if err != nil {
			t.Fatalf("%v\n%q", err, lines)
		}
		if x, y := mustLines(t, again.Window), string(lines); x != y {
			t.Fatalf("reads back as\n%s\nwant\n%s", x, y)
		}
	})
}

// TestMeasurements: each kind and family has a name of its own, that reads back.
func TestMeasurements(t *testing.T) {
	n := 0
	for k := range NumKinds {
		for f := range NumFamilies {
			if !f.In(k) {
				continue
			}
			n++
			name := Measurement(k, f)
			if gk, gf, ok := ParseMeasurement(name); gk != k || gf != f || !ok {
				t.Errorf("ParseMeasurement(%q) = %s, %s, %v, want %s, %s", name, gk, gf, ok, k, f)
			}
		}
	}
	if n != len(measurements) {
		t.Errorf("%d names of %d measurements", len(measurements), n)
	}
	for _, name := range []string{"", "unknown", "page_visits", "page_hour_visits", "visits", "_hour", "exit_page"} {
		if k, f, ok := ParseMeasurement(name); ok {
			t.Errorf("ParseMeasurement(%q) = %s, %s", name, k, f)
		}
	}
}

// TestLinesOfKinds shows the text of each kind.
func TestLinesOfKinds(t *testing.T) {
	a := NewAgg(0)
	a.AddRow(&Row{Flags: PageviewRow, Revenue: 99_000, Dims: [NumDims]string{Page: "/"}, Goals: []string{"Buy"}, Props: []event.Prop{{Key: "plan", Value: "pro"}}})
	a.AddRow(&Row{Revenue: -99_000, Dims: [NumDims]string{Page: "/b"}})
	f := func(k Kind, start event.Time, want string) {
		t.Helper()
		if got := linesOf(t, a, Window{Kind: k, Site: "s", Start: start, Version: 7, Final: true}); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	const of1, of2 = `events=1i,pageviews=1i,visitors=0i,sketch="",revenue=99000i,paid=1i,version=7i,final=true `, `events=1i,pageviews=0i,visitors=0i,sketch="",revenue=-99000i,paid=1i,version=7i,final=true `
	const sum = `events=2i,pageviews=1i,visitors=0i,sketch="",paid=2i,version=7i,final=true `
	f(Minute, 60_000, "totals,site=s "+sum+"60\n"+
		"page,page=/,site=s "+of1+"60\n"+
		"page,page=/b,site=s "+of2+"60\n"+
		"goal,goal=Buy,site=s "+of1+"60\n"+
		"prop,prop=plan,site=s,value=pro "+of1+"60\n"+
		"goal_page,goal=Buy,page=/,site=s "+of1+"60\n"+
		"lacking,lacks=-7ff,site=s "+of1+"60\n"+
		"lacking,lacks=-fff,site=s "+of2+"60\n"+
		"goal_lacking,goal=Buy,lacks=-7ff,site=s "+of1+"60\n"+
		"prop_set,prop_keys=plan,site=s "+of1+"60\n")
	f(Hour, 3_600_000, "totals_hour,site=s "+sum+"3600\n"+
		"page_hour,page=/,site=s "+of1+"3600\n"+
		"page_hour,page=/b,site=s "+of2+"3600\n"+
		"goal_hour,goal=Buy,site=s "+of1+"3600\n"+
		"prop_hour,prop=plan,site=s,value=pro "+of1+"3600\n"+
		"goal_page_hour,goal=Buy,page=/,site=s "+of1+"3600\n"+
		"lacking_hour,lacks=-7ff,site=s "+of1+"3600\n"+
		"lacking_hour,lacks=-fff,site=s "+of2+"3600\n"+
		"goal_lacking_hour,goal=Buy,lacks=-7ff,site=s "+of1+"3600\n"+
		"prop_set_hour,prop_keys=plan,site=s "+of1+"3600\n")
	a = NewAgg(0)
	a.AddVisitRow(&VisitRow{Visits: 1, Seconds: 340, Views: 9, Dims: [NumDims]string{ExitPage: "/a"}})
	a.AddVisitRow(&VisitRow{Visits: -1, Seconds: -340, Views: -9, Dims: [NumDims]string{ExitPage: "/a"}, Scope: ExitPageOnly})
	f(Visits, 900_000, "totals_visits,site=s visits=1i,bounces=0i,seconds=340i,views=9i,version=7i,final=true 900\n"+
		"exit_page_visits,exit_page=/a,site=s visits=0i,bounces=0i,seconds=0i,views=0i,version=7i,final=true 900\n"+
		"lacking_visits,lacks=-7ff,site=s visits=1i,bounces=0i,seconds=340i,views=9i,version=7i,final=true 900\n")
}

func TestDecodeErrors(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		_, err := Decode([]byte(lines))
		if !errors.Is(err, ErrLine) || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode(%q): %v, want ErrLine with %q", lines, err, want)
		}
	}
	f("", "empty")
	f("cpu,site=a v=1i 60", "unknown measurement")
	f("page_visits,page=/,site=a visits=1i 60", "unknown measurement")
	f("exit_page,exit_page=/,site=a events=1i 60", "unknown measurement")
	f("totals_visits,site=a visits=1 60", "field visits is a float")
	f("totals,site=a events=1i,revenue=1 60", "field revenue is a float")
	f("totals,site=a events=1i 3600\ntotals_hour,site=a events=1i 3600", "two windows")
	f("progress,partition=1 hours=1 1", "field hours")
	f("totals,site=A events=1i 60", "site")
	f("totals events=1i 60", "site")
	f("page,site=a events=1i 60", "tag page is missing")
	f("page,site=a,page=/,os=x events=1i 60", "unknown tag")
	f("totals,site=a events=1i", "time")
	f("totals,site=a events=1 60", "field events is a float")
	f("totals,site=a sketch=\"*\" 60", "sketch")
	f("totals,site=a sketch=00 60", "field sketch is a float") // was a panic
	f("totals,site=a,shard=70000 events=1i 60", "shard")
	f("totals,site=a events=1i 60\ntotals,site=b events=1i 60", "two windows")
	f("totals,site=a events=1i 60\nprogress,partition=1 low=1i 1", "progress")
	f("progress,partition=9999999999 low=1i 1", "partition")
	f("\xff\xfe", "")
}
