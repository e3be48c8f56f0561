package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// inFlightTime is how long requests in flight may take once the listener is closed. Their beacons
// are in the hands of the collector then, whose Close waits for Kafka.
const inFlightTime = 4 * time.Second

// public serves the public address: the collector, the query API, or both.
type public struct {
	listener net.Listener
	server   *fasthttp.Server
	closing  atomic.Bool
	served   chan error
}

// serve serves until close. It calls fail if it ends before: the process would look alive and hear
// nothing.
func (p *public) serve(fail func(error)) {
	err := p.server.Serve(p.listener)
	if !p.closing.Load() {
		fail(fmt.Errorf("serve public address: %w", cmp.Or(err, errors.New("the listener has ended"))))
	}
	p.served <- err
}

// close stops listening and waits for the requests in flight.
func (p *public) close() error {
	p.closing.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), inFlightTime)
	defer cancel()
	err := p.server.ShutdownWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // slow clients are cut off; what they had sent is with the collector
	}
	p.listener.Close() // also where Serve had not begun yet
	return errors.Join(err, <-p.served)
}

// urlOf returns the URL under which a client on this machine reaches an address that is listened
// on.
func urlOf(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
