package certs_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/certs"
	"millrace/internal/certstest"
	"millrace/internal/testlog"
)

var quiet = slog.New(slog.DiscardHandler)

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mustRead returns a file.
func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is wrong with a pair is named, with the file.
func TestOpen(t *testing.T) {
	a, hour := certstest.New(t), time.Now().Add(time.Hour)
	f := func(want, file string, change func(cert, key string)) {
		t.Helper()
		cert, key := a.Write(t, t.TempDir(), hour, "localhost")
		change(cert, key)
		_, err := certs.Open(certs.Options{Cert: cert, Key: key, Log: quiet})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file)) {
			t.Errorf("%v; want %q of %s", err, want, file)
		}
		if text, readErr := os.ReadFile(key); readErr == nil && err != nil && len(text) > 100 && strings.Contains(err.Error(), string(text[40:60])) {
			t.Errorf("the error has a part of the key: %v", err)
		}
	}
	f("", "", func(string, string) {})
	f("", "", func(cert, key string) { // one file with both
		both := mustRead(t, cert) + mustRead(t, key)
		mustWrite(t, cert, both)
		mustWrite(t, key, both)
	})
	f("no such file", "cert.pem", func(cert, _ string) { os.Remove(cert) })
	f("no such file", "key.pem", func(_, key string) { os.Remove(key) })
	f("no PEM block -----BEGIN CERTIFICATE", "cert.pem", func(cert, key string) { mustWrite(t, cert, mustRead(t, key)) })
	f("no PEM block -----BEGIN PRIVATE KEY", "key.pem", func(cert, key string) { mustWrite(t, key, mustRead(t, cert)) })
	f("is encrypted", "key.pem", func(_, key string) {
		mustWrite(t, key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"+strings.Repeat("AAAA", 12)+"\n-----END ENCRYPTED PRIVATE KEY-----\n")
	})
	f("do not go together", "cert.pem", func(cert, _ string) {
		other, _ := a.Write(t, t.TempDir(), hour, "localhost")
		mustWrite(t, cert, mustRead(t, other))
	})
	f("malformed", "cert.pem", func(cert, _ string) {
		mustWrite(t, cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	})
	f("has expired on", "cert.pem", func(cert, _ string) { a.Write(t, filepath.Dir(cert), time.Now().Add(-time.Second), "localhost") })
	f("is good from", "cert.pem", func(cert, _ string) { a.Write(t, filepath.Dir(cert), time.Now().Add(25*time.Hour), "localhost") })
}

// A pair that changes is taken into use; one that is no good leaves the old one, and is reported
// once, and not while the files are being replaced.
func TestWatch(t *testing.T) {
	a, dir := certstest.New(t), t.TempDir()
	cert, key := a.Write(t, dir, time.Now().Add(time.Hour), "first")
	log := &testlog.Buffer{}
	p, err := certs.Open(certs.Options{Cert: cert, Key: key, Every: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Watch(ctx) }()
	defer func() { cancel(); <-done }()
	inUse := func() string {
		c, err := p.Config().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.Subject.CommonName
	}
	wait := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: in use %s, %v\n%s", what, inUse(), p.Err(), log)
			}
		}
	}
	a.Write(t, dir, time.Now().Add(2*time.Hour), "second")
	wait("a new pair", func() bool { return inUse() == "second" && p.Err() == nil })
	if left := p.Remaining(); left < time.Hour || left > 2*time.Hour {
		t.Errorf("remaining: %v", left)
	}
	good := mustRead(t, key)
	mustWrite(t, key, "no key")
	wait("a broken key", func() bool { return p.Err() != nil })
	if inUse() != "second" || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "key.pem") {
		t.Errorf("in use %s\n%s", inUse(), log)
	}
	mustWrite(t, key, good)
	wait("the key as it was", func() bool { return p.Err() == nil })
	a.Write(t, dir, time.Now().Add(-time.Hour), "third")
	wait("a pair that has expired", func() bool { return p.Err() != nil })
	if inUse() != "second" {
		t.Errorf("in use %s", inUse())
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
		t.Errorf("%d errors are logged, want 2:\n%s", n, log)
	}
	if !strings.Contains(log.String(), "expires soon") {
		t.Errorf("no warning of the end:\n%s", log)
	}
}

// TestReload: a connection that is open outlives a new certificate, and the next one gets that.
func TestReload(t *testing.T) {
	a, dir := certstest.New(t), t.TempDir()
	cert, key := a.Write(t, dir, time.Now().Add(time.Hour), "localhost", "first")
	p, err := certs.Open(certs.Options{Cert: cert, Key: key, Every: 5 * time.Millisecond, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	server.TLS = p.Config()
	server.StartTLS()
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Watch(ctx) }()
	defer func() { cancel(); <-done }()
	get := func(c *http.Client) (name string, reused bool) {
		t.Helper()
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.TLS.PeerCertificates[0].DNSNames[1], reused
	}
	client := func() *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool(), ServerName: "localhost"}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	old := client()
	get(old)
	a.Write(t, dir, time.Now().Add(time.Hour), "localhost", "second")
	end := time.Now().Add(10 * time.Second)
	for {
		if name, _ := get(client()); name == "second" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the new certificate is not in use")
		}
		time.Sleep(time.Millisecond)
	}
	if name, reused := get(old); name != "first" || !reused {
		t.Errorf("the old connection: certificate %s, reused %t", name, reused)
	}
}

func TestPool(t *testing.T) {
	dir := t.TempDir()
	if _, err := certs.Pool(certstest.New(t).WriteCA(t, dir)); err != nil {
		t.Error(err)
	}
	path := filepath.Join(dir, "ca.pem")
	f := func(text, want string) {
		t.Helper()
		mustWrite(t, path, text)
		if _, err := certs.Pool(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	f("", "no PEM block")
	f("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1")
}
