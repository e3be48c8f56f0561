package front

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scriptedListener returns what it is given, in order, and then blocks until it is closed.
type scriptedListener struct {
	results chan any // error or net.Conn
	done    chan struct{}
}

func (l *scriptedListener) Accept() (net.Conn, error) {
	select {
	case r := <-l.results:
		if err, ok := r.(error); ok {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: os.NewSyscallError("accept4", err)}
		}
		return r.(net.Conn), nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *scriptedListener) Close() error { close(l.done); return nil }
func (l *scriptedListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 80}
}

func TestListenerWaitsOutErrors(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO, errors.New("of another kind")} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			inner := &scriptedListener{results: make(chan any, 100), done: make(chan struct{})}
			l := Listen(inner, ListenerOptions{Name: "public", MaxConns: 10, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: NewMetrics(nil)})
			accepted := make(chan error)
			accept := func() {
				conn, err := l.Accept()
				if err == nil {
					conn.Close()
				}
				accepted <- err
			}
			go accept()
			synctest.Wait()
			if l.Err() != nil {
				t.Errorf("%v before any error", l.Err())
			}
			began := time.Now()
			for range 12 {
				inner.results <- err
			}
			time.Sleep(time.Second)
			if l.Err() == nil {
				t.Errorf("%v: ready while nothing can be accepted", err)
			}
			time.Sleep(10 * time.Second)
			if l.Err() != nil { // nobody has come, and yet it is over
				t.Errorf("%v: %v although accepting waits for clients again", err, l.Err())
			}
			client, conn := net.Pipe()
			defer client.Close()
			inner.results <- conn
			if got := <-accepted; got != nil {
				t.Errorf("%v ends the listener: %v", err, got)
			}
			if took := time.Since(began); took > 12*time.Second {
				t.Errorf("waited for %v", took)
			}
			if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "errors=12") || strings.Contains(log.String(), "203.0.113.7") {
				t.Errorf("an episode is two lines, the second with the number of errors, without addresses:\n%s", log.String())
			}
			go accept()
			synctest.Wait()
			l.Close()
			if got := <-accepted; !errors.Is(got, net.ErrClosed) {
				t.Errorf("closed: %v", got)
			}
			if l.Err() == nil {
				t.Error("a closed listener is ready")
			}
		})
	}
}

// TestListenerReportsEpisodes: what is accepted for a moment in between makes no new report, and is ready for that moment.
func TestListenerReportsEpisodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		inner := &scriptedListener{results: make(chan any, 100), done: make(chan struct{})}
		l := Listen(inner, ListenerOptions{Name: "public", MaxConns: 10, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: NewMetrics(nil)})
		defer l.Close()
		logged := func() string { // the lock that lines are written under
			l.mu.Lock()
			defer l.mu.Unlock()
			return log.String()
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
		for range 5 {
			inner.results <- syscall.EMFILE
			synctest.Wait()
			if l.Err() == nil {
				t.Error("ready while nothing can be accepted")
			}
			client, conn := net.Pipe()
			defer client.Close()
			inner.results <- conn
			time.Sleep(leastWait)
			synctest.Wait()
			if err := l.Err(); err != nil {
				t.Errorf("%v after a connection was accepted", err)
			}
			time.Sleep(calmTime / 2)
			synctest.Wait()
		}
		if n := strings.Count(logged(), "\n"); n != 1 {
			t.Errorf("%d lines in an episode that goes on:\n%s", n, logged())
		}
		time.Sleep(2 * calmTime)
		synctest.Wait()
		if n := strings.Count(logged(), "\n"); n != 2 || !strings.Contains(logged(), "errors=5 after=2.0") {
			t.Errorf("the end of an episode is a line, with its errors and its time:\n%s", logged())
		}
		inner.results <- syscall.EMFILE
		synctest.Wait()
		if n := strings.Count(logged(), "\n"); n != 3 {
			t.Errorf("%d lines when another episode begins:\n%s", n, logged())
		}
	})
}

func TestListenerClosesWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &scriptedListener{results: make(chan any, 100), done: make(chan struct{})}
		l := Listen(inner, ListenerOptions{Name: "public", MaxConns: 10, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(nil)})
		for range 100 {
			inner.results <- syscall.EMFILE
		}
		accepted := make(chan error)
		go func() { _, err := l.Accept(); accepted <- err }()
		time.Sleep(10 * time.Second)
		began := time.Now()
		l.Close()
		if err := <-accepted; !errors.Is(err, net.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := l.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
}

// TestListenerRefusesOneTooMany: what is over the limit is answered, and the listener reports it until it has room again.
func TestListenerRefusesOneTooMany(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(ln, ListenerOptions{Name: "public", MaxConns: 2, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(nil)})
	defer l.Close()
	conns := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	first, second := <-conns, <-conns
	if err := l.Err(); err != nil {
		t.Errorf("nobody was refused yet: %v", err)
	}
	answer, err := io.ReadAll(dial())
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") || !strings.Contains(string(answer), "\r\nAccess-Control-Allow-Origin: *\r\n") {
		t.Errorf("%q, %v", answer, err)
	}
	if l.Err() == nil {
		t.Error("ready although connections are refused")
	}
	first.Close()
	first.Close() // a second Close must not count
	dial()
	if c := <-conns; c == nil {
		t.Error("there is room again, and no connection")
	}
	second.Close()
	if got := l.open.Load(); got != 1 {
		t.Errorf("%d open, want 1", got)
	}
}
