package front

import (
	"bufio"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/internal/certstest"
)

// serveTLS serves the method and the length of the body of each request, and returns the address and a
// client that trusts it.
func serveTLS(t *testing.T, readTimeout time.Duration) (string, *http.Client) {
	t.Helper()
	a := certstest.New(t)
	pair, err := tls.LoadX509KeyPair(a.Write(t, t.TempDir(), time.Now().Add(time.Hour), "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := NewMetrics(nil)
	ln := Listen(tcp, ListenerOptions{Name: "test", MaxConns: 10, Log: slog.New(slog.DiscardHandler), Metrics: m})
	s := NewServer(ServerOptions{Name: "test", MaxBody: 1 << 20, Log: slog.New(slog.DiscardHandler), Metrics: m, Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.WriteString(string(ctx.Method()))
	}})
	s.ReadTimeout = readTimeout
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(TLS(ln, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}))
	}()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool()}, ForceAttemptHTTP2: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return ln.Addr().String(), &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// TestTLS: a client of TLS is served, also when it offers HTTP/2; one of plain HTTP learns what to do.
func TestTLS(t *testing.T) {
	addr, client := serveTLS(t, 5*time.Second)
	for range 2 { // the second on the same connection
		resp, err := client.Post("https://"+addr+"/", "text/plain", strings.NewReader(strings.Repeat("x", 100_000)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "POST" || resp.ProtoMajor != 1 || resp.TLS.NegotiatedProtocol != "http/1.1" {
			t.Errorf("%s, %v, %s by ALPN %q", body, err, resp.Proto, resp.TLS.NegotiatedProtocol)
		}
	}
	for _, size := range []int{0, 100, 200_000} {
		resp, err := http.Post("http://"+addr+"/", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatalf("plain HTTP, %d bytes: %v", size, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "https://") {
			t.Errorf("plain HTTP, %d bytes: %s %s, %v", size, resp.Status, body, err)
		}
	}
	_, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

// A client that says nothing, or only begins a handshake, holds no connection for long.
func TestTLSSilence(t *testing.T) {
	addr, _ := serveTLS(t, 50*time.Millisecond)
	for _, said := range []string{"", "\x16\x03\x01\x00"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, said); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(conn).ReadBytes(0); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("after %q: %v", said, err)
		}
	}
}

// TestTLSByOpenSSL has another implementation as the client.
func TestTLSByOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not there")
	}
	addr, _ := serveTLS(t, 5*time.Second)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		cmd := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", addr, version, "-alpn", "h2,http/1.1", "-quiet", "-ign_eof")
		cmd.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "HTTP/1.1 200 OK") {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
	}
}
