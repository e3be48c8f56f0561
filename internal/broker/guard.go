package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	maxRequestBytes = 64 << 20
	// minRequestBytes is api key, version and correlation id.
	minRequestBytes = 8
	frameHead       = 8 // length, api key, version
)

// guard decides which requests reach kfake, which allocates as much as the length field has and
// dereferences nil when it does not know the key.
type guard struct {
	known []bool // by API key
	log   *slog.Logger
}

func newGuard(log *slog.Logger) *guard {
	g := &guard{known: make([]bool, kmsg.MaxKey+1), log: log}
	for k := range g.known {
		g.known[k] = kmsg.RequestForKey(int16(k)) != nil
	}
	return g
}

// check returns the error of a request whose frame begins with head, or nil and the bytes that
// follow head.
func (g *guard) check(head *[frameHead]byte) (left int, err error) {
	size := binary.BigEndian.Uint32(head[:4])
	key := int16(binary.BigEndian.Uint16(head[4:6]))
	version := int16(binary.BigEndian.Uint16(head[6:8]))
	switch {
	case size < minRequestBytes || size > maxRequestBytes:
		return 0, fmt.Errorf("request of %d bytes: not in %d..%d", size, minRequestBytes, maxRequestBytes)
	case key < 0 || int(key) >= len(g.known) || !g.known[key]:
		return 0, fmt.Errorf("request with unknown api key %d", key)
	case version < 0:
		return 0, fmt.Errorf("request with api key %d and version %d", key, version)
	}
	return int(size) - (frameHead - 4), nil
}

// guardConn passes whole request frames that the guard accepts and ends with the first that it does
// not. Like kfake, it is read by one goroutine at a time.
type guardConn struct {
	net.Conn
	guard   *guard
	remote  net.Addr
	onClose func()
	once    sync.Once

	head   [frameHead]byte
	passed int // bytes of head handed on
	left   int // bytes of the frame after head that are not read yet
	inHead bool
}

func (c *guardConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !c.inHead && c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.inHead {
		n := copy(p, c.head[c.passed:])
		c.passed += n
		c.inHead = c.passed < frameHead
		return n, nil
	}
	if len(p) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	c.left -= n
	return n, err
}

func (c *guardConn) next() error {
	if _, err := io.ReadFull(c.Conn, c.head[:]); err != nil {
		return err
	}
	left, err := c.guard.check(&c.head)
	if err != nil {
		c.guard.log.Warn("broker: refused a request and closed its connection", "from", c.remote, "reason", err)
		return err // kfake closes the connection
	}
	c.passed, c.left, c.inHead = 0, left, true
	return nil
}

func (c *guardConn) RemoteAddr() net.Addr { return c.remote }

// Close is called twice by kfake, by its reader and by its writer.
func (c *guardConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.onClose)
	return err
}
