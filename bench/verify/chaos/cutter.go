package chaos

import (
	"net"
	"sync"
)

// cutter stands in the brokers' listeners and does harm to connections.
type cutter struct {
	mu    sync.Mutex // guards conns
	conns map[*cutConn]bool
}

// listen is what brokers in this process and relays listen with.
func (c *cutter) listen(network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &cutListener{ln, c}, nil
}

// cutListener notes each connection with the cutter.
type cutListener struct {
	net.Listener
	cutter *cutter
}

// Accept implements net.Listener.
func (l *cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &cutConn{Conn: conn, cutter: l.cutter}
	l.cutter.mu.Lock()
	defer l.cutter.mu.Unlock()
	if l.cutter.conns == nil {
		l.cutter.conns = map[*cutConn]bool{}
	}
	l.cutter.conns[c] = true
	return c, nil
}

// cutConn is a broker's end of a connection.
type cutConn struct {
	net.Conn
	cutter *cutter
	mu     sync.Mutex // guards what follows
	mute   bool
	own    bool // a scenario's own client
	read   int
}

// Read looks at the first request for the client's id: the scenario's own connections are spared.
func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read < 64 {
		c.read += n
		c.own = c.own || containsClient(b[:n])
	}
	return n, err
}

// Write loses the answer if the connection is mute, and ends it: the broker has done what was
// asked, and nobody hears of it.
func (c *cutConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	mute := c.mute
	c.mu.Unlock()
	if mute {
		c.Close()
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Close takes the connection from the cutter.
func (c *cutConn) Close() error {
	c.cutter.mu.Lock()
	delete(c.cutter.conns, c)
	c.cutter.mu.Unlock()
	return c.Conn.Close()
}

// containsClient looks for the client's id in the beginning of a connection, where every request
// has it: its length and then its bytes.
func containsClient(b []byte) bool {
	for i := 0; i+len(ownClient)+2 <= len(b) && i < 64; i++ {
		if b[i] == 0 && int(b[i+1]) == len(ownClient) && string(b[i+2:i+2+len(ownClient)]) == ownClient {
			return true
		}
	}
	return false
}

// cut ends every connection of the workers; with mute their next answer is lost first. It returns
// how many there were.
func (c *cutter) cut(mute bool) int {
	c.mu.Lock()
	var list []*cutConn
	for conn := range c.conns {
		conn.mu.Lock()
		if !conn.own {
			conn.mute = mute
			list = append(list, conn)
		}
		conn.mu.Unlock()
	}
	c.mu.Unlock()
	if !mute {
		for _, conn := range list {
			conn.Close()
		}
	}
	return len(list)
}
