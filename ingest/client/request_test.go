package client

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/v1"
)

// TestFromRequest: who a visitor is, behind which proxies, and on which page.
func TestFromRequest(t *testing.T) {
	c, err := New(Options{URL: "http://127.0.0.1:1", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, c)
	f := func(remote, target string, headers string, wantIP, wantURL string) {
		t.Helper()
		r := httptest.NewRequest("GET", target, nil)
		r.RemoteAddr, r.TLS = remote, nil
		for line := range strings.SplitSeq(headers, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			if name == "TLS" {
				r.TLS = &tls.ConnectionState{}
				continue
			}
			r.Header.Add(name, value)
		}
		e := c.FromRequest(r, "x")
		if e.IP.IsValid() != (wantIP != "") || e.IP.IsValid() && e.IP.String() != wantIP || e.URL != wantURL {
			t.Errorf("%s %s: %v %s\nwant %s %s", remote, headers, e.IP, e.URL, wantIP, wantURL)
		}
	}
	const page = "http://a.example/b?c=d"
	f("203.0.113.9:1234", page, "", "203.0.113.9", page)
	f("203.0.113.9:1234", page, "TLS", "203.0.113.9", "https://a.example/b?c=d")
	f("203.0.113.9:1234", page, "X-Forwarded-For: 198.51.100.1\nX-Forwarded-Proto: https", "203.0.113.9", page)
	f("10.1.1.1:1234", page, "X-Forwarded-For: 198.51.100.1\nX-Forwarded-Proto: https", "198.51.100.1", "https://a.example/b?c=d")
	f("10.1.1.1:1234", page, "X-Forwarded-For: 192.0.2.1, 198.51.100.1, 10.2.2.2", "198.51.100.1", page)
	f("10.1.1.1:1234", page, "X-Forwarded-For: 192.0.2.1\nX-Forwarded-For: 198.51.100.1:80", "198.51.100.1", page)
	f("[fd00::1]:1234", page, "X-Forwarded-For: [2001:db8::1]:80", "2001:db8::1", page)
	f("[::ffff:10.1.1.1]:1234", page, "X-Forwarded-For: 2001:db8::1", "2001:db8::1", page)
	f("10.1.1.1:1234", page, "X-Forwarded-For: unknown", "10.1.1.1", page)
	f("10.1.1.1:1234", page, "", "10.1.1.1", page)
	f("@", page, "", "", page) // of a Unix socket

	r := httptest.NewRequest("GET", page, nil)
	r.Header.Set("Referer", "https://b.example/\u00fc"+strings.Repeat("x", 5000))
	r.Header.Set("User-Agent", "My\tUA")
	r.Header.Set("Accept-Language", "de-AT,de;q=0.9")
	e := c.FromRequest(r, "x")
	if len(e.Referrer) != mostURL || e.UserAgent != "MyUA" || e.Language != "de-AT" || e.Name != "x" {
		t.Errorf("%+v", e)
	}
	if OptedOut(r) {
		t.Error("opted out")
	}
	r.Header.Set("DNT", "1")
	if !OptedOut(r) {
		t.Error("not opted out")
	}
	// Behind http.StripPrefix the page has its whole path.
	http.StripPrefix("/b", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := c.FromRequest(r, "x").URL; got != "http://a.example/b/c" {
			t.Error(got)
		}
	})).ServeHTTP(httptest.NewRecorder(), func() *http.Request {
		r := httptest.NewRequest("GET", "/b/c", nil)
		r.Host = "a.example"
		return r
	}())
}

// FuzzFromRequest: nothing that a visitor sends makes an event that the collector refuses.
func FuzzFromRequest(f *testing.F) {
	f.Add("a.example", "/b?c=d", "https://b.example/", "UA", "de", "1.2.3.4")
	f.Add("/x", "*", "\x7f", "\xff\x00", "de_AT,*", "fe80::1%eth0, unknown")
	f.Add("", "http://[::1%25eth0]/", strings.Repeat("ü", 3000), strings.Repeat("\xff", 2000), "", "")
	c := &Client{o: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	f.Fuzz(func(t *testing.T, host, uri, referrer, ua, language, forwarded string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Host, r.RequestURI = "10.1.1.1:80", host, uri
		r.Header = http.Header{"Referer": {referrer}, "User-Agent": {ua}, "Accept-Language": {language}, "X-Forwarded-For": {forwarded}}
		it, err := encode(c.FromRequest(r, PageView), "a.example")
		if err != nil {
			t.Fatal(err)
		}
		var p protocol.Parser
		if _, err := v1.Parse(&p, body([]item{it}), true, event.TimeOf(time.Now())); err != nil {
			t.Errorf("%s: %v", it.json, err)
		}
		if got := decode([]item{it}); len(got) != 1 || got[0].Name != PageView {
			t.Errorf("%s is read as %+v", it.json, got)
		}
	})
}

// TestPages: what is a view of a page, and that the writer below stays within reach.
func TestPages(t *testing.T) {
	var views int
	far := &far{answer: func(_ int, ids []string) (int, string, string) { views += len(ids); return 0, "", "" }}
	c := far.client(t, Options{BatchWait: time.Hour})
	defer mustClose(t, c)
	f := func(want int, request string, h http.HandlerFunc) {
		t.Helper()
		method, headers, _ := strings.Cut(request, "\n")
		r := httptest.NewRequest(method, "http://a.example/b", nil)
		r.Header.Set("User-Agent", "UA")
		for line := range strings.SplitSeq(headers, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		views = 0
		plain, seen := httptest.NewRecorder(), httptest.NewRecorder()
		h(plain, r)
		c.Pages(h, OptedOut).ServeHTTP(seen, r)
		if seen.Code != plain.Code || !bytes.Equal(seen.Body.Bytes(), plain.Body.Bytes()) || seen.Flushed != plain.Flushed {
			t.Errorf("%s: the answer is another: %d %s", request, seen.Code, seen.Body)
		}
		if err := c.Flush(t.Context()); err != nil || views != want {
			t.Errorf("%s: %d views, want %d; %v", request, views, want, err)
		}
	}
	html := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "hello")
	}
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
		}
	}
	f(1, "GET", html)
	f(1, "GET\nSec-Fetch-Dest: document", html)
	f(1, "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!doctype html><p>hello") })
	f(1, "GET", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "<!doctype html><p>hello")
		http.NewResponseController(w).Flush()
	})
	f(1, "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<p>")
		w.(http.Flusher).Flush()
	})
	f(1, "GET\nSec-Fetch-Dest: document", status(304))
	f(0, "GET", status(304))
	f(0, "GET", status(404))
	f(0, "GET", status(302))
	f(0, "POST", html)
	f(0, "HEAD", html)
	f(0, "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	f(0, "GET", func(http.ResponseWriter, *http.Request) {})
	f(0, "GET\nSec-Fetch-Dest: image", html)
	f(0, "GET\nSec-Fetch-Dest: iframe", html)
	f(0, "GET\nSec-Purpose: prefetch;prerender", html)
	f(0, "GET\nUser-Agent: ", html)
	f(0, "GET\nSec-GPC: 1", html)
}
