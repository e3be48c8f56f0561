package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

func mustIdentity(tb testing.TB) *enrich.Identity {
	tb.Helper()
	id, err := enrich.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func mustScanner(tb testing.TB, in io.Reader) *Scanner {
	tb.Helper()
	s, err := NewScanner(in, "blog.example", mustIdentity(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

const when = `[17/May/2015:10:05:03 +0000]`

func TestEvents(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		s := mustScanner(t, strings.NewReader(line+"\n"))
		if !s.Scan() {
			t.Errorf("%s: no event: %+v %v", line, s.Summary(), s.Malformed())
			return
		}
		e := s.Event()
		got := strings.Join([]string{e.Time.String(), e.URL, e.Referrer, e.UA, e.Country}, " | ")
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", line, got, want)
		}
		if e.Name != event.Pageview || e.Site != "blog.example" || e.Client != "import" || e.Received != e.Time || e.Visitor == 0 || e.ID == "" {
			t.Errorf("%s: got %+v", line, e)
		}
	}
	f(`8.8.8.8 - - `+when+` "GET /a?b=c&d HTTP/1.1" 200 12 "http://x.example/" "Mozilla/5.0 (X11)"`,
		`2015-05-17T10:05:03.000Z | https://blog.example/a?b=c&d | http://x.example/ | Mozilla/5.0 (X11) | US`)
	f(`2a00:1450:4001:80b::200e - frank [17/May/2015:23:05:03 -0730] "GET / HTTP/1.1" 304 - "-" "-"`,
		`2015-05-18T06:35:03.000Z | https://blog.example/ |  |  | DE`)
	f(`host.example ident user with spaces `+when+` "GET /\"q\" HTTP/1.1" 204 - "say \"hi\" \\ \x41\xe4" "a\tb" extra "fields" 1`,
		`2015-05-17T10:05:03.000Z | https://blog.example/"q" | say "hi" \ A`+"\ufffd"+` | ab | `)
	f(`8.8.8.8 - - `+when+` "GET http://other.example/p HTTP/1.1" 200 12 "-" "x"`, `2015-05-17T10:05:03.000Z | https://blog.example/p |  | x | US`)
	f(`8.8.8.8 - - `+when+` "GET https://other.example HTTP/1.1" 206 12 "-" "x"`, `2015-05-17T10:05:03.000Z | https://blog.example/ |  | x | US`)
	f(`8.8.8.8 - - `+when+` "GET /old" 200 12 "-" "x"`, `2015-05-17T10:05:03.000Z | https://blog.example/old |  | x | US`)
	f(`8.8.8.8 - - `+when+` "GET /x.css/page?f=a.png HTTP/1.1" 200 12 "-" "x"`+"\r", `2015-05-17T10:05:03.000Z | https://blog.example/x.css/page?f=a.png |  | x | US`)
	f(`8.8.8.8 - - `+when+` "GET /x HTTP/1.1" 200 12 "-" "`+strings.Repeat("u", 2000)+`"`, `2015-05-17T10:05:03.000Z | https://blog.example/x |  | `+strings.Repeat("u", 1024)+` | US`)
}

func TestSkippedAndMalformed(t *testing.T) {
	skipped := func(request, status, want string) {
		t.Helper()
		s := mustScanner(t, strings.NewReader(`8.8.8.8 - - `+when+` "`+request+`" `+status+` 5 "-" "x"`))
		if s.Scan() || s.Summary().Skipped[want] != 1 || s.Summary().Lines != 1 {
			t.Errorf("%s %s: %+v %v, want it skipped for %s", request, status, s.Summary(), s.Malformed(), want)
		}
	}
	skipped("POST / HTTP/1.1", "200", SkipMethod)
	skipped("HEAD /a.css HTTP/1.1", "404", SkipMethod)
	skipped("OPTIONS * HTTP/1.0", "200", SkipMethod)
	skipped("-", "408", SkipMethod)
	skipped("GET / HTTP/1.1", "301", SkipStatus)
	skipped("GET / HTTP/1.1", "404", SkipStatus)
	skipped("GET /a.css HTTP/1.1", "500", SkipStatus)
	skipped("GET /a.css HTTP/1.1", "200", SkipAsset)
	skipped("GET /A.PNG?x=1 HTTP/1.1", "304", SkipAsset)
	skipped("GET /a/b.c.woff2 HTTP/1.1", "200", SkipAsset)
	s := mustScanner(t, strings.NewReader("\n \r\n"))
	if s.Scan() || s.Summary().Skipped[SkipEmpty] != 2 || s.Summary().Malformed != 0 {
		t.Errorf("empty lines: %+v %v", s.Summary(), s.Malformed())
	}

	malformed := func(line, want string) {
		t.Helper()
		good := `8.8.8.8 - - ` + when + ` "GET / HTTP/1.1" 200 5 "-" "x"`
		s := mustScanner(t, strings.NewReader(good+"\n"+line+"\n"+good))
		n := 0
		for s.Scan() {
			n++
		}
		m := s.Malformed()
		if n != 2 || s.Summary().Lines != 3 || s.Summary().Malformed != 1 || len(m) != 1 || m[0].Line != 2 || m[0].Reason != want {
			t.Errorf("%.100s: %d events, %+v\ngot  %+v\nwant %s", line, n, s.Summary(), m, want)
		}
	}
	head := `8.8.8.8 - - ` + when + ` `
	malformed(`nonsense`, `no host at its start`)
	malformed(`8.8.8.8 - - "GET /"`, `no time in brackets`)
	malformed(`8.8.8.8 - - [yesterday] "GET /" 200 5 "-" "-"`, `time "yesterday" is not like 10/Oct/2000:13:55:36 -0700`)
	malformed(`8.8.8.8 - - [17/May/7000:10:05:03 +0000] "GET /" 200 5 "-" "-"`, `time "17/May/7000:10:05:03 +0000" is not between 1970 and 2200`)
	malformed(`8.8.8.8 - - [31/Dec/1969:23:59:59 +0000] "GET /" 200 5 "-" "-"`, `time "31/Dec/1969:23:59:59 +0000" is not between 1970 and 2200`)
	malformed(head+`GET / HTTP/1.1 200 5 "-" "-"`, `request: no opening quote`)
	malformed(head+`"GET / HTTP/1.1 200 5`, `request: no closing quote`)
	malformed(head+`"GET" 200 5 "-" "-"`, `request "GET" is not METHOD TARGET VERSION`)
	malformed(head+`"\x16\x03\x01" 400 5 "-" "-"`, `request "\x16\x03\x01" is not METHOD TARGET VERSION`)
	malformed(head+`"GET x HTTP/1.1" 200 5 "-" "-"`, `request target "x" is not a path`)
	malformed(head+`"GET / HTTP/1.1" 20 5 "-" "-"`, `status "20" is not three digits`)
	malformed(head+`"GET / HTTP/1.1" 200 five "-" "-"`, `size "five" is neither a number nor -`)
	malformed(head+`"GET / HTTP/1.1" 200 5`, `no referrer and user agent: this is the common format, not the combined`)
	malformed(head+`"GET / HTTP/1.1" 200 5 "-" "cut`, `user agent: no closing quote`)
	malformed(head+strings.Repeat("x", 200_000), `longer than 65536 bytes`)
}

// TestRealLog holds the numbers of the log against a recount by awk, split at quotes, with the same rules: the events per
// day, the lines skipped by reason; and sort -u of day, host and user agent for the visitors.
func TestRealLog(t *testing.T) {
	const path = "../../../shared/data/apache_combined.log"
	log, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the real access log is not beside this checkout: %v", err)
	}
	read := func() (*Scanner, map[string]int, map[event.Visitor]bool, []string) {
		s := mustScanner(t, bytes.NewReader(log))
		days, visitors, ids := make(map[string]int), make(map[event.Visitor]bool), []string(nil)
		for s.Scan() {
			e := s.Event()
			days[e.Time.String()[:10]]++
			visitors[e.Visitor] = true
			ids = append(ids, e.ID)
		}
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		return s, days, visitors, ids
	}
	s, days, visitors, ids := read()
	if got, want := fmt.Sprint(days), "map[2015-05-17:759 2015-05-18:1398 2015-05-19:1117 2015-05-20:958]"; got != want {
		t.Errorf("events per day: got %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%+v", s.Summary()), "{Lines:10000 Events:4232 Skipped:map[asset:5348 method:48 status:371] Malformed:1}"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := fmt.Sprint(s.Malformed()), "[{8899 user agent: no closing quote}]"; got != want {
		t.Errorf("malformed: got %s, want %s", got, want)
	}
	if len(visitors) != 1589 {
		t.Errorf("%d visitors, want 1589", len(visitors))
	}
	unique := make(map[string]bool)
	for _, id := range ids {
		unique[id] = true
	}
	if len(unique) != len(ids) {
		t.Errorf("%d ids for %d events", len(unique), len(ids))
	}
	if _, _, _, again := read(); strings.Join(again, " ") != strings.Join(ids, " ") {
		t.Error("the second reading gives other ids")
	}
}

func TestReaderError(t *testing.T) {
	s := mustScanner(t, io.MultiReader(strings.NewReader("x\n"), iotest.ErrReader(errors.New("disk on fire"))))
	if s.Scan() || s.Err() == nil || s.Err().Error() != "read line 2: disk on fire" {
		t.Errorf("got %v", s.Err())
	}
	if _, err := NewScanner(nil, "No Site", nil); !errors.Is(err, event.ErrSite) {
		t.Errorf("got %v", err)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(`8.8.8.8 - - ` + when + ` "GET /a?b HTTP/1.1" 200 12 "http://x/\"" "M\x41"` + "\n"))
	f.Add([]byte(`h - - [17/May/7000:10:05:03 +0000] "GET / HTTP/1.1" 200 12 "-" "M"`))
	f.Add([]byte("\n\r\n \x00\n" + `h - - [17/May/2015:10:05:03 +0000] "GET http://x" 200 - "\` + "\n"))
	id := mustIdentity(f)
	f.Fuzz(func(t *testing.T, log []byte) {
		s, err := NewScanner(bytes.NewReader(log), "a.example", id)
		if err != nil {
			t.Fatal(err)
		}
		var events int64
		var d event.Decoder
		for s.Scan() {
			events++
			e, back := s.Event(), event.Event{}
			if !utf8.ValidString(e.URL + e.Referrer + e.UA) {
				t.Fatalf("invalid UTF-8: %+v", e)
			}
			if err := d.DecodeEvent(e.Append(nil), &back); err != nil || back.URL != e.URL || back.UA != e.UA || back.Referrer != e.Referrer {
				t.Fatalf("%v: %+v came back as %+v", err, e, back)
			}
		}
		sum := s.Summary()
		if sum.Events != events || sum.Lines != sum.Events+sum.Malformed+sum.Skipped[SkipEmpty]+sum.Skipped[SkipMethod]+sum.Skipped[SkipStatus]+sum.Skipped[SkipAsset] {
			t.Fatalf("%d events, %+v", events, sum)
		}
	})
}
