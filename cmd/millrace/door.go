package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// door lets commands on this machine reach the embedded broker of a running serve: a Unix socket in the data folder, which
// only its owner can enter. Each connection to it is one to the broker.
type door struct {
	ln   net.Listener
	dial func(context.Context) (net.Conn, error)

	mu    sync.Mutex // guards conns
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

// maxDoorPath is the longest path that every system takes for a socket.
const maxDoorPath = 100

// errNoDoor: nobody can be reached at a data folder.
var errNoDoor = errors.New("no broker answers in the data folder")

func doorPath(data string) string { return filepath.Join(data, "broker.sock") }

// openDoor listens. REQUIRES: the data folder's lock. Where the path is too long for a socket there is no door, and no error:
// serve can do without.
func openDoor(data string, dial func(context.Context) (net.Conn, error)) (*door, error) {
	path := doorPath(data)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a serve that was killed
		return nil, fmt.Errorf("make way for the broker's socket: %w", err)
	}
	if len(path) > maxDoorPath {
		return nil, nil
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the broker's socket: %w", err)
	}
	d := &door{ln: ln, dial: dial, conns: map[net.Conn]struct{}{}}
	d.wg.Go(d.accept)
	return d, nil
}

func (d *door) accept() {
	for {
		outer, err := d.ln.Accept()
		if err != nil {
			return // closed
		}
		inner, err := d.dial(context.Background())
		if err != nil {
			outer.Close()
			continue
		}
		d.mu.Lock()
		closed := d.conns == nil
		if !closed {
			d.conns[outer], d.conns[inner] = struct{}{}, struct{}{}
		}
		d.mu.Unlock()
		if closed {
			outer.Close()
			inner.Close()
			return
		}
		d.wg.Go(func() { d.pass(inner, outer) })
		d.wg.Go(func() { d.pass(outer, inner) })
	}
}

// pass copies until either end closes; then both do.
func (d *door) pass(to, from net.Conn) {
	_, _ = io.Copy(to, from) // Kafka's clients deal with connections that end
	to.Close()
	from.Close()
	d.mu.Lock()
	delete(d.conns, to)
	delete(d.conns, from)
	d.mu.Unlock()
}

// close ends every connection and waits for it.
func (d *door) close() error {
	err := d.ln.Close()
	d.mu.Lock()
	for c := range d.conns {
		c.Close()
	}
	d.conns = nil
	d.mu.Unlock()
	d.wg.Wait()
	return err
}

// throughDoor dials the embedded broker of the serve that runs on a data folder; it fits kgo.Dialer. The address does not
// matter.
func throughDoor(data string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", doorPath(data))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoDoor, err)
		}
		return conn, nil
	}
}
