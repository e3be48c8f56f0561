package admin

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestLoopbackByName: it is the address that counts, and not how it was written.
func TestLoopbackByName(t *testing.T) {
	if addrs, err := net.LookupHost("LOCALHOST"); err != nil || len(addrs) == 0 {
		t.Skip("no LOCALHOST here")
	}
	p, err := Open(Options{Addr: "LOCALHOST:0", Fail: func(err error) { t.Error(err) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for host, want := range map[string]int{"evil.example": http.StatusForbidden, "localhost": http.StatusOK} {
		req, err := http.NewRequest("GET", "http://"+p.Addr()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %s: %s, want %d", host, resp.Status, want)
		}
	}
}

// TestBounded: a client that sends no body, or reads no answer, loses its connection; one that
// waits for a profile gets it.
func TestBounded(t *testing.T) {
	const most = 100 * time.Millisecond
	s := httptest.NewServer(bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/profile":
			time.Sleep(4 * most)
			if r.Context().Err() != nil {
				t.Error("the context of a profile ends by itself")
			}
		case "/large":
			w.Write(bytes.Repeat([]byte("x"), 64<<20))
		}
	}), most, most))
	defer s.Close()
	dial := func(request string) net.Conn {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		return c
	}
	ends := func(c net.Conn) {
		t.Helper()
		if _, err := io.Copy(io.Discard, c); err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Error("the connection is kept")
			}
		}
	}
	ends(dial("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"))
	ends(dial("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"))
	c := dial("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
	time.Sleep(3 * most)
	ends(c)
	profile, err := http.ReadResponse(bufio.NewReader(dial("GET /profile?seconds=1 HTTP/1.1\r\nHost: a\r\n\r\n")), nil)
	if err != nil || profile.StatusCode != http.StatusOK {
		t.Error(profile, err)
	}
}
