package front

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"millrace/internal/testlog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

func mustServe(t *testing.T, change func(*ServerOptions)) (addr string, log *testlog.Buffer, m *Metrics) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = &testlog.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	m = NewMetrics(prometheus.NewRegistry())
	o := ServerOptions{
		Name: "public", MaxBody: 1000, WriteTimeout: time.Second, Log: logger, Metrics: m,
		Handler: func(ctx *fasthttp.RequestCtx) { fmt.Fprintf(ctx, "%d bytes", len(ctx.PostBody())) },
	}
	if change != nil {
		change(&o)
	}
	s := NewServer(o)
	done := make(chan error, 1)
	l := Listen(ln, ListenerOptions{Name: "public", MaxConns: 1000, Log: logger, Metrics: m})
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return ln.Addr().String(), log, m
}

// counted returns how many errors of a kind were counted.
func counted(t *testing.T, m *Metrics, kind string) float64 {
	t.Helper()
	families, err := m.registry.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				if f.GetName() == "millrace_http_errors_total" && l.GetName() == "kind" && l.GetValue() == kind {
					return metric.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// send writes raw bytes and returns the answer.
func send(t *testing.T, addr, request string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.40q: %v", request, err)
	}
	return resp
}

// TestNothingPersonalIsLogged sends what fasthttp can't read, with a marker in each place, many times.
func TestNothingPersonalIsLogged(t *testing.T) {
	addr, log, m := mustServe(t, nil)
	const marker = "marker-0815"
	host := "Host: " + marker + "\r\n"
	malformed := []string{
		"GET / HTTP/1.1\r\n" + host + "Authorization Bearer " + marker + "\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Cookie: a=" + marker + "\x00\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "X-Forwarded-For: 198.51.100.7" + marker + "\r\nno colon " + marker + "\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Content-Length: " + marker + "\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: " + marker + "\r\n\r\n",
		"GET /" + marker + " HTTP/" + marker + "\r\n" + host + "\r\n",
		marker + "\r\n\r\n",
		"\x16\x03\x01\x02\x00" + marker + "\r\n\r\n",
		"GET http://[" + marker + " HTTP/1.1\r\n" + host + "\r\n",
	}
	const times = 20
	for range times {
		for _, request := range malformed {
			resp := send(t, addr, request)
			if resp.StatusCode != 400 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Fatalf("%q: %s, %v", request, resp.Status, resp.Header)
			}
		}
	}
	resp := send(t, addr, "GET / HTTP/1.1\r\n"+host+"Cookie: "+strings.Repeat(marker, 2000)+"\r\n\r\n")
	if resp.StatusCode != 431 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
	for _, secret := range []string{marker, "127.0.0.1", "198.51.100"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, log.String())
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want one of each kind:\n%s", n, log.String())
	}
	if got := counted(t, m, "malformed"); got != times*float64(len(malformed)) {
		t.Errorf("%v malformed requests were counted, want %d", got, times*len(malformed))
	}
	if got := counted(t, m, "header_too_large"); got != 1 {
		t.Errorf("%v too large headers were counted", got)
	}
}

// TestAdminLogHasNothingPersonal does the same to the logger of a net/http server.
func TestAdminLogHasNothingPersonal(t *testing.T) {
	var log testlog.Buffer
	l := ErrorLog("admin", slog.New(slog.NewTextHandler(&log, nil)), NewMetrics(nil))
	for range 100 {
		l.Printf("http: panic serving %v: %v\n%s", "192.0.2.7:1234", "marker", "stack")
		l.Printf("http: superfluous response.WriteHeader call from %s", "marker")
	}
	if strings.Contains(log.String(), "marker") || strings.Contains(log.String(), "192.0.2") || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("log:\n%s", log.String())
	}
}

// TestExpect: a refused body is never asked for.
func TestExpect(t *testing.T) {
	addr, _, _ := mustServe(t, func(o *ServerOptions) {
		o.StreamBodies = true
		o.Expect = func(ctx *fasthttp.RequestCtx) bool {
			if ctx.Request.Header.ContentLength() <= 1000 {
				return true
			}
			ctx.SetStatusCode(413)
			ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
			ctx.SetBodyString("too large")
			return false
		}
	})
	resp := send(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 413 || string(body) != "too large" || resp.Header.Get("Access-Control-Allow-Origin") != "*" || !resp.Close || err != nil {
		t.Errorf("%s %q %v close %v, %v", resp.Status, body, resp.Header, resp.Close, err)
	}
	if resp := send(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"); resp.StatusCode != 100 {
		t.Errorf("%s, want 100", resp.Status)
	}
}
