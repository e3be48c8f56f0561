package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Relay serves a listener.
type Relay struct {
	ln   net.Listener
	dial func(context.Context) (net.Conn, error)
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	conns  map[net.Conn]bool
	closed bool
}

// Serve starts to pass connections on to where dial connects. The relay closes the listener.
func Serve(ln net.Listener, dial func(context.Context) (net.Conn, error)) *Relay {
	r := &Relay{ln: ln, dial: dial, conns: map[net.Conn]bool{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.wg.Go(r.accept)
	return r
}

// Addr returns the address of the listener.
func (r *Relay) Addr() net.Addr { return r.ln.Addr() }

// acceptPause is how long accept waits after an error that may pass.
const acceptPause = 50 * time.Millisecond

// accept takes connections until the listener is closed. It waits out any other error, such as that
// no descriptor is left: a relay that stopped for one would be deaf as long as the process lives.
func (r *Relay) accept() {
	for {
		conn, err := r.ln.Accept()
		if err == nil {
			r.wg.Go(func() { r.serve(conn) })
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(acceptPause):
		}
	}
}

// serve passes one connection on, and ends with either side.
func (r *Relay) serve(outer net.Conn) {
	if !r.keep(outer) {
		return
	}
	defer r.end(outer)
	inner, err := r.dial(r.ctx)
	if err != nil || !r.keep(inner) {
		return
	}
	defer r.end(inner)
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		io.Copy(to, from) // its error is the end of a connection, which the other side is told by the next lines
		to.Close()
		from.Close()
	}
	both.Go(func() { pass(inner, outer) })
	both.Go(func() { pass(outer, inner) })
	both.Wait()
}

// keep notes a connection for Close, or closes it if that was before.
func (r *Relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		c.Close()
		return false
	}
	r.conns[c] = true
	return true
}

func (r *Relay) end(c net.Conn) {
	c.Close()
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
}

// Close closes the listener, ends every connection and waits for it. It may be called more than once.
func (r *Relay) Close() error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	var err error
	if first {
		r.stop()
		err = r.ln.Close()
	}
	r.wg.Wait()
	return err
}
