package broker

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// transport is where connections come from: a TCP port or pairs made in process.
type transport interface {
	net.Listener
	dial(ctx context.Context) (net.Conn, error)
}

// listener hands guarded connections to kfake and knows which are open.
type listener struct {
	transport
	guard *guard

	mu     sync.Mutex // guards closed, and conns.Add against conns.Wait
	closed bool
	conns  sync.WaitGroup
}

func listen(o Options) (*listener, error) {
	l := &listener{guard: newGuard(o.Logger)}
	if !o.TCP {
		l.transport = newPairTransport()
		return l, nil
	}
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen for the embedded broker: %w", err)
	}
	l.transport = tcpTransport{ln}
	return l, nil
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.transport.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.Close()
		return nil, net.ErrClosed
	}
	l.conns.Add(1)
	return &guardConn{Conn: c, guard: l.guard, remote: remoteName(c), onClose: l.conns.Done}, nil
}

// Close may be called more than once: kfake closes a listener twice.
func (l *listener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return l.transport.Close()
}

// wait returns when every accepted connection has been closed by kfake. REQUIRES: the listener is
// closed.
func (l *listener) wait() { l.conns.Wait() }

type tcpTransport struct{ net.Listener }

func (t tcpTransport) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", t.Addr().String())
}

// pairTransport makes a pair of connected sockets per dial and accepts one end of it.
type pairTransport struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newPairTransport() *pairTransport {
	return &pairTransport{accept: make(chan net.Conn), done: make(chan struct{})}
}

func (t *pairTransport) Accept() (net.Conn, error) {
	select {
	case c := <-t.accept:
		return c, nil
	case <-t.done:
		return nil, net.ErrClosed
	}
}

func (t *pairTransport) dial(ctx context.Context) (net.Conn, error) {
	client, server, err := connPair()
	if err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	select {
	case t.accept <- server:
		return client, nil
	case <-t.done:
		err = ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	client.Close()
	server.Close()
	return nil, err
}

func (t *pairTransport) Close() error {
	t.once.Do(func() { close(t.done) })
	return nil
}

func (t *pairTransport) Addr() net.Addr { return name(pairAddr) }

// name is a net.Addr of something that has no real one.
type name string

func (name) Network() string  { return "millrace" }
func (n name) String() string { return string(n) }

func remoteName(c net.Conn) net.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a
	}
	return name("in-process") // an unnamed socket prints as nothing
}
