package front

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/internal/local"
)

// countedConn counts its end, once.
type countedConn struct {
	net.Conn
	listener *Listener
	once     sync.Once
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.once.Do(func() { c.listener.open.Add(-1) })
	return c.Conn.Close()
}

// lazyConn sets few deadlines: a server sets three for each request, each of which costs a timer,
// and most of them nothing waits for. One is handed on only before the connection is read from or
// written to, and not if the one that is set is hardly earlier. So one that is changed does not end
// a call that is waiting, and all calls come from one goroutine.
type lazyConn struct {
	countedConn
	read, write deadline
	peer        netip.Addr
}

// Peer returns local.Peer of the request's connection.
func Peer(ctx *fasthttp.RequestCtx) netip.Addr {
	if c, ok := ctx.Conn().(*lazyConn); ok {
		return c.peer // with what else each request reads of it; the address is four pointers away
	}
	return local.Peer(ctx.RemoteAddr())
}

// Read implements net.Conn.
func (c *lazyConn) Read(b []byte) (int, error) {
	if c.read.due() {
		if err := c.Conn.SetReadDeadline(c.read.wanted); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *lazyConn) Write(b []byte) (int, error) {
	if c.write.due() {
		if err := c.Conn.SetWriteDeadline(c.write.wanted); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// SetDeadline implements net.Conn.
func (c *lazyConn) SetDeadline(t time.Time) error {
	c.read.wanted, c.write.wanted = t, t
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *lazyConn) SetReadDeadline(t time.Time) error {
	c.read.wanted = t
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *lazyConn) SetWriteDeadline(t time.Time) error {
	c.write.wanted = t
	return nil
}

// mostEarly is by how much a deadline may come too early.
const mostEarly = time.Second

// deadline is one that is wanted, and the one that is set; zero is none.
type deadline struct{ wanted, set time.Time }

// due reports whether the deadline has to be set, which the caller then does.
func (d *deadline) due() bool {
	if early := d.wanted.Sub(d.set); early >= 0 && early < mostEarly {
		return false // also where there is none and none is wanted
	}
	d.set = d.wanted
	return true
}
