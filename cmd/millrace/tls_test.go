package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"millrace/internal/certstest"
)

// TestTLS: with a certificate the public address speaks TLS alone, and says so to others.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := certstest.New(t)
	cert, key := a.Write(t, t.TempDir(), time.Now().Add(time.Hour), "127.0.0.1")
	s, err := launchServer(t, append(localPlace(t).args("serve"), "--tls-cert", cert, "--tls-key", key))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.url, "https://") || strings.Contains(s.stdout.String(), strings.Replace(s.url, "https", "http", 1)) {
		t.Errorf("the greeting is of http:\n%s", s.stdout.String())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool()}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	send := func(base string) (status int, body string) {
		resp, err := client.Post(base+"/api/event", "application/json", strings.NewReader(`{"n":"pageview","u":"https://a.example.com/","d":"a.example.com"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if status, body := send(s.url); status != http.StatusAccepted {
		t.Errorf("%d %s", status, body)
	}
	if status, body := send(strings.Replace(s.url, "https", "http", 1)); status != http.StatusBadRequest || !strings.Contains(body, "https://") {
		t.Errorf("plain HTTP: %d %s", status, body)
	}
	waitFor(t, 10*time.Second, func() error {
		_, page, err := get(s.admin + "/metrics")
		for _, want := range []string{"millrace_tls_certificate_remaining_days 0.04", "millrace_tls_reload_failing 0", `kind="tls_handshake",listener="public"} 1`} {
			if err == nil && !strings.Contains(page, want) {
				err = fmt.Errorf("no %s in the metrics", want)
			}
		}
		return err
	})
	s.mustStop(t)
}

// TestTLSRefused: what can't be served with is named at the start.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certstest.New(t).Write(t, dir, time.Now().Add(-time.Hour), "127.0.0.1")
	f := func(want string, args ...string) {
		t.Helper()
		if s, err := launchServer(t, append(localPlace(t).args("serve"), args...)); err == nil {
			s.kill()
			t.Errorf("%q: it starts", args)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", args, err, want)
		}
	}
	f("--tls-cert, --tls-key: certificate "+cert+" has expired", "--tls-cert", cert, "--tls-key", key)
	f("--tls-cert and --tls-key go together", "--tls-cert", cert)
	f("--admin-tls-cert, --admin-tls-key: certificate "+cert+" has expired", "--admin-tls-cert", cert, "--admin-tls-key", key)
	f("--admin-tls-cert and --admin-tls-key go together", "--admin-tls-key", key)
	f("plain HTTP: leave out", "--tls-cert", cert, "--tls-key", key, "--demo")
}

// TestAdminTLS: the operators' port speaks TLS with a certificate of its own, and the metrics are of the one that ends first.
func TestAdminTLS(t *testing.T) {
	t.Parallel()
	a := certstest.New(t)
	cert, key := a.Write(t, t.TempDir(), time.Now().Add(20*time.Hour), "127.0.0.1")
	adminCert, adminKey := a.Write(t, t.TempDir(), time.Now().Add(time.Hour), "127.0.0.1")
	s, err := launchServer(t, append(localPlace(t).args("serve"), "--tls-cert", cert, "--tls-key", key, "--admin-tls-cert", adminCert, "--admin-tls-key", adminKey))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool()}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	get := func(url string) (status int, body string, ends time.Time) {
		t.Helper()
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.TLS != nil {
			ends = resp.TLS.PeerCertificates[0].NotAfter
		}
		return resp.StatusCode, string(text), ends
	}
	if !strings.HasPrefix(s.admin, "https://") {
		t.Fatalf("the greeting has %s", s.admin)
	}
	status, page, ends := get(s.admin + "/metrics")
	if status != http.StatusOK || !strings.Contains(page, "millrace_tls_certificate_remaining_days 0.04") || time.Until(ends) > 2*time.Hour {
		t.Errorf("%d, a certificate until %s, and metrics\n%.300s", status, ends, page)
	}
	if status, body, _ := get(strings.Replace(s.admin, "https", "http", 1) + "/metrics"); status != http.StatusBadRequest || !strings.Contains(body, "https://") {
		t.Errorf("plain HTTP: %d %s", status, body)
	}
	s.mustStop(t)
}
