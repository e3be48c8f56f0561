package main

import (
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDrain: after SIGTERM the process is not ready, and serves on for so long.
func TestDrain(t *testing.T) {
	t.Parallel()
	const drain = 2 * time.Second
	s := mustServe(t, localPlace(t), "--drain", drain.String())
	began := time.Now()
	mustSignal(t, s, syscall.SIGTERM)
	mustDrain(t, s)
	if code, _, err := get(s.admin + "/livez"); err != nil || code != http.StatusOK {
		t.Errorf("/livez: %d, %v", code, err)
	}
	resp, err := http.Post(s.url+"/v1/events", "application/json", strings.NewReader(`{"site":"a.example.com","name":"pageview","url":"https://a.example.com/"}`))
	if err != nil {
		t.Fatalf("a beacon during the drain: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted || !resp.Close {
		t.Errorf("a beacon during the drain: status %d, the last one of its connection: %v", resp.StatusCode, resp.Close)
	}
	<-s.ended
	if took := time.Since(began); s.err != nil || took < drain || took > drain+15*time.Second {
		t.Errorf("ended after %v with %v", took, s.err)
	}
}

// TestDrainCutShort: a second signal ends the process, and Ctrl-C does not wait. The end of the
// terminal is a clean stop, too.
func TestDrainCutShort(t *testing.T) {
	t.Parallel()
	s := mustServe(t, localPlace(t), "--drain", "10m")
	mustSignal(t, s, syscall.SIGTERM)
	mustDrain(t, s)
	mustSignal(t, s, syscall.SIGTERM)
	<-s.ended
	if s.err == nil {
		t.Error("a second signal is a clean stop")
	}
	s = mustServe(t, localPlace(t), "--drain", "10m")
	mustSignal(t, s, os.Interrupt)
	<-s.ended
	if s.err != nil {
		t.Errorf("after Ctrl-C: %v", s.err)
	}
	// What a test under nohup starts would ignore the end of the terminal, too, and not end.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	s = mustServe(t, localPlace(t))
	mustSignal(t, s, syscall.SIGHUP)
	<-s.ended
	if s.err != nil {
		t.Errorf("after SIGHUP: %v", s.err)
	}
}

// TestDrainDefault: a laptop does not wait, a server does.
func TestDrainDefault(t *testing.T) {
	for listen, want := range map[string]time.Duration{"127.0.0.1:8080": 0, "localhost:0": 0, "[::1]:80": 0, ":8080": defaultDrain, "0.0.0.0:80": defaultDrain, "10.0.0.7:80": defaultDrain} {
		if got := (&serveCommand{Listen: listen}).drainFor(); got != want {
			t.Errorf("--listen %s: %v, want %v", listen, got, want)
		}
	}
	mustRefuse(t, []string{"--drain", "11m"}, "--drain", "10m")
	mustRefuse(t, []string{"--drain=-1s"}, "--drain: -1s is not from 0 to 10m")
	mustRefuse(t, []string{"--drain", "-1s"}, "--drain: -1s is not from 0 to 10m")
}

func mustSignal(t *testing.T, s *serving, signal os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// mustDrain waits until a server is not ready.
func mustDrain(t *testing.T, s *serving) {
	t.Helper()
	waitFor(t, 10*time.Second, func() error {
		code, body, err := get(s.admin + "/readyz?verbose")
		if err == nil && (code != http.StatusServiceUnavailable || !strings.Contains(body, "no  serving: ")) {
			err = &notYet{body}
		}
		return err
	})
}
