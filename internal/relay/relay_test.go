package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func mustListen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func mustDial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// hungUp reports whether the other side of a connection has ended it.
func hungUp(c net.Conn) bool {
	_, err := c.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// Bytes go both ways, and the end of either side is the end of both.
func TestRelay(t *testing.T) {
	behind := mustListen(t)
	r := Serve(mustListen(t), func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", behind.Addr().String())
	})
	defer r.Close()
	pair := func() (client, server net.Conn) {
		t.Helper()
		client = mustDial(t, r.Addr())
		server, err := behind.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		server.SetDeadline(time.Now().Add(30 * time.Second))
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			if _, err := way[0].Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4)
			if _, err := io.ReadFull(way[1], b); err != nil || string(b) != "ping" {
				t.Fatalf("%q, %v", b, err)
			}
		}
		return client, server
	}
	client, server := pair()
	client.Close()
	if !hungUp(server) {
		t.Error("the server's side outlives the client's")
	}
	client, server = pair()
	server.Close()
	if !hungUp(client) {
		t.Error("the client's side outlives the server's")
	}
	client, server = pair()
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if !hungUp(client) || !hungUp(server) {
		t.Error("a connection outlives its relay")
	}
	if c, err := net.Dial("tcp", r.Addr().String()); err == nil && !hungUp(c) {
		t.Error("a closed relay answers")
	}
}

// Where nobody is behind it, a relay hangs up; a dial under way does not hold up Close.
func TestNobodyThere(t *testing.T) {
	r := Serve(mustListen(t), func(context.Context) (net.Conn, error) { return nil, errors.New("nobody") })
	defer r.Close()
	if !hungUp(mustDial(t, r.Addr())) {
		t.Error("a relay to nowhere answers")
	}
	dialing := make(chan bool)
	r = Serve(mustListen(t), func(ctx context.Context) (net.Conn, error) {
		dialing <- true
		<-ctx.Done()
		return nil, ctx.Err()
	})
	mustDial(t, r.Addr())
	<-dialing
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// failingListener fails the first Accept as a process does that has no descriptor left.
type failingListener struct {
	net.Listener
	failed bool
}

func (l *failingListener) Accept() (net.Conn, error) {
	if !l.failed {
		l.failed = true
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// An error of accept that passes does not end the relay.
func TestAcceptFails(t *testing.T) {
	behind := mustListen(t)
	r := Serve(&failingListener{Listener: mustListen(t)}, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", behind.Addr().String())
	})
	defer r.Close()
	client := mustDial(t, r.Addr())
	if _, err := client.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	behind.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	server, err := behind.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	b := make([]byte, 4)
	if _, err := io.ReadFull(server, b); err != nil || string(b) != "ping" {
		t.Errorf("%q, %v", b, err)
	}
}
