package statsapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/site"
	"millrace/query"
)

const totals = `{"site_id":"a.example","metrics":["visitors","pageviews"],"date_range":"day"}`

func TestStatusCodes(t *testing.T) {
	s := mustServer(t, testOptions{Reader: &memory{}, Origins: []string{"https://dash.example"}})
	f := func(method, uri, body string, status int, want string) {
		t.Helper()
		resp := do(s, method, uri, body)
		if resp.StatusCode() != status || !strings.Contains(string(resp.Body()), want) {
			t.Errorf("%s %s: %d %s, want %d with %q", method, uri, resp.StatusCode(), resp.Body(), status, want)
		}
		if status >= 400 && string(resp.Header.ContentType()) != "application/json" {
			t.Errorf("%s %s: content type %s", method, uri, resp.Header.ContentType())
		}
	}
	f("POST", PathQuery, totals, 200, `"results":[{"metrics":[0,0],"dimensions":[]}]`)
	f("GET", PathQuery, "", 405, "use POST")
	f("POST", PathRealtime+"?site_id=a", "", 405, "use GET")
	f("GET", "/api/v2/nothing", "", 404, "/api/v2/nothing")
	f("POST", PathQuery, `{"a":"`+strings.Repeat("x", MaxBody)+`"}`, 413, "bytes")
	f("POST", PathQuery+"?format=xml", totals, 400, "xml")
	f("GET", PathRealtime, "", 400, "site_id")
	f("GET", PathRealtime+"?site_id=A", "", 400, "site_id")
	f("GET", PathOpenAPI, "", 200, "openapi")
	f("OPTIONS", PathQuery, "", 204, "")
	if allow := string(do(s, "GET", PathQuery, "").Header.Peek("Allow")); allow != "POST, OPTIONS" {
		t.Errorf("Allow: %q", allow)
	}
	for origin, want := range map[string]string{"https://dash.example": "https://dash.example", "https://evil.example": ""} {
		if got := string(do(s, "POST", PathQuery, totals, "Origin", origin).Header.Peek("Access-Control-Allow-Origin")); got != want {
			t.Errorf("origin %s: allowed %q, want %q", origin, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	s := mustServer(t, testOptions{Reader: &memory{}, Keys: site.NewKeys(
		site.Key{Hash: sha256.Sum256([]byte("one")), Sites: []string{"a.example"}},
		site.Key{Hash: sha256.Sum256([]byte("all"))},
	)})
	f := func(auth, site string, status int) {
		t.Helper()
		body := strings.Replace(totals, "a.example", site, 1)
		for _, resp := range []interface {
			StatusCode() int
			Body() []byte
		}{
			do(s, "POST", PathQuery, body, "Authorization", auth),
			do(s, "GET", PathRealtime+"?site_id="+site, "", "Authorization", auth),
		} {
			if resp.StatusCode() != status {
				t.Errorf("%q for %s: %d %s, want %d", auth, site, resp.StatusCode(), resp.Body(), status)
			}
		}
	}
	f("Bearer one", "a.example", 200)
	f("bearer  one", "a.example", 200)
	f("Bearer one", "b.example", 401)
	f("Bearer all", "b.example", 200)
	f("Bearer two", "a.example", 401)
	f("Basic one", "a.example", 401)
	f("Bearer ", "a.example", 401)
	f("", "a.example", 401)
	if resp := do(s, "POST", PathQuery, "{"); resp.StatusCode() != 401 {
		t.Errorf("nonsense without a key: %d, want 401", resp.StatusCode())
	}
	if resp := do(s, "POST", PathQuery, "{", "Authorization", "Bearer all"); resp.StatusCode() != 400 {
		t.Errorf("nonsense with a key: %d, want 400", resp.StatusCode())
	}
	if (site.Keys{}).Allow("", "a") {
		t.Error("an empty ring lets someone in")
	}
}

func TestCSV(t *testing.T) {
	m := &memory{}
	m.views("a.example", "2024-09-18T01:00:00Z", `/a,"b"`, "DE", "Firefox", 1, 3)
	m.views("a.example", "2024-09-18T02:00:00Z", "/c", "DE", "Firefox", 1, 1)
	s := mustServer(t, testOptions{Reader: m})
	body := `{"site_id":"a.example","metrics":["visitors","percentage"],"date_range":"day","dimensions":["event:page","time:hour"]}`
	const want = "event:page,time:hour,visitors,percentage\n\"/a,\"\"b\"\"\",2024-09-18 01:00:00,3,100\n/c,2024-09-18 02:00:00,1,33.3\n"
	for _, resp := range []interface{ Body() []byte }{
		do(s, "POST", PathQuery+"?format=csv", body),
		do(s, "POST", PathQuery, body, "Accept", "text/csv"),
	} {
		if got := string(resp.Body()); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// TestCSVFormulas: what a spreadsheet would run is text.
func TestCSVFormulas(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		a := &Answer{Results: []Row{{Metrics: []any{-1.5}, Dimensions: []string{text}}},
			Query: Echo{Dimensions: []string{"event:props:=x"}, Metrics: []query.Metric{"total_revenue"}}}
		if got, want := string(a.CSV()), "event:props:=x,total_revenue\n"+want+",-1.5\n"; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	f("\ufeff=1+1", "'\ufeff=1+1")
	f("\u2007\u200b@x", "'\u2007\u200b@x")
	f("\u22121", "'\u22121")
	f("\u200bx", "\u200bx")
	f(`=cmd|' /C calc'!A0`, `'=cmd|' /C calc'!A0`)
	f("+1", "'+1")
	f("-1+2", "'-1+2")
	f("@SUM(1,2)", `"'@SUM(1,2)"`)
	f("\t=1", "'\t=1")
	f("  =1", "'  =1")
	f("\uff1d1", "'\uff1d1")
	f(`=HYPERLINK("http://x")`, `"'=HYPERLINK(""http://x"")"`)
	f("/a=b", "/a=b")
	f("", "")
	f("(none)", "(none)")
}

// TestUnknownSite: where sites are configured, another one is named, unless there are numbers of
// it.
func TestUnknownSite(t *testing.T) {
	m := &memory{}
	m.views("gone.example", "2024-09-18T01:00:00Z", "/", "DE", "Firefox", 1, 3)
	s := mustServer(t, testOptions{Reader: m, Sites: []string{"a.example", "www.b.example"}})
	f := func(site string, status int, want string) {
		t.Helper()
		for _, resp := range []*fasthttp.Response{
			do(s, "POST", PathQuery, `{"site_id":"`+site+`","metrics":["visitors"],"date_range":"day"}`),
			do(s, "GET", PathRealtime+"?site_id="+site, ""),
		} {
			if resp.StatusCode() != status || !strings.Contains(string(resp.Body()), want) {
				t.Errorf("%s: %d %s, want %d %q", site, resp.StatusCode(), resp.Body(), status, want)
			}
		}
	}
	f("a.example", 200, "")
	f("gone.example", 200, "")
	f("c.example", 400, `no such site is configured`)
	f("www.a.example", 400, `Did you mean \"a.example\"?`)
	f("b.example", 400, `Did you mean \"www.b.example\"?`)
	s = mustServer(t, testOptions{Reader: m})
	f("c.example", 200, "")
}

func TestRealtime(t *testing.T) {
	m := &memory{}
	m.views("a", "2024-09-18T12:28:59Z", "/", "DE", "Firefox", 100, 50) // too long ago
	m.views("a", "2024-09-18T12:29:00Z", "/", "DE", "Firefox", 1, 3)
	m.views("a", "2024-09-18T12:34:00Z", "/", "DE", "Firefox", 2, 4)
	if got := string(do(mustServer(t, testOptions{Reader: m}), "GET", PathRealtime+"?site_id=a", "").Body()); got != "5" {
		t.Errorf("got %q, want 5", got)
	}
}

// An answer is complete if nothing is missing that had been accepted.
func TestComplete(t *testing.T) {
	low := event.TimeOf(now).Floor(event.Minute)
	f := func(ahead event.Time, metric string, until event.Time, late event.Time, want bool, warning string) {
		t.Helper()
		m := &memory{progress: []window.Progress{{Low: low + ahead, Hours: low.Floor(event.Hour)}}}
		o := testOptions{Reader: m, Late: func(site string, since, before event.Time) (event.Time, bool) {
			if site != "a" || since != low+ahead-event.Minute {
				t.Errorf("late events of %q since %s", site, since)
			}
			return late, late < before
		}}
		end := (low - until - event.Second).Std().Format(time.RFC3339)
		a := answerOf(t, mustServer(t, o), `{"site_id":"a","metrics":["`+metric+`"],"date_range":["2024-09-18T10:00:00Z","`+end+`"]}`)
		if a.Meta.Complete != want || strings.Join(a.Meta.Warnings, "\n") != warning {
			t.Errorf("%s until %s: %+v", metric, end, a.Meta)
		}
	}
	never := low + event.Hour
	f(0, "visitors", 0, never, true, "")
	f(-event.Minute, "visitors", 0, never, false, "")
	f(-4*event.Minute, "visits", 4*event.Minute, never, false, "") // their last half minute may be missing
	f(-3*event.Minute, "visits", 4*event.Minute, never, true, "")
	f(0, "visitors", event.Hour, low-2*event.Hour, false, "") // one that is on its way
	f(0, "visitors", event.Hour, low-event.Minute, true, "")
	f(event.Minute, "visitors", 0, never, true, "") // clocks differ a little: this is 4 s ahead
	f(2*event.Hour, "visitors", 0, never, false, "The watermark lies 1h59m4s in the future: the clock of a collector is or was ahead, or that of this machine is behind. "+
		"Until that time comes, events may be missing that were late by it.")
}

// What another process accepted late, before this one began, is not in its hour for a minute: it is
// read from minutes.
func TestBegan(t *testing.T) {
	low := event.TimeOf(now).Floor(event.Minute)
	m := &memory{progress: []window.Progress{{Low: low, Hours: low.Floor(event.Hour)}}}
	m.views("a", (low - event.Hour).Std().Format(time.RFC3339), "/", "DE", "Firefox", 1, 3) // its hour is not there yet
	f := func(began event.Time, want float64) {
		t.Helper()
		s := mustServer(t, testOptions{Reader: m, Began: began, Lateness: event.Hour})
		a := answerOf(t, s, `{"site_id":"a","metrics":["pageviews"],"date_range":["2024-09-18T00:00:00Z","2024-09-18T23:00:00Z"]}`)
		if got := a.Results[0].Metrics[0]; got != want {
			t.Errorf("began %s before: got %v, want %v", low-began, got, want)
		}
	}
	f(low-event.Minute/2, 3)
	f(low-event.Minute, 0)
	f(0, 0)
}

func TestMeta(t *testing.T) {
	m := &memory{progress: []window.Progress{{Partition: 0, Low: event.TimeOf(now)}, {Partition: 1, Low: event.TimeOf(now) - event.Hour}}}
	m.views("a", "2024-09-17T12:00:00Z", "/", "DE", "Firefox", 1, 3000)
	m.views("a", "2024-09-18T10:00:00Z", "/", "DE", "Firefox", 1, 10)
	m.views("a", "2024-09-18T10:00:00Z", window.Other, "DE", "Firefox", 1, 30)
	f := func(o testOptions, more, want string) {
		t.Helper()
		o.Reader = m
		a := answerOf(t, mustServer(t, o), `{"site_id":"a","metrics":["visitors"],`+more+`}`)
		b, err := encode(a.Meta)
		if err != nil || strings.TrimSpace(string(b)) != want {
			t.Errorf("%s\ngot  %s\nwant %s", more, b, want)
		}
	}
	f(testOptions{}, `"date_range":["2024-09-18T10:00:00Z","2024-09-18T11:33:59Z"]`,
		`{"source":"rollup","watermark":"2024-09-18T11:34:56Z","complete":true,"visitors_error":0,"visitors_scope":"visitors"}`)
	f(testOptions{Partitions: 2, DailyIDs: true}, `"date_range":["2024-09-18T10:00:00Z","2024-09-18T11:34:59Z"]`,
		`{"source":"rollup","watermark":"2024-09-18T11:34:56Z","complete":false,"visitors_error":0,"visitors_scope":"visitors"}`)
	f(testOptions{Partitions: 3, DailyIDs: true}, `"date_range":["2024-09-17","2024-09-18"]`,
		`{"source":"rollup","watermark":null,"complete":false,"visitors_error":0.008125,"visitors_scope":"visitor_days"}`)
	f(testOptions{}, `"date_range":"day","dimensions":["event:page"],"include":{"total_rows":true,"imports":true}`,
		`{"source":"rollup","watermark":"2024-09-18T11:34:56Z","complete":false,"visitors_error":0,"visitors_scope":"visitors","other":0.75,"total_rows":2,"imports_included":false}`)
	// What is past the budget may be of the page of the filter: the answer has how much it is of
	// all.
	f(testOptions{}, `"date_range":"day","dimensions":["event:page"],"filters":[["is","event:page",["/"]]]`,
		`{"source":"rollup","watermark":"2024-09-18T11:34:56Z","complete":false,"visitors_error":0,"visitors_scope":"visitors","other":0.75}`)
	f(testOptions{}, `"date_range":["2024-09-17","2024-09-17"],"filters":[["is","event:page",["/x"]]]`,
		`{"source":"rollup","watermark":"2024-09-18T11:34:56Z","complete":true,"visitors_error":0,"visitors_scope":"visitors","other":0}`)
}

func TestEcho(t *testing.T) {
	s := mustServer(t, testOptions{Reader: &memory{}})
	resp := do(s, "POST", PathQuery, `{"site_id":"a","metrics":["visitors","events"],"date_range":"7d","dimensions":["visit:country","time"],"filters":[["is","visit:country",["DE"],{"case_sensitive":false}]],"order_by":[["events","asc"],["time","desc"]],"include":{"total_rows":true},"pagination":{"limit":5}}`)
	const want = `"query":{"site_id":"a","metrics":["visitors","events"],"date_range":["2024-09-12T00:00:00Z","2024-09-18T12:34:59Z"],"filters":[["is","visit:country",["DE"],{"case_sensitive":false}]],"dimensions":["visit:country","time:day"],"order_by":[["events","asc"],["time:day","desc"]],"include":{"total_rows":true},"pagination":{"offset":0,"limit":5}}`
	if !strings.Contains(string(resp.Body()), want) {
		t.Errorf("got  %s\nwant %s", resp.Body(), want)
	}
}

// TestSelection: filters that name stored values reach the reader.
func TestSelection(t *testing.T) {
	f := func(filters, want string) {
		t.Helper()
		m := &memory{}
		answerOf(t, mustServer(t, testOptions{Reader: m}), `{"site_id":"a","metrics":["events"],"date_range":"day","filters":`+filters+`}`)
		last := m.sels[len(m.sels)-1] // after those of what has no value
		if got := fmt.Sprintf("%s %q", last.Family, last.Values); got != want {
			t.Errorf("%s: %s, want %s", filters, got, want)
		}
	}
	f(`[]`, `totals [[] []]`)
	f(`[["is","visit:country",["DE","FR"]]]`, `country [["DE" "FR" "(other)"] []]`)
	f(`[["is","visit:browser",["Chrome"]],["is","visit:country",["DE"]]]`, `country_browser [["DE" "(other)"] ["Chrome" "(other)"]]`)
	f(`[["or",[["is","visit:os",["iOS"]],["is","visit:os",["Haiku"]]]]]`, `os [["iOS" "Haiku" "(other)"] []]`)
	f(`[["or",[["is","visit:country",["DE"]],["is","visit:browser",["Chrome"]]]]]`, `country_browser [[] []]`)
	f(`[["is_not","visit:os",["iOS"]]]`, `os [[] []]`)
	f(`[["is","visit:os",["ios"],{"case_sensitive":false}]]`, `os [[] []]`)
	f(`[["is","visit:country_name",["Germany"]]]`, `country [[] []]`)
	f(`[["contains","visit:os",["a"]]]`, `os [[] []]`)
	f(`[["matches","visit:browser",["a"]],["is","visit:browser",["Chrome","Edge"]]]`, `browser [["Chrome" "Edge" "(other)"] []]`)
	f(`[["is","event:props:plan",["pro"]]]`, `prop [["plan" "(other)"] ["pro" "(other)"]]`)
	f(`[["is_not","event:props:plan",["pro"]]]`, `prop [["plan" "(other)"] []]`)
	f(`[["is","event:goal",["Buy"]],["is","visit:city",["1"]]]`, `goal_city [["Buy" "(other)"] ["1" "(other)"]]`)
	f(`[["is","visit:region",["EE-37"]]]`, `region [[] ["EE-37" "(other)"]]`)
}

func TestLimits(t *testing.T) {
	m := &memory{}
	for i := range 20 {
		m.views("a", "2024-09-18T10:00:00Z", fmt.Sprint("/", i), "DE", "Firefox", 1, 1)
	}
	f := func(o testOptions, status int, want string) {
		t.Helper()
		o.Reader = m
		resp := do(mustServer(t, o), "POST", PathQuery, `{"site_id":"a","metrics":["visitors"],"date_range":"day","dimensions":["event:page"]}`)
		if resp.StatusCode() != status || !strings.Contains(string(resp.Body()), want) {
			t.Errorf("%d %s, want %d with %q", resp.StatusCode(), resp.Body(), status, want)
		}
	}
	f(testOptions{MaxGroups: 20}, 200, "")
	f(testOptions{MaxGroups: 19}, 400, "more than 19 rows")
	resp := do(mustServer(t, testOptions{Reader: &memory{}, MaxGroups: 30}), "POST", PathQuery, `{"site_id":"a","metrics":["visitors"],"date_range":["2024-01-01","2024-01-31"],"dimensions":["time:day"],"include":{"time_labels":true}}`)
	if resp.StatusCode() != 400 || !strings.Contains(string(resp.Body()), "30 buckets") {
		t.Errorf("too many labels: %d %s", resp.StatusCode(), resp.Body())
	}
}

// TestStoreFails: a store that can't be read is no fault of the query. The cause is logged once
// a minute and not sent.
func TestStoreFails(t *testing.T) {
	m := &memory{err: errors.New("the disk has something secret")}
	var log strings.Builder
	clock := now
	s := mustServer(t, testOptions{Reader: m, Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return clock }})
	f := func(want string, logged int) {
		t.Helper()
		for _, resp := range []*fasthttp.Response{do(s, "POST", PathQuery, totals), do(s, "GET", PathRealtime+"?site_id=a", "")} {
			body := string(resp.Body())
			if resp.StatusCode() != 503 || !strings.HasPrefix(body, `{"error":"The rollup store`) || !strings.Contains(body, want) || strings.Contains(body, "secret") {
				t.Errorf("%d %s, want 503 with %q", resp.StatusCode(), body, want)
			}
			if len(resp.Header.Peek("Retry-After")) == 0 {
				t.Error("there is no Retry-After")
			}
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != logged {
			t.Errorf("%d errors are logged, want %d:\n%s", got, logged, &log)
		}
	}
	f("could not be read", 1)
	clock = clock.Add(59 * time.Second)
	f("could not be read", 1)
	clock = clock.Add(time.Second)
	f("could not be read", 2)

	server := httptest.NewServer(nil)
	at := server.Listener.Addr().String()
	server.Close()
	_, err := http.Post("http://secret:secret@"+at+"/query?p=secret", "", nil)
	m.err = fmt.Errorf("read rollups: %w", err)
	f("at "+at+" is not reachable", 2)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.err = context.Canceled
	if _, err := s.Answer(ctx, []byte(totals)); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that has ended: %v", err)
	}
}

// contextReader notes what its scans run under.
type contextReader struct {
	*memory
	seen []context.Context
}

func (r *contextReader) Scan(ctx context.Context, sel window.Selection, fn func(event.Time, bool, *window.Point) error) error {
	r.seen = append(r.seen, ctx)
	return r.memory.Scan(ctx, sel, fn)
}

// TestContextIsNotTheRequest: fasthttp uses a RequestCtx again for the next request while a
// goroutine of package context may still look at the parents of a query's context. So the
// request must not be among them: its values don't shine through.
func TestContextIsNotTheRequest(t *testing.T) {
	for _, body := range []string{totals, ""} {
		r := &contextReader{memory: &memory{}}
		s := mustServer(t, testOptions{Reader: r})
		var ctx fasthttp.RequestCtx
		var req fasthttp.Request
		req.SetRequestURI(PathRealtime + "?site_id=a")
		if body != "" {
			req.Header.SetMethod("POST")
			req.SetRequestURI(PathQuery)
			req.SetBodyString(body)
		}
		ctx.Init(&req, nil, nil)
		ctx.SetUserValue("mine", true)
		if ctx.Value("mine") != true {
			t.Fatal("the test sees nothing: a request's context does not give its user values")
		}
		s.Handler(&ctx)
		if ctx.Response.StatusCode() != 200 || len(r.seen) == 0 {
			t.Fatalf("%d %s after %d scans", ctx.Response.StatusCode(), ctx.Response.Body(), len(r.seen))
		}
		for _, c := range r.seen {
			if c.Value("mine") != nil {
				t.Errorf("%s: the context of a scan hangs on the request", ctx.Path())
			}
		}
	}
}

// TestTimeout: a query that takes too long is given up; while it runs, others wait a second and
// are sent away.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{block: make(chan struct{})}
		s := mustServer(t, testOptions{Reader: m, Timeout: 5 * time.Second, MaxConcurrent: 1})
		begin := time.Now()
		slow := make(chan error)
		go func() {
			_, err := s.Answer(t.Context(), []byte(totals))
			slow <- err
		}()
		synctest.Wait()
		_, err := s.Answer(t.Context(), []byte(totals))
		var e *Error
		if !errors.As(err, &e) || e.Status != 429 || time.Since(begin) != time.Second {
			t.Errorf("a second query: %v after %s, want 429 after 1s", err, time.Since(begin))
		}
		if err := <-slow; !errors.As(err, &e) || e.Status != 503 || time.Since(begin) != 5*time.Second {
			t.Errorf("the slow query: %v after %s, want 503 after 5s", err, time.Since(begin))
		}
		close(m.block)
		if _, err := s.Answer(t.Context(), []byte(totals)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
