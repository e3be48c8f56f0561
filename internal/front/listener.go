package front

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"millrace/internal/local"
)

// ListenerOptions configure a Listener.
type ListenerOptions struct {
	// Name is the label "listener" of the metrics.
	Name string
	// MaxConns is the most connections that are open at a time. Required.
	MaxConns int
	// LazyDeadlines is for a server that reads, writes and sets deadlines of a connection in one
	// goroutine, as fasthttp does and net/http does not. They may come up to a second early.
	LazyDeadlines bool
	Log           *slog.Logger
	Metrics       *Metrics
}

// Listener is a net.Listener whose Accept ends only when it is closed.
type Listener struct {
	net.Listener
	opts  ListenerOptions
	open  atomic.Int64
	close func() error // idempotent
	done  chan struct{}

	mu     sync.Mutex // guards what follows
	err    error      // why nothing is accepted now, or nil
	settle *time.Timer
	// An episode is what the log has a first and a last line of. It goes on for calmTime after it has been accepted again, since
	// a process that is out of descriptors gets one for a moment now and then.
	episode struct {
		began, ended time.Time // without an end while nothing is accepted
		failures     int
		calm         *time.Timer
	}
	refused time.Time // when a connection was last refused
	full    bool
}

// Waits between two attempts to accept, as in net/http. An accept that has lasted for settleTime without an error is waiting
// for a client: it works again, although no connection has come yet.
const (
	leastWait  = 5 * time.Millisecond
	mostWait   = time.Second
	settleTime = 100 * time.Millisecond
	calmTime   = time.Second
)

// fullFor is how long after its last refused connection a listener is reported as full: a balancer that looks every second or
// two has to see it.
const fullFor = 5 * time.Second

// Bind is net.Listen on a TCP address, HOST:PORT. Its error names the flag that the address was given
// by, and the remedy.
func Bind(flag, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		return ln, nil
	}
	var op *net.OpError
	if errors.As(err, &op) && errors.Is(op.Err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s %s: the port is in use by another program; end that program or choose another port", flag, addr)
	}
	return nil, fmt.Errorf("%s: %w", flag, err)
}

// Listen wraps a listener, which must not be used otherwise from then on.
func Listen(ln net.Listener, o ListenerOptions) *Listener {
	l := &Listener{Listener: ln, opts: o, done: make(chan struct{})}
	l.close = sync.OnceValue(func() error {
		close(l.done)
		return ln.Close()
	})
	o.Metrics.listener(o.Name, func() float64 { return float64(l.open.Load()) })
	return l
}

// Accept returns the next connection, or the error of a closed listener. Any other error is waited out, whatever its name: it may
// differ by system, and a server that stops listening for an unknown one is worse than one that tries once a second.
func (l *Listener) Accept() (net.Conn, error) {
	wait := leastWait
	for {
		conn, err := l.accept()
		switch {
		case err != nil && (l.closed() || errors.Is(err, net.ErrClosed)):
			return nil, err
		case err != nil:
			l.failed(err)
			if !l.sleep(wait) {
				return nil, net.ErrClosed
			}
			wait = min(2*wait, mostWait)
		case l.open.Add(1) > int64(l.opts.MaxConns):
			l.refuse(conn)
		default:
			if l.opts.LazyDeadlines {
				return &lazyConn{countedConn: countedConn{Conn: conn, listener: l}, peer: local.Peer(conn.RemoteAddr())}, nil
			}
			return &countedConn{Conn: conn, listener: l}, nil
		}
	}
}

func (l *Listener) accept() (net.Conn, error) {
	l.mu.Lock()
	if l.err != nil && l.settle == nil {
		l.settle = time.AfterFunc(settleTime, l.recovered)
	}
	l.mu.Unlock()
	conn, err := l.Listener.Accept()
	l.mu.Lock()
	failing := l.err != nil
	if l.settle != nil {
		l.settle.Stop()
		l.settle = nil
	}
	l.mu.Unlock()
	if err == nil && failing {
		l.recovered()
	}
	return conn, err
}

// failed counts an error and reports the first one of an episode.
func (l *Listener) failed(err error) {
	l.opts.Metrics.acceptErrors.WithLabelValues(l.opts.Name).Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	e := &l.episode
	if e.calm != nil {
		e.calm.Stop()
		e.calm = nil
	}
	e.ended = time.Time{}
	if e.failures++; e.failures == 1 {
		e.began = time.Now()
		l.opts.Log.Error("connections can't be accepted; trying again until they can", "listener", l.opts.Name, "err", reason(err))
	}
}

// reason is the innermost error: those around it name addresses.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// recovered notes that connections are accepted again.
func (l *Listener) recovered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return
	}
	l.err = nil
	l.episode.ended = time.Now()
	l.episode.calm = time.AfterFunc(calmTime, l.calm)
}

// calm ends an episode.
func (l *Listener) calm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &l.episode
	if e.ended.IsZero() || time.Since(e.ended) < calmTime { // it failed again meanwhile
		return
	}
	l.opts.Log.Warn("connections are accepted again", "listener", l.opts.Name, "errors", e.failures,
		"after", e.ended.Sub(e.began).Round(time.Millisecond))
	e.failures, e.ended, e.calm = 0, time.Time{}, nil
}

// refuse answers a connection that is one too many and closes it.
func (l *Listener) refuse(conn net.Conn) {
	l.opts.Metrics.refusedConns.WithLabelValues(l.opts.Name).Inc()
	l.mu.Lock()
	first := !l.full
	l.full, l.refused = true, time.Now()
	l.mu.Unlock()
	if first {
		l.opts.Log.Warn("too many connections are open; further ones are refused with 503", "listener", l.opts.Name, "most", l.opts.MaxConns)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // the answer fits into the socket's buffer: it does not wait
	_, _ = conn.Write([]byte(fullAnswer))
	conn.Close()
	l.open.Add(-1)
}

const fullBody = `{"error":"too many connections, try again"}`

var fullAnswer = fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
	"Access-Control-Allow-Origin: *\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s", len(fullBody), fullBody)

// Err returns why connections are not taken right now, or nil.
func (l *Listener) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed():
		return errors.New("the listener is closed")
	case l.err != nil:
		return fmt.Errorf("connections can't be accepted: %w", reason(l.err))
	case l.full && (l.open.Load() >= int64(l.opts.MaxConns) || time.Since(l.refused) < fullFor):
		return fmt.Errorf("connections are refused: %d are open at most", l.opts.MaxConns)
	}
	l.full = false
	return nil
}

// Close closes the listener. It is idempotent.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// sleep returns false if the listener was closed meanwhile.
func (l *Listener) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.done:
		return false
	}
}
