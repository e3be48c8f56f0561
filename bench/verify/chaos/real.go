package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"millrace/internal/relay"
	"millrace/internal/services"
)

// real is a cluster of Apache Kafka that belongs to one run. Its workers reach it by way of relays,
// in which their connections can be cut.
type real struct {
	kafka  *services.Kafka
	relays map[string]*relay.Relay // by the address of the broker behind it
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
	w := &real{kafka: k, relays: map[string]*relay.Relay{}}
	for _, addr := range k.Addrs() {
		if w.relays[addr], err = startRelay(addr, c); err != nil {
			delete(w.relays, addr)
			return nil, errors.Join(err, w.close())
		}
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
	for addr, r := range w.relays {
		m[addr] = r.Addr().String()
	}
	return m
}

// close ends the brokers, removes their data and ends the relays.
func (w *real) close() error {
	err := w.kafka.Remove()
	for _, r := range w.relays {
		err = errors.Join(err, r.Close())
	}
	return err
}

// startRelay listens in front of a broker. The cutter stands on the workers' side.
func startRelay(to string, c *cutter) (*relay.Relay, error) {
	ln, err := c.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen in front of broker %s: %w", to, err)
	}
	return relay.Serve(ln, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", to)
	}), nil
}
