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

func drawPoint(t *rapid.T) Point {
	p := Point{Family: Family(rapid.IntRange(0, int(NumFamilies)-1).Draw(t, "family"))}
	for i := range p.Family.Dims() {
		p.Dims[i] = Clean(rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "value"))
	}
	p.Events = rapid.Int64().Draw(t, "events")
	p.Pageviews = rapid.Int64().Draw(t, "pageviews")
	var sk sketch.Sketch
	for range rapid.IntRange(0, 20).Draw(t, "visitors") {
		sk.Add(rapid.Uint64().Draw(t, "visitor"))
	}
	p.Visitors, p.Sketch = sk.Estimate(), sk.AppendBinary([]byte{})
	return p
}

func TestLinesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &Window{
			Site:    rapid.StringMatching(`[a-z0-9.-]{1,30}`).Draw(t, "site"),
			Shard:   uint16(rapid.IntRange(0, 1<<16-1).Draw(t, "shard")),
			Start:   event.Time(rapid.Int64Range(-1<<42, 1<<42).Draw(t, "start")).Floor(event.Minute),
			Version: rapid.Int64().Draw(t, "version"),
			Final:   rapid.Bool().Draw(t, "final"),
			Points:  rapid.SliceOfN(rapid.Custom(drawPoint), 1, 8).Draw(t, "points"),
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

// FuzzLines: a hostile value through Clean reads back as it was written, and adds no line, tag or field.
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

// FuzzDecode: any bytes give a record or an ErrLine; a window that can be written again reads the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("page,page=/pricing,site=example.com events=3i,pageviews=3i,visitors=2i,sketch=\"\",version=1234i,final=true 1700000040\n"))
	f.Add([]byte("totals,site=a,shard=3 events=1i 60\ntotals,site=a,shard=3 events=2i 60"))
	f.Add(Progress{Partition: 3, Low: 1_700_000_040_000, Offset: 9}.AppendLines(nil))
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
