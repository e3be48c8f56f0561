package front

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// TLS returns a listener that speaks TLS on the connections of another, whose deadlines must not be
// lazy: a connection of TLS is closed by a second goroutine, which sets one. The handshake is made
// when the server first reads, within its time-outs, and not by Accept.
//
// A client that speaks plain HTTP is answered with 400 in its own words.
func TLS(ln net.Listener, cfg *tls.Config) net.Listener { return &tlsListener{ln, cfg} }

type tlsListener struct {
	net.Listener
	cfg *tls.Config
}

// Accept implements net.Listener.
func (l *tlsListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tlsConn{Conn: tls.Server(&plainConn{Conn: conn}, l.cfg)}, nil
}

// tlsConn tells errors of the handshake from those of requests.
type tlsConn struct {
	*tls.Conn
}

// handshakeError is why a handshake failed.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// Read implements net.Conn.
func (c *tlsConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && !c.ConnectionState().HandshakeComplete {
		err = &handshakeError{err}
	}
	return n, err
}

// plainConn finds out what its client speaks by the first byte: a record of TLS never begins with a
// letter, and a request of HTTP always does.
type plainConn struct {
	net.Conn
	first sync.Once
	plain error // errPlain, if the client speaks HTTP
}

var errPlain = errors.New("the client speaks plain HTTP")

// Read implements net.Conn.
func (c *plainConn) Read(b []byte) (int, error) {
	if c.plain != nil {
		return 0, c.plain
	}
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.first.Do(func() {
			if b[0] >= 'A' && b[0] <= 'Z' || b[0] >= 'a' && b[0] <= 'z' {
				c.plain = errPlain
				c.answer()
			}
		})
	}
	if c.plain != nil {
		return 0, c.plain
	}
	return n, err
}

// Write implements net.Conn. What TLS has to say to a client of plain HTTP is not sent.
func (c *plainConn) Write(b []byte) (int, error) {
	if c.plain != nil {
		return 0, c.plain
	}
	return c.Conn.Write(b)
}

// answerTime is how long a client of plain HTTP may take to read the answer, and to end its request:
// where that is not read the system takes back the answer, too.
const answerTime = time.Second

// answer answers a request of plain HTTP, and reads it to its end or to that of the time.
func (c *plainConn) answer() {
	_ = c.Conn.SetDeadline(time.Now().Add(answerTime))
	if _, err := c.Conn.Write([]byte(plainAnswer)); err != nil {
		return
	}
	rest := make([]byte, 4096)
	for read := 0; read < 1<<20; {
		n, err := c.Conn.Read(rest)
		if read += n; err != nil {
			return
		}
	}
}

const plainBody = `{"error":"this port speaks TLS: write https://"}`

var plainAnswer = fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
	"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n%s", len(plainBody), plainBody)
