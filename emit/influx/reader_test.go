package influx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// realReader returns a Reader of a database of its own, and a way to write into it.
func realReader(t *testing.T) (*Reader, func(lines []byte)) {
	t.Helper()
	addr := os.Getenv("MILLRACE_TEST_INFLUX")
	if addr == "" {
		t.Skip("MILLRACE_TEST_INFLUX not set: run deploy/dev-services.sh up")
	}
	cfg, err := influxdb.ParseURL(addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DB = fmt.Sprintf("test_%d_%d", os.Getpid(), time.Now().UnixNano())
	c := influxdb.NewClient(cfg, 10*time.Second, nil)
	t.Cleanup(func() {
		err := c.Query(context.Background(), "DROP DATABASE "+influxdb.QuoteName(cfg.DB), func(*influxdb.Series) error { return nil })
		if err != nil {
			t.Logf("drop test database: %v", err)
		}
	})
	r, err := NewReader(ReaderOptions{DB: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	created := false
	return r, func(lines []byte) {
		t.Helper()
		if !created {
			if err := c.CreateDatabase(t.Context()); err != nil {
				t.Fatal(err)
			}
			created = true
		}
		if err := c.Write(t.Context(), lines, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func lines(t *testing.T, ws ...*window.Window) []byte {
	t.Helper()
	var b []byte
	for _, w := range ws {
		var err error
		if b, err = w.AppendLines(b); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// scan returns what Scan finds, as lines such as "60 /x events=3 final".
func scan(t *testing.T, r *Reader, sel window.Selection) []string {
	t.Helper()
	var out []string
	last := event.Time(-1 << 62)
	err := r.Scan(t.Context(), sel, func(start event.Time, final bool, p *window.Point) error {
		if start < last {
			t.Errorf("%s comes after %s", start, last)
		}
		last = start
		s := fmt.Sprintf("%d %q %d/%d/%d", start/event.Second, p.Dims, p.Events, p.Pageviews, p.Visitors)
		if len(p.Sketch) > 0 {
			s += fmt.Sprintf(" %x", p.Sketch)
		}
		if final {
			s += " final"
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pointOf(f window.Family, events int64, dims ...string) window.Point {
	p := window.Point{Family: f, Rollup: window.Rollup{Events: events, Pageviews: events - 1, Visitors: 2, Sketch: []byte{0xfa, 0x00, byte(events)}}}
	copy(p.Dims[:], dims)
	return p
}

func TestScan(t *testing.T) {
	r, write := realReader(t)
	all := window.Selection{Site: "a.example", Family: window.Pages, From: 0, To: event.Time(1) << 50}
	if got := scan(t, r, all); got != nil {
		t.Errorf("no database yet: %q", got)
	}
	nasty := []string{"/it's", `/say "hi"`, "/a,b=c d", "/ünï☃", "/'; DROP MEASUREMENT page; --", "(other)", "(none)"}
	w1 := &window.Window{Site: "a.example", Start: 60000, Version: 5, Points: []window.Point{pointOf(window.Pages, 3, "/x"), pointOf(window.Totals, 9), pointOf(window.CountryBrowsers, 4, "EE", "Firefox")}}
	for _, n := range nasty {
		w1.Points = append(w1.Points, pointOf(window.Pages, 7, n))
	}
	zero := window.Point{Family: window.Pages, Dims: [2]string{"/gone"}}
	w2 := &window.Window{Site: "a.example", Start: 120000, Version: 6, Final: true, Points: []window.Point{pointOf(window.Pages, 4, "/x"), zero}}
	w3 := &window.Window{Site: "a.example", Start: 120000, Version: 6, Final: true, Shard: 3, Points: []window.Point{pointOf(window.Pages, 5, "/x")}}
	w4 := &window.Window{Site: "b.example", Start: 60000, Version: 5, Points: []window.Point{pointOf(window.Pages, 3, "/x"), pointOf(window.Totals, 9)}}
	write(lines(t, w1, w2, w3, w4))

	with := func(change func(*window.Selection)) window.Selection { s := all; change(&s); return s }
	f := func(sel window.Selection, want ...string) {
		t.Helper()
		if got := scan(t, r, sel); !reflect.DeepEqual(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%+v\ngot  %q\nwant %q", sel, got, want)
		}
	}
	f(with(func(s *window.Selection) { s.From = 120000 }),
		`120 ["/x" ""] 4/3/2 fa0004 final`, `120 ["/x" ""] 5/4/2 fa0005 final`)
	f(with(func(s *window.Selection) { s.To = 60000 }))
	f(with(func(s *window.Selection) { s.From, s.To = 120000, 60000 }))
	f(with(func(s *window.Selection) { s.From, s.To = -1<<62, 60001; s.Values[0] = []string{"/x", "/y"} }), `60 ["/x" ""] 3/2/2 fa0003`)
	f(with(func(s *window.Selection) { s.Values[0] = []string{} }))
	for _, n := range nasty {
		f(with(func(s *window.Selection) { s.Values[0] = []string{n} }), fmt.Sprintf("60 %q 7/6/2 fa0007", [2]string{n}))
	}
	f(with(func(s *window.Selection) { s.Family = window.CountryBrowsers }), `60 ["EE" "Firefox"] 4/3/2 fa0004`)
	f(with(func(s *window.Selection) { s.Family, s.Site = window.Totals, "b.example" }), `60 ["" ""] 9/8/2 fa0009`)
	f(with(func(s *window.Selection) { s.Family = window.Bots }))
	f(with(func(s *window.Selection) { s.Site = "' OR 'a'='a" }))

	sites, err := r.Sites(t.Context())
	if err != nil || !slices.Equal(sites, []string{"a.example", "b.example"}) {
		t.Errorf("sites %q, %v", sites, err)
	}
}

// More rows than fit a chunk, in many series, come in order and complete.
func TestScanOfManyChunks(t *testing.T) {
	r, write := realReader(t)
	const minutes, pages = 500, 20
	var b []byte
	for m := range minutes {
		w := &window.Window{Site: "a.example", Start: event.Time(m) * event.Minute, Version: 1}
		for p := range pages {
			w.Points = append(w.Points, pointOf(window.Pages, int64(p+1), fmt.Sprintf("/p%d", p)))
		}
		b = append(b, lines(t, w)...)
	}
	write(b)
	got := scan(t, r, window.Selection{Site: "a.example", Family: window.Pages, From: 0, To: 1 << 50})
	if len(got) != minutes*pages {
		t.Errorf("%d points, want %d", len(got), minutes*pages)
	}
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != minutes*pages {
		t.Errorf("%d different points", n)
	}
	// The callback ends a scan.
	enough := errors.New("enough")
	n := 0
	err := r.Scan(t.Context(), window.Selection{Site: "a.example", Family: window.Pages, From: 0, To: 1 << 50}, func(event.Time, bool, *window.Point) error {
		n++
		return enough
	})
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

func TestProgress(t *testing.T) {
	r, write := realReader(t)
	if got, err := r.Progress(t.Context()); err != nil || got != nil {
		t.Errorf("no database yet: %v, %v", got, err)
	}
	if got, err := r.Sites(t.Context()); err != nil || got != nil {
		t.Errorf("no database yet: %v, %v", got, err)
	}
	var b []byte
	for _, p := range []window.Progress{{Partition: 2, Low: 60500, Offset: 4}, {Partition: 10, Low: 1000, Offset: 1}, {Partition: 2, Low: 90123, Offset: 9}, {Partition: 2, Low: 70000, Offset: 7}} {
		b = p.AppendLines(b)
	}
	write(b)
	got, err := r.Progress(t.Context())
	want := []window.Progress{{Partition: 2, Low: 90123, Offset: 9}, {Partition: 10, Low: 1000, Offset: 1}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("progress %v, %v", got, err)
	}
}

func TestBadAnswers(t *testing.T) {
	f := func(status int, body, want string) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); io.WriteString(w, body) }))
		defer s.Close()
		cfg, err := influxdb.ParseURL(s.URL + "/db")
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(ReaderOptions{DB: cfg})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		err = r.Scan(t.Context(), window.Selection{Site: "a", Family: window.Pages, To: 1}, func(event.Time, bool, *window.Point) error { return nil })
		if err == nil && want == "" {
			return
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%d %s: %v, want %q", status, body, err, want)
		}
	}
	rows := func(row string) string {
		return `{"results":[{"series":[{"name":"page","columns":["time","events","pageviews","visitors","sketch","final","page"],"values":[` + row + `]}]}]}`
	}
	f(200, rows(`[60,1,1,1,"AA==",true,"/x"]`), "")
	f(200, rows(`[60,0,0,0,"",true,"/x"]`), "")
	f(200, rows(`[null,1,1,1,"",true,"/x"]`), "without a time")
	f(200, rows(`[60,null,1,1,"",true,"/x"]`), "without its counters")
	f(200, rows(`[60,-1,1,1,"",true,"/x"]`), "without its counters")
	f(200, rows(`[60,1,1,1,"?",true,"/x"]`), "sketch")
	f(200, rows(`[60,1,1,1,"",true]`), "without the tag page")
	f(200, `{"results":[{"error":"database not found: db"}]}`, "")
	f(404, `{"error":"database not found: \"db\""}`, "")
	f(401, `{"error":"authorization failed"}`, "401")
	f(200, `{"results":`, "read rollups of page")
}

// FuzzScanQuery: whatever the values, the query outside of its literals is what it is with harmless
// ones.
func FuzzScanQuery(f *testing.F) {
	for _, s := range []string{"/x", `'`, `\`, `\'`, `' OR 1=1; DROP DATABASE x --`, "a\nb", `"`, "\x00", "\xff'"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, site, value string) {
		q := func(site, value string) string {
			return scanQuery(window.Selection{Site: site, Family: window.CountryBrowsers, From: 1, To: 2, Values: [2][]string{{value, "x"}, {value}}})
		}
		if got, want := skeleton(q(site, value)), skeleton(q("a", "b")); got != want {
			t.Errorf("site %q, value %q change the query:\n%s\n%s", site, value, got, want)
		}
	})
}

// skeleton replaces the literals of a query, as InfluxQL's scanner finds them.
func skeleton(q string) string {
	var b bytes.Buffer
	for i := 0; i < len(q); i++ {
		if q[i] != '\'' {
			b.WriteByte(q[i])
			continue
		}
		b.WriteByte('?')
		for i++; i < len(q) && q[i] != '\''; i++ {
			if q[i] == '\\' {
				i++
			} else if q[i] == '\n' {
				b.WriteString("<literal broken off>")
			}
		}
	}
	return b.String()
}
