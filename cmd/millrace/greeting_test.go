package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/server"
)

// TestPublicURL: with --public-url the printed snippet and commands go there, and count when they are pasted
// as they are, through a proxy as a browser's are.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	var backend *url.URL
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/stats")
		httputil.NewSingleHostReverseProxy(backend).ServeHTTP(w, r) // adds X-Forwarded-For
	}))
	defer proxy.Close()
	public := proxy.URL + "/stats"
	key := strings.Repeat("k", 20)
	s := mustServe(t, localPlace(t), "--sites", "blog.example.com", "--early", "500ms", "--trusted-proxies", "127.0.0.1", "--query-keys", key,
		"--public-url", public+"/")
	var err error
	if backend, err = url.Parse(s.url); err != nil {
		t.Fatal(err)
	}
	out := s.stdout.String()
	m := regexp.MustCompile(`<script defer data-domain="([^"]+)" src="([^"]+)"></script>`).FindStringSubmatch(out)
	if m == nil || m[1] != "blog.example.com" || m[2] != public+"/js/script.js" {
		t.Fatalf("snippet %q in:\n%s", m, out)
	}
	if code, body, err := get(m[2]); err != nil || code != http.StatusOK || !strings.Contains(body, `"../api/event"`) {
		t.Fatalf("the script: %d, %v\n%s", code, err, body)
	}
	// What a browser makes of the snippet on a page; TestBrowser runs it.
	req, err := http.NewRequest("POST", public+"/api/event", strings.NewReader(`{"name":"pageview","domain":"blog.example.com","url":"https://blog.example.com/snippet","id":0.5}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	req.Header.Set("User-Agent", firefox)
	req.Header.Set("Origin", "https://blog.example.com")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	for _, line := range strings.Split(out, "\n") {
		words := shellWords(t, strings.ReplaceAll(strings.TrimSpace(line), "YOUR-KEY", key))
		switch {
		case len(words) == 0 || words[0] != "curl":
		case !strings.Contains(line, public):
			t.Errorf("not at %s: %s", public, line)
		case strings.Contains(line, "/v1/events"):
			if code, body := curl(t, words); code/100 != 2 {
				t.Errorf("%s: status %d, %s", line, code, body)
			}
		default:
			waitFor(t, 10*time.Second, func() error {
				code, body := curl(t, words)
				if code != http.StatusOK || !strings.Contains(body, `"/snippet"`) || !strings.Contains(body, `"/hello"`) {
					return fmt.Errorf("status %d: %s", code, body)
				}
				return nil
			})
		}
	}
	s.mustStop(t)
}

func TestPublicURLText(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got, err := publicURL(text); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	f("", "")
	f("https://stats.example.com", "https://stats.example.com")
	f("https://stats.example.com/", "https://stats.example.com")
	f("http://[::1]:8080/m/", "http://[::1]:8080/m")
	for _, bad := range []string{"stats.example.com", "ftp://x", "https://", "https://u@x", "https://x/?a", "https://x/#a", `https://x/"`, "https://x/a b", "https://x/'", "https://x/$(a)"} {
		if got, err := publicURL(bad); err == nil {
			t.Errorf("%s is taken as %s", bad, got)
		}
	}
}

// TestSnippetScript: the address of events is named where the script would not find it.
func TestSnippetScript(t *testing.T) {
	f := func(script, want string) {
		t.Helper()
		if got := snippet("https://x.example/m", "a.example", script, false); !strings.Contains(got, "\n  "+want+"\n") {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
	f("", `<script defer data-domain="a.example" src="https://x.example/m/js/script.js"></script>`)
	f("/a/b.js", `<script defer data-domain="a.example" src="https://x.example/m/a/b.js"></script>`)
	f("/b.js", `<script defer data-domain="a.example" data-api="https://x.example/m/api/event" src="https://x.example/m/b.js"></script>`)
	f("/a/b/c.js", `<script defer data-domain="a.example" data-api="https://x.example/m/api/event" src="https://x.example/m/a/b/c.js"></script>`)
}

// TestSnippetAddress: without --public-url the snippet has an address that others can reach, if there is one.
func TestSnippetAddress(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	f := func(listen, want string) {
		t.Helper()
		ln, err := net.Listen("tcp", listen)
		if err != nil {
			t.Skipf("%s: %v", listen, err)
		}
		defer ln.Close()
		_, port, _ := strings.Cut(ln.Addr().String()[strings.LastIndexByte(ln.Addr().String(), ':'):], ":")
		if got := (&serveCommand{Listen: listen}).publicURL(server.Up{Listen: ln.Addr().String()}); got != want+":"+port {
			t.Errorf("--listen %s: %s, want %s:%s", listen, got, want, port)
		}
	}
	f("127.0.0.1:0", "http://127.0.0.1")
	f("localhost:0", "http://localhost")
	f("[::1]:0", "http://[::1]")
	f(":0", "http://"+host)
	f("0.0.0.0:0", "http://"+host)
}
