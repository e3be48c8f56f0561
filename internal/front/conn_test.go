package front

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// countingConn counts the deadlines that are set, and remembers the last.
type countingConn struct {
	net.Conn
	reads, writes int
	last          time.Time
}

func (c *countingConn) Read([]byte) (int, error)           { return 0, nil }
func (c *countingConn) Write([]byte) (int, error)          { return 0, nil }
func (c *countingConn) SetReadDeadline(t time.Time) error  { c.reads++; c.last = t; return nil }
func (c *countingConn) SetWriteDeadline(t time.Time) error { c.writes++; c.last = t; return nil }

// A deadline is set before what it is for, and not again while it moves by less than a second; one
// that is earlier, far later or none is.
func TestFewDeadlines(t *testing.T) {
	inner := &countingConn{}
	c := &lazyConn{countedConn: countedConn{Conn: inner}}
	now := time.Now()
	f := func(reads int, want time.Time) {
		t.Helper()
		if err := c.SetReadDeadline(want); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(nil); err != nil {
			t.Fatal(err)
		}
		if early := want.Sub(inner.last); inner.reads != reads || early < 0 || early >= mostEarly {
			t.Errorf("%d are set, want %d; it comes %v too early", inner.reads, reads, early)
		}
	}
	f(0, time.Time{})
	f(1, now.Add(15*time.Second))
	f(1, now.Add(15*time.Second+mostEarly-1))
	f(2, now.Add(15*time.Second+mostEarly))
	f(3, now.Add(5*time.Second))
	f(4, time.Unix(1, 0))
	f(5, time.Time{})
	if err := c.SetDeadline(now); err != nil || inner.writes != 0 {
		t.Errorf("%v; %d deadlines are set before a write", err, inner.writes)
	}
	if _, err := c.Write(nil); err != nil || inner.writes != 1 || !inner.last.Equal(now) {
		t.Errorf("%v; %d deadlines are set for a write, the last is %v", err, inner.writes, inner.last)
	}
}

// TestNetHTTP: between two requests net/http waits for the next byte, and ends that by a deadline.
func TestNetHTTP(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := Listen(tcp, ListenerOptions{Name: "admin", MaxConns: 10, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(nil)})
	server := &http.Server{Handler: http.NotFoundHandler()}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("a connection that waits for its next request keeps the server: %v", err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}
