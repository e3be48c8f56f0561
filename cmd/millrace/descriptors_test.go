//go:build linux

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFewDescriptors opens more connections than a process with few descriptors can have, and closes them. Before, the public
// address was deaf from then on, and the process ready.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	s, err := launchAfter(t, "ulimit -Sn 512 && ulimit -Hn 1024", localPlace(t).args("serve"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.waitReady(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	_, metrics, err := get(s.admin + "/metrics")
	if err != nil || !strings.Contains(metrics, "process_max_fds 1023\n") { // Go leaves one
		t.Errorf("the limit was not raised to the hard one: %v", err)
	}
	if !strings.Contains(s.stderr.String(), "few file descriptors") {
		t.Error("a low limit was not reported")
	}
	conns := make([]net.Conn, 1000)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", strings.TrimPrefix(s.url, "http://")); err != nil {
			t.Fatal(err)
		}
	}
	mustBeUnready(t, s, "connections are refused: 768 are open at most")
	for _, c := range conns {
		c.Close()
	}
	mustHearAgain(t, s)
	s.mustStop(t)
}

// TestNoDescriptorLeft takes all descriptors away, whoever has them, so that accept itself fails, and gives them back.
func TestNoDescriptorLeft(t *testing.T) {
	t.Parallel()
	s := mustServe(t, localPlace(t))
	var before unix.Rlimit
	limit := func(to unix.Rlimit) {
		t.Helper()
		if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &to, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	if code, _, err := get(s.admin + "/readyz"); err != nil || code != http.StatusOK { // a connection that is kept
		t.Fatal(code, err)
	}
	takes := 0
	waitFor(t, 20*time.Second, func() error {
		code, body, err := get(s.admin + "/readyz?verbose")
		if err == nil && code != http.StatusOK && strings.Contains(body, "no  listener: ") && strings.Contains(body, "too many open files") {
			return nil
		}
		if takes++; takes%20 == 1 { // again, if the server has closed files since they were counted
			entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			limit(unix.Rlimit{Cur: uint64(len(entries)), Max: before.Max})
			for range 16 { // the first may get descriptors that were free for a moment
				c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
			}
		}
		return fmt.Errorf("status %d, %v:\n%s", code, err, body)
	})
	limit(before)
	mustHearAgain(t, s)
	most := 2 * (1 + takes/20) // the admin port may be hit too
	if n := strings.Count(s.stderr.String(), "connections can't be accepted"); n < 1 || n > most {
		t.Errorf("reported %d times, want %d at most: an episode for each port and each time that nothing was left\n%s", n, most, s.stderr.String())
	}
	if _, metrics, err := get(s.admin + "/metrics"); err != nil || strings.Contains(metrics, `millrace_accept_errors_total{listener="public"} 0`) {
		t.Errorf("no error was counted: %v", err)
	}
	s.mustStop(t)
}

func mustBeUnready(t *testing.T, s *serving, reason string) {
	t.Helper()
	waitFor(t, 10*time.Second, func() error {
		code, body, err := get(s.admin + "/readyz?verbose")
		if err == nil && (code == http.StatusOK || !strings.Contains(body, "no  listener: ") || !strings.Contains(body, reason)) {
			err = fmt.Errorf("status %d:\n%s", code, body)
		}
		return err
	})
}

// mustHearAgain waits until a server is ready, and sends it a beacon.
func mustHearAgain(t *testing.T, s *serving) {
	t.Helper()
	if err := s.waitReady(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.url+"/v1/events", "application/json", strings.NewReader(`{"site":"a.example.com","name":"pageview","url":"https://a.example.com/"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", resp.StatusCode)
	}
}
