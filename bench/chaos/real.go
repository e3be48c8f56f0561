package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"

	"millrace/internal/services"
)

// real is a cluster of Apache Kafka that belongs to one run. Its workers reach it by way of relays, in which their
// connections can be cut.
type real struct {
	kafka  *services.Kafka
	relays []*relay
}

// startReal starts so many brokers, with their data in a folder, and a relay in front of each.
func startReal(ctx context.Context, dir string, o *Options, c *cutter) (*real, error) {
	m, err := o.services(filepath.Join(dir, "services"))
	if err != nil {
		return nil, err
	}
	o.progress("start brokers", 0, 0)
	k, err := m.StartKafka(ctx, services.KafkaOptions{Brokers: o.Brokers, Dir: filepath.Join(dir, "kafka"), Home: o.KafkaHome})
	if err != nil {
		return nil, err
	}
	w := &real{kafka: k}
	for _, addr := range k.Addrs() {
		r, err := startRelay(addr, c)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.relays = append(w.relays, r)
	}
	return w, nil
}

// services manages servers in a folder; their programs are kept from run to run.
func (o *Options) services(dir string) (*services.Manager, error) {
	programs := o.Services
	if programs == "" {
		var err error
		if programs, err = services.DefaultDir(); err != nil {
			return nil, err
		}
	}
	return &services.Manager{Dir: dir, Bin: filepath.Join(programs, "bin")}, nil
}

// via says where the workers find the brokers.
func (w *real) via() map[string]string {
	m := map[string]string{}
	for _, r := range w.relays {
		m[r.to] = r.ln.Addr().String()
	}
	return m
}

func (w *real) close() error {
	err := w.kafka.Remove()
	for _, r := range w.relays {
		err = errors.Join(err, r.close())
	}
	return err
}

// relay hands the bytes of its connections on to a broker and back. The cutter stands on the workers' side.
type relay struct {
	to string
	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	conns  map[net.Conn]bool
	closed bool
}

func startRelay(to string, c *cutter) (*relay, error) {
	ln, err := c.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen in front of broker %s: %w", to, err)
	}
	r := &relay{to: to, ln: ln, conns: map[net.Conn]bool{}}
	r.wg.Go(r.run)
	return r, nil
}

func (r *relay) run() {
	for {
		conn, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.serve(conn) })
	}
}

// serve ends with either side. A broker that is not there is one that hangs up.
func (r *relay) serve(down net.Conn) {
	up, err := net.Dial("tcp", r.to)
	if err != nil {
		down.Close()
		return
	}
	if !r.keep(down, up) {
		return
	}
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		io.Copy(to, from) // its error is the end of a connection, which the other side is told by the next lines
		to.Close()
		from.Close()
	}
	both.Go(func() { pass(up, down) })
	both.Go(func() { pass(down, up) })
	both.Wait()
	r.mu.Lock()
	delete(r.conns, down)
	delete(r.conns, up)
	r.mu.Unlock()
}

// keep notes connections for close, or closes them if that was already.
func (r *relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.conns[c] = true
		if r.closed {
			c.Close()
		}
	}
	return !r.closed
}

func (r *relay) close() error {
	err := r.ln.Close()
	r.mu.Lock()
	r.closed = true
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
	return err
}
