package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/internal/testlog"
)

// TestBehindNginx is serve behind a real nginx on the same machine, with the mistakes that operators make: each ends in a refusal
// or a warning that names the flag. The short form has the right way and the worst; CI's step proxy plays all.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	nginx := mustNginx(t)
	const (
		passOn    = "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
		realIP    = "proxy_set_header X-Real-IP $remote_addr;"
		plain     = ""
		plain11   = "proxy_http_version 1.1;"
		untrusted = "is not among --trusted-proxies"
		silent    = "--no-loopback-trust"
		noClient  = "a proxy of --trusted-proxies names no client"
	)
	trust := []string{"--trusted-proxies", "127.0.0.1"}
	f := func(name, location string, args []string, queries int, warning string) {
		t.Run(name, func(t *testing.T) {
			if name != "right" && name != "plain proxy_pass" {
				onlyLong(t)
			}
			t.Parallel()
			s := mustServe(t, localPlace(t), args...)
			url := startNginx(t, nginx, location, s)
			if code, body := throughProxy(t, url+"/api/v2/query", `{"site_id":"a.example.com","metrics":["visitors"],"date_range":"day"}`, "curl/8.14.1"); code != queries ||
				code == http.StatusUnauthorized && !strings.Contains(body, "--query-keys") {
				t.Errorf("a query through the proxy: %d %s, want %d", code, body, queries)
			}
			for _, agent := range []string{firefox, "curl/8.14.1"} {
				if code, body := throughProxy(t, url+"/api/event", `{"n":"pageview","u":"https://a.example.com/","d":"a.example.com"}`, agent); code != http.StatusAccepted {
					t.Errorf("a beacon through the proxy: %d %s", code, body)
				}
			}
			if code, body := throughProxy(t, url+"/admin/metrics", "", "curl/8.14.1"); location != plain11 && (code != http.StatusForbidden || !strings.Contains(body, "--admin")) {
				t.Errorf("metrics through the proxy: %d %.100s", code, body)
			}
			// This machine itself goes on.
			if code, body, err := get(s.admin + "/metrics"); err != nil || code != http.StatusOK {
				t.Errorf("metrics: %d %s %v", code, body, err)
			}
			s.mustStop(t)
			log := s.stderr.String()
			if n := strings.Count(log, "count as one visitor"); (warning == "" && n != 0) || (warning != "" && (n != 1 || !strings.Contains(log, warning))) {
				t.Errorf("%d warnings, want %q in one:\n%s", n, warning, log)
			}
		})
	}
	f("right", passOn, append([]string{"--query-keys", "any"}, trust...), 200, "")
	f("no keys", passOn, trust, 401, "")
	f("no keys, no loopback trust", passOn, append([]string{"--no-loopback-trust"}, trust...), 401, "")
	f("no trusted proxies", passOn, nil, 401, untrusted)
	f("wrong header", realIP, trust, 401, noClient)
	f("wrong header, no trusted proxies", realIP, nil, 401, silent)
	f("plain proxy_pass", plain, nil, 401, silent)
	f("plain proxy_pass, trusted", plain, trust, 401, noClient)
	// Nothing tells a program through this from one on this machine: the Host is 127.0.0.1, nginx adds no header, and some
	// libraries send "Connection: close" too. A browser does not, so that the first visitor is the warning.
	f("plain proxy_pass with HTTP/1.1", plain11, nil, 200, silent)
}

// mustNginx returns the program. A test that needs it skips where it is missing; .ci/run has it.
func mustNginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("nginx is not installed: apt-get install nginx-light")
	return ""
}

// startNginx runs nginx with one location before a server, and /admin/ before its admin port, until the test ends.
func startNginx(t *testing.T, nginx, location string, s *serving) (url string) {
	t.Helper()
	dir := t.TempDir()
	ln := mustListen(t)
	addr := ln.Addr().String()
	ln.Close()
	temp := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s/%s;\n", what, dir, what)
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n%[2]s"+
		"server {\nlisten %[3]s; server_name stats.example.com;\nlocation / { proxy_pass %[4]s; %[5]s }\nlocation /admin/ { proxy_pass %[6]s/; %[5]s }\n}\n}\n",
		dir, temp, addr, s.url, location, s.admin)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs testlog.Buffer
	cmd := exec.Command(nginx, "-c", conf, "-p", dir, "-e", "stderr")
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait() // ended by the signal
	})
	waitFor(t, 10*time.Second, func() error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, errs.String())
		}
		return conn.Close()
	})
	return "http://" + addr
}

// throughProxy makes a request as a client from elsewhere would, by the public name. It is a GET without a body.
func throughProxy(t *testing.T, url, body, agent string) (code int, answer string) {
	t.Helper()
	method := "POST"
	if body == "" {
		method = "GET"
	}
	req, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "stats.example.com"
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	if agent == firefox {
		req.Header.Set("Origin", "https://a.example.com")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
