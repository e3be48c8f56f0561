package certs

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/certstest"
)

// TestAuthorities: a server whose certificate comes to be of another authority is trusted once the file has that one,
// and a file that is no good leaves the authorities of before, which an error says.
func TestAuthorities(t *testing.T) {
	first, second := certstest.New(t), certstest.New(t)
	dir := t.TempDir()
	path := first.WriteCA(t, dir)
	serve := func(a *certstest.Authority) (url string) {
		cert, key := a.Write(t, t.TempDir(), time.Now().Add(time.Hour), "127.0.0.1")
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
		s.Config.ErrorLog = nil
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	old, renewed := serve(first), serve(second)
	a, err := OpenAuthorities(path)
	if err != nil {
		t.Fatal(err)
	}
	a.every = 0
	client := &http.Client{Transport: a.Transport(&http.Transport{})}
	defer client.CloseIdleConnections()
	get := func(url, want string) {
		t.Helper()
		resp, err := client.Get(url)
		if err == nil {
			err = resp.Body.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	// change has the file seen by a request as it is while it is written.
	change := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = a.Pool()
	}
	get(old, "")
	get(renewed, "unknown authority")
	both, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile(second.WriteCA(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	change(append(both, more...))
	get(renewed, "")
	get(old, "")
	change(more)
	get(renewed, "")
	get(old, "unknown authority")
	change([]byte("nothing"))
	get(renewed, "")
	get(old, path+" has no PEM block")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Pool()
	get(old, "no such file")
	change(both)
	get(old, "")
	if _, err := OpenAuthorities(filepath.Join(dir, "none.pem")); err == nil || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("%v", err)
	}
}
