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
	"millrace/ingest/identity"
)

func mustIdentity(tb testing.TB) *identity.Identity {
	tb.Helper()
	id, err := identity.New([]byte("0123456789abcdef0123456789abcdef"), identity.NewDerived([]byte("0123456789abcdef0123456789abcdef")))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func mustScanner(tb testing.TB, in io.Reader) *Scanner {
	tb.Helper()
	s, err := NewScanner(in, "blog.example", mustIdentity(tb), identity.Rule{}, ranks())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// ranks counts equal lines in memory.
func ranks() Ranker {
	seen := map[string]int64{}
	return func(line []byte) int64 {
		seen[string(line)]++
		return seen[string(line)] - 1
	}
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
	f(`host.example ident user with spaces `+when+` "GET /\"q\" HTTP/1.1" 200 - "say \"hi\" \\ \x41\xe4" "a\tb" extra "fields" 1`,
		`2015-05-17T10:05:03.000Z | https://blog.example/"q" | say "hi" \ A`+"\ufffd"+` | ab | `)
	f(`8.8.8.8 - - `+when+` "GET http://other.example/p HTTP/1.1" 200 12 "-" "x"`, `2015-05-17T10:05:03.000Z | https://blog.example/p |  | x | US`)
	f(`8.8.8.8 - - `+when+` "GET https://other.example HTTP/1.1" 203 12 "-" "x"`, `2015-05-17T10:05:03.000Z | https://blog.example/ |  | x | US`)
	f(`8.8.8.8 - - `+when+` "GET HTTP://Other.example/p HTTP/1.1" 200 12 "-" "x"`, `2015-05-17T10:05:03.000Z | https://blog.example/p |  | x | US`)
	// Quotes that the server has not escaped.
	f(`8.8.8.8 - - `+when+` "GET /a"b"c HTTP/1.1" 200 12 "http://x.example/?q="a" b" "x"`, `2015-05-17T10:05:03.000Z | https://blog.example/a"b"c | http://x.example/?q="a" b | x | US`)
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
	skipped(`\x16\x03\x01\x02`, "400", SkipMethod)
	skipped("GET", "400", SkipMethod)
	skipped("GET / HTTP/1.1", "301", SkipStatus)
	skipped("GET / HTTP/1.1", "404", SkipStatus)
	skipped("GET /a.css HTTP/1.1", "500", SkipStatus)
	skipped("GET /a.css HTTP/1.1", "200", SkipAsset)
	skipped("GET /A.PNG?x=1 HTTP/1.1", "304", SkipAsset)
	skipped("GET /a/b.c.woff2 HTTP/1.1", "200", SkipAsset)
	for _, status := range []string{"204", "205", "206"} {
		skipped("GET /film HTTP/1.1", status, SkipStatus)
	}
	for _, asset := range []string{
		"/x.css;v=1", "/x.css;jsessionid=5?a=b", "/a%2Ejs", "/robots.txt", "/ROBOTS.TXT?x", "/ads.txt", "/favicon", "/favicon.ico", "/app/manifest.json",
		"/site.webmanifest", "/sitemap.xml", "/sitemap-1.xml.gz.xml", "/feed.atom", "/a.wasm", "/a.js.map", "/a.m4a", "/a.ts", "/a.opus",
		"/.well-known/security.txt", "/.well-known/assetlinks.json", "//.well-known/x", "/.well-known/change-password", "/two words.png", "/browserconfig.xml",
		"/build/game.wasm.br", "/build/game.data.gz", "/Build/game.data", "/x.js.gz", "/x.css.map.br", "/x.JS.ZST", "/sitemap.xml.gz",
		"/tiles/1/2/3.pbf", "/a.glb", "/a.gltf", "/a.m3u", "/a.jp2", "/WebResource.axd?d=1", "/x.css%3Bv=1", "/x.css%3Fv=1",
		"/wp-admin/admin-ajax.php?action=x", "/wp-cron.php?doing_wp_cron", "/wp-json/wp/v2/posts", "/_next/image?url=a",
		"/about?_rsc=1a2b", "/about?a=b&_rsc", "/about.rsc",
		"/cdn-cgi/challenge-platform/h/b", "/socket.io/?EIO=4&transport=polling", "/_vercel/image?url=a", "/wp-includes/js/tinymce/wp-tinymce.php",
		"/?rest_route=/wp/v2/posts", "/?feed=rss2", "/feed/", "/blog/comments/feed/", "/wp-admin/load-styles.php?c=1", "/matomo.php?idsite=1",
		"/style.css&ver=5", "/a.jpg!thumb", "/a.jpg:large",
		"/api/v1/users", "/api/v2/cart?x=1", "/api/v1.1/a/b", "/healthz", "/livez", "/app/readyz?verbose",
	} {
		skipped("GET "+asset+" HTTP/1.1", "200", SkipAsset)
	}
	for _, page := range []string{
		"/map", "/manifest", "/docs/css", "/learn/js", "/ts", "/en/json", "/atom", "/xml", "/rss", "/bible/mid", "/map?x=1", "/map;v=1", "/JS",
		"/map.gz", "/gz", "/a.zip", "/a.gz", "/a.tar.gz", "/a.csv.gz", "/a.txt", "/a.pdf", "/a.php", "/x.css/map", "/v1.2/data",
		"/docs/wp-json/intro", "/about?x_rsc=1", "/about?q=_rsc", "/search?q=a.css", "/?_=x.js",
		"/api", "/api/", "/api/reference", "/api/v1", "/api/v1/", "/api/v1/users.html", "/api/vim/keys", "/api/v1beta", "/docs/api/v1/users",
		"/health", "/status", "/ping", "/healthz/why",
		"/feed", "/?feed=me", "/feed/me", "/tom&jerry", "/a:b", "/socket.io", "/docs/cdn-cgi/x",
	} {
		s := mustScanner(t, strings.NewReader(`8.8.8.8 - - `+when+` "GET `+page+` HTTP/1.1" 200 5 "-" "x"`))
		if !s.Scan() {
			t.Errorf("%s is no page: %+v %v", page, s.Summary(), s.Malformed())
		}
	}
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
	malformed(head+`"\x16\x03\x01" 200 5 "-" "-"`, `request "\x16\x03\x01" is not METHOD TARGET VERSION`)
	malformed(head+`"GET x HTTP/1.1" 200 5 "-" "-"`, `request target "x" is not a path`)
	malformed(head+`"GET / HTTP/1.1" 20 5 "-" "-"`, `status "20" is not three digits`)
	malformed(head+`"GET / HTTP/1.1" 200 five "-" "-"`, `size "five" is neither a number nor -`)
	malformed(head+`"GET / HTTP/1.1" 200 5`, `no referrer and user agent: this is the common format, not the combined`)
	malformed(head+`"GET / HTTP/1.1" 200 5 "cut`, `referrer: no closing quote`)
	malformed(head+`"GET / HTTP/1.1" 200 5 "-" `, `user agent: no opening quote`)
	malformed(head+`"GET HTTP/1.1" 200 5 "-" "-"`, `request "GET HTTP/1.1" is not METHOD TARGET VERSION`)
	malformed(head+"\"GET / HTTP/1.1\" 200 5 \"-\" \"x\"\r"+head, `a carriage return within the line: its lines end in CR alone, or it is damaged`)
	malformed(strings.Repeat("\x00", 100), `nothing but NUL bytes: the machine went down before the line was on disk`)
	malformed(head+"\x00\x00", `NUL bytes within the line: it is damaged, or text in UTF-16`)
	malformed(`8.8.8.8 - - [1.2.3.4] "GET /" 200 5 "-" "-"`, `time "(an address)" is not like 10/Oct/2000:13:55:36 -0700`)
	malformed(head+strings.Repeat("x", 200_000), `longer than 65536 bytes`)
}

// TestClients: the client is the right one, or the line is malformed. The first field of other formats than the plain one looks
// like a client, too.
func TestClients(t *testing.T) {
	const tail = " " + when + ` "GET / HTTP/1.1" 200 5 "-" "x"` + "\n"
	f := func(head, want string) {
		t.Helper()
		s, plain := mustScanner(t, strings.NewReader(head+tail)), mustScanner(t, strings.NewReader(want+" - -"+tail))
		if !s.Scan() || !plain.Scan() {
			t.Errorf("%s: %+v", head, s.Malformed())
			return
		}
		if got, want := *s.Event(), *plain.Event(); got.Visitor != want.Visitor || got.Country != want.Country {
			t.Errorf("%s: another visitor or country than that of %s: %s", head, want.Visitor, got.Country)
		}
	}
	f("8.8.8.8 - -", "8.8.8.8")
	f("\ufeff8.8.8.8 - -", "8.8.8.8")
	f("\x00\x00\x008.8.8.8 - -", "8.8.8.8")
	f("8.8.8.8 - John Smith", "8.8.8.8")
	f("8.8.8.8 - a[b] c", "8.8.8.8")
	f("8.8.8.8 - a [b] c", "8.8.8.8")
	f("8.8.8.8:61001 - -", "8.8.8.8")
	f("[2a00:1450:4001:80b::200e]:61001 - -", "2a00:1450:4001:80b::200e")
	f("[2a00:1450:4001:80b::200e] - -", "2a00:1450:4001:80b::200e")
	f("2A00:1450:4001:80B:0::200e - -", "2a00:1450:4001:80b::200e")
	f("::ffff:8.8.8.8 - -", "8.8.8.8")
	f("[::ffff:8.8.8.8]:80 - -", "8.8.8.8")
	f("fe80::1%eth0 - -", "fe80::1")
	f("www.example.com:443 8.8.8.8 - -", "8.8.8.8")
	f("www.example.com:443 8.8.8.8 - frank", "8.8.8.8")
	f("www.example.com 8.8.8.8 - -", "8.8.8.8")
	f("127.0.1.1:80 8.8.8.8 - -", "8.8.8.8")
	f("[::1]:443 8.8.8.8 - -", "8.8.8.8")
	f("www.example.com:443 [2a00:1450:4001:80b::200e]:5 - -", "2a00:1450:4001:80b::200e")
	f("www.example.com:443 dsl-1.example.net - -", "dsl-1.example.net")
	f("www.example.com dsl-1.example.net - -", "dsl-1.example.net")
	f("- 8.8.8.8 - -", "8.8.8.8")
	f("dsl-1.example.net - -", "dsl-1.example.net")
	f("localhost - -", "localhost")
	f("8.8.8.8, 10.0.0.1 - -", "8.8.8.8")
	f("8.8.8.8,10.0.0.1 - -", "8.8.8.8")
	f("10.0.0.1, 8.8.8.8, 203.0.113.1 - -", "8.8.8.8")
	f("unknown, 8.8.8.8 - -", "8.8.8.8")
	f("www.example.com:443 8.8.8.8, 10.0.0.1 - -", "8.8.8.8")

	bad := func(head string, want error) {
		t.Helper()
		s := mustScanner(t, strings.NewReader(head+tail))
		if s.Scan() || len(s.Malformed()) != 1 || s.Malformed()[0].Reason != want.Error() {
			t.Errorf("%s: %+v %+v, want %v", head, s.Summary(), s.Malformed(), want)
		}
	}
	bad("- - -", errNoClient)
	bad("unknown - -", errNoClient)
	bad("unix: - -", errSocket)
	bad("www.example.com:443 - - -", errNoVisitor)
	bad("www.example.com:443 unix: - -", errNoVisitor)
	bad("www.example.com unix: - -", errNoVisitor)
	bad("www.example.com:443 - -", errNoVisitor)
	bad("8.8.8.8 8.8.4.4 - -", errTwo)
	bad("10.0.0.1 (8.8.8.8) - -", errTwo)
	bad("8.8.8.8:61001 10.0.0.1 - -", errTwo)
	bad("www.example.com 8.8.8.8 10.0.0.1 - -", errTwo)
	bad("8.8.8 - -", errAddress)
	bad("8.8.8.256 - -", errAddress)
	bad("8.8.8.8:99999 - -", errAddress)
	bad("2a00:::1 - -", errAddress)
	bad("12345 - -", errAddress)
	bad("a..example - -", errHost)
	bad("caf\u00e9/x - -", errHost)
	bad("8.8.8.8, secret - -", errHost)
	bad("May 17 10:05:03 web nginx: 8.8.8.8 - -", errPrefix)
	bad("May 17 10:05:03 web nginx[12]: 8.8.8.8 - -", errPrefix)
	bad("May 17 10:05:03 web nginx: dsl-1.example.net - -", errPrefix)
	bad("<134>May 17 10:05:03 web nginx: 8.8.8.8 - -", errPrefix)
	bad("<134>1 2015-05-17T10:05:03Z web nginx - - - 8.8.8.8 - -", errPrefix)
	bad("2015-05-17T10:05:03.123456789Z stdout F 8.8.8.8 - -", errPrefix)
	bad("2015-05-17T10:05:03.123456789Z stdout F dsl-1.example.net - -", errPrefix)
	bad("web_1  | 8.8.8.8 - -", errPrefix)
	bad("web-1.example.net nginx: 8.8.8.8 - -", errPrefix)
	bad(`{"log":"8.8.8.8 - -`, errJSON)
	bad(" ", errNoHost)
}

// TestCut: a user agent is as long as the line; a line that the file ends in is taken if it is whole.
func TestCut(t *testing.T) {
	const head = "8.8.8.8 - - " + when + ` "GET /a HTTP/1.1" 200 12 "-" `
	f := func(text, want string) {
		t.Helper()
		s, got := mustScanner(t, strings.NewReader(text)), []string{}
		for s.Scan() {
			got = append(got, s.Event().UA)
		}
		if strings.Join(got, "|") != want || s.Summary().Malformed != int64(1-len(got)) {
			t.Errorf("%s: user agents %q, %+v", text, got, s.Malformed())
		}
	}
	f(head+"\"Mozilla/5.0 (X11; Li\n", "Mozilla/5.0 (X11; Li")
	f(head+"\"Mozilla \\\"5\\x2\r\n", `Mozilla "5\x2`)
	f(head+`"Mozilla"`, "Mozilla")
	f(head+`"Mozilla" "8.8.8.8"`, "Mozilla")
	f(head+"\"Mozilla\" 0.12\n", "Mozilla")
	f(head+`"Mozilla/5.0 (X11; Li`, "")
	f(head+`"Mozilla" 0.1`, "")
	f(head+`"Mozilla" "8.8`, "")
}

// TestRequests: what is between method and version is the path, spaces and all.
func TestRequests(t *testing.T) {
	f := func(request, want string) {
		t.Helper()
		s := mustScanner(t, strings.NewReader("8.8.8.8 - - "+when+` "`+request+`" 200 12 "-" "x"`))
		if !s.Scan() || s.Event().URL != "https://blog.example"+want {
			t.Errorf("%s: %q %+v", request, s.Event().URL, s.Malformed())
		}
	}
	f("GET /two words HTTP/1.1", "/two words")
	f("GET /a b c?d=e f HTTP/2.0", "/a b c?d=e f")
	f("GET  /a  HTTP/1.1", "/a")
	f("GET /old words", "/old words")
	f(`GET /\x22q\x22 HTTP/1.1`, `/"q"`)
}

// TestIDs: a line's id is made of the line and of how many equal ones are before it, whatever else is in the file.
func TestIDs(t *testing.T) {
	ids := func(text string) string {
		s, got := mustScanner(t, strings.NewReader(text)), []string{}
		for s.Scan() {
			got = append(got, s.Event().ID)
		}
		return strings.Join(got, " ")
	}
	const a, b = "8.8.8.8 - - " + when + " \"GET /a HTTP/1.1\" 200 12 \"-\" \"x\"\n", "8.8.8.8 - - " + when + " \"GET /b HTTP/1.1\" 200 12 \"-\" \"x\"\n"
	one, two, three := ids(a), ids(a+a), ids(b)
	if second := strings.TrimPrefix(two, one+" "); second == two || second == one || ids(a+b+a) != one+" "+three+" "+second {
		t.Errorf("%s and %s become %s", two, three, ids(a+b+a))
	}
	if got := ids("\ufeff\n\x00" + strings.Replace(b, "\n", "\r\n", 1) + strings.TrimSuffix(a, "\n")); got != three+" "+one {
		t.Errorf("other line ends give other ids: %s", got)
	}
}

// TestSigns: a log of another site, or of a proxy, can be told.
func TestSigns(t *testing.T) {
	const tail = " " + when + ` "GET %s HTTP/1.1" 200 5 "%s" "x"` + "\n"
	var text string
	for _, path := range []string{"/", "/a.css", "/b.css"} {
		text += fmt.Sprintf("shop.example:80 10.0.0.1 - -"+tail, path, "https://u@WWW.Shop.example:443/a")
	}
	text += fmt.Sprintf("www.blog.example:80 8.8.8.8 - -"+tail, "/", "https://www.blog.example/")
	text += fmt.Sprintf("www.blog.example:80 8.8.8.8 - -"+tail, "/", "-")
	s := mustScanner(t, strings.NewReader(text))
	for s.Scan() {
	}
	if got, want := s.Signs(), (Signs{5, 3, "shop.example", 3, "shop.example", 3, 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s = mustScanner(t, strings.NewReader(fmt.Sprintf("blog.example 8.8.8.8 - -"+tail, "/", "https://www.blog.example/")))
	s.Scan()
	if got, want := s.Signs(), (Signs{Lines: 1, AllReferrers: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestRealLog holds the numbers of the log against a recount by a regular expression in Python, with the same rules: the events
// per day, the lines skipped by reason, and the visitors as different days, hosts and user agents. One line ends in its
// user agent.
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
	if got, want := fmt.Sprint(days), "map[2015-05-17:712 2015-05-18:1309 2015-05-19:1047 2015-05-20:904]"; got != want {
		t.Errorf("events per day: got %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%+v", s.Summary()), "{Lines:10000 Events:3972 Skipped:map[asset:5564 method:48 status:416] Malformed:0}"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(visitors) != 1509 {
		t.Errorf("%d visitors, want 1509", len(visitors))
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
	if _, err := NewScanner(nil, "No Site", nil, identity.Rule{}, nil); !errors.Is(err, event.ErrSite) {
		t.Errorf("got %v", err)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(`8.8.8.8 - - ` + when + ` "GET /a?b HTTP/1.1" 200 12 "http://x/\"" "M\x41"` + "\n"))
	f.Add([]byte(`h - - [17/May/7000:10:05:03 +0000] "GET / HTTP/1.1" 200 12 "-" "M"`))
	f.Add([]byte("\n\r\n \x00\n" + `h - - [17/May/2015:10:05:03 +0000] "GET http://x" 200 - "\` + "\n"))
	id := mustIdentity(f)
	f.Fuzz(func(t *testing.T, log []byte) {
		s, err := NewScanner(bytes.NewReader(log), "a.example", id, identity.Rule{}, ranks())
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
