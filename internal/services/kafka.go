package services

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// KafkaVariable carries the brokers' addresses to the tests, joined by commas.
const KafkaVariable = "MILLRACE_TEST_KAFKA"

// maxKafkas is the largest cluster that is started. More than three make no difference to a client.
const maxKafkas = 9

// KafkaOptions say how a cluster is started.
type KafkaOptions struct {
	// Brokers is their number, 1 to 9; 0 is 1. With three or more of them a topic has three copies and is written to
	// as long as two of those are there, unless its maker says otherwise.
	Brokers int
	// Dir is an empty or missing folder for data, configuration and logs; "" is DefaultKafkaDir.
	Dir string
	// Port is the first of twice as many ports as there are brokers: one for each to listen on, then one for each as a
	// controller. 0 is free ones.
	Port int
	// Home is an unpacked Kafka of version 3.9 or 4; "" is one that Maven installs.
	Home string
	// Version is the one that Maven installs, for a cluster without Home; "" is KafkaVersion().
	Version string
	// Secure adds the listeners of SecureListeners to the one in plain text, with certificates, users and an authorizer.
	Secure bool
	// Heap is the largest heap of a broker, as Java writes sizes; "" is 256m, above 200m is needed.
	Heap string
	// Detached brokers outlive this process. Others are killed when it ends, however it ends.
	Detached bool
}

// DefaultKafkaDir is where a cluster is kept unless told otherwise.
func (m *Manager) DefaultKafkaDir() string { return filepath.Join(m.runDir(), "kafka") }

// Kafka is a cluster of Apache Kafka on this machine, in KRaft mode: each broker is a controller too. Brokers have the ids 1
// to N, which are also those in Kafka's own metadata.
//
// Several goroutines may use it; calls for the same broker wait for each other.
type Kafka struct {
	dir     string
	conf    kafkaConf
	brokers []*kafkaBroker
}

// kafkaConf is what does not change in the life of a cluster. It is kept in cluster.json, so that another process can
// find the cluster.
type kafkaConf struct {
	ClusterID string
	Java      string
	Libs      string
	Heap      string
	Detached  bool
	Brokers   []kafkaPorts
}

type kafkaPorts struct {
	Port, Controller int
	Listeners        map[string]int `json:",omitempty"` // of a secure cluster, by name
}

// ErrKafkaExists is returned for a folder that has a cluster.
var ErrKafkaExists = errors.New("there is a Kafka cluster already")

// StartKafka makes a cluster and returns once all its brokers answer and know of each other.
func (m *Manager) StartKafka(ctx context.Context, o KafkaOptions) (*Kafka, error) {
	if o.Brokers == 0 {
		o.Brokers = 1
	}
	if o.Brokers < 1 || o.Brokers > maxKafkas {
		return nil, fmt.Errorf("start Kafka: %d brokers are not between 1 and %d", o.Brokers, maxKafkas)
	}
	if o.Dir == "" {
		o.Dir = m.DefaultKafkaDir()
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return nil, fmt.Errorf("start Kafka in %s: %w, or something else; give it an empty folder", dir, ErrKafkaExists)
	}
	conf := kafkaConf{ClusterID: newClusterID(), Heap: o.Heap, Detached: o.Detached}
	if conf.Heap == "" {
		conf.Heap = "256m"
	}
	if conf.Java, err = findJava(); err != nil {
		return nil, err
	}
	if conf.Libs, err = m.kafkaLibs(ctx, o.Home, o.Version); err != nil {
		return nil, err
	}
	// A free port may be taken before the broker has it: then others are tried.
	for try := 1; ; try++ {
		k, err := startKafka(ctx, dir, conf, o)
		if err == nil || o.Port != 0 || try == 3 || !errors.Is(err, errPortTaken) {
			return k, err
		}
	}
}

func startKafka(ctx context.Context, dir string, conf kafkaConf, o KafkaOptions) (*Kafka, error) {
	var err error
	if conf.Brokers, err = kafkaPortsFrom(o.Port, o.Brokers); err != nil {
		return nil, err
	}
	if o.Secure {
		if err := addListeners(conf.Brokers); err != nil {
			return nil, err
		}
	}
	k := newKafka(dir, conf)
	err = k.create(ctx)
	if err == nil {
		err = k.Up(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, k.Remove())
	}
	return k, nil
}

// OpenKafka returns the cluster that another process has started, with Detached, in a folder. The error is fs.ErrNotExist if
// there is none.
func OpenKafka(dir string) (*Kafka, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open Kafka cluster: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "cluster.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open Kafka cluster %s: %w", dir, fs.ErrNotExist)
	}
	var conf kafkaConf
	if err == nil {
		err = json.Unmarshal(b, &conf)
	}
	if err != nil {
		return nil, fmt.Errorf("open Kafka cluster %s: %w", dir, err)
	}
	return newKafka(dir, conf), nil
}

func newKafka(dir string, conf kafkaConf) *Kafka {
	k := &Kafka{dir: dir, conf: conf}
	for i := range conf.Brokers {
		k.brokers = append(k.brokers, &kafkaBroker{cluster: k, id: i + 1, dir: filepath.Join(dir, fmt.Sprint(i+1))})
	}
	return k
}

// create writes the folder and formats the brokers' data folders.
func (k *Kafka) create(ctx context.Context) error {
	if k.Secure() {
		if err := k.makeCertificates(); err != nil {
			return err
		}
	}
	for _, b := range k.brokers {
		if err := b.configure(); err != nil {
			return fmt.Errorf("make a folder for broker %d: %w", b.id, err)
		}
	}
	text, err := json.MarshalIndent(k.conf, "", "\t")
	if err != nil {
		return fmt.Errorf("make Kafka cluster: %w", err)
	}
	if err := os.WriteFile(filepath.Join(k.dir, "cluster.json"), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("make Kafka cluster: %w", err)
	}
	return k.each(func(b *kafkaBroker) error {
		return formatKafka(ctx, k.conf.Java, k.conf.Libs, k.conf.ClusterID, b.file("server.properties"), k.scramArguments()...)
	})
}

// Len is the number of brokers, whether they run or not.
func (k *Kafka) Len() int { return len(k.brokers) }

// Addrs are the addresses of all brokers, host:port, in the order of their ids, whether they run or not.
func (k *Kafka) Addrs() []string {
	var addrs []string
	for _, b := range k.brokers {
		addrs = append(addrs, b.addr())
	}
	return addrs
}

// Up starts the brokers that do not run, and waits until all answer and know of each other. Brokers that are paused are
// resumed.
func (k *Kafka) Up(ctx context.Context) error {
	// All at once: one alone has no majority of controllers, and does not get ready. So one that fails ends the wait for
	// all, and only its error counts.
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := k.each(func(b *kafkaBroker) error {
		err := b.up(within, len(k.brokers))
		if err != nil {
			cancel(fmt.Errorf("Kafka broker %d: %w", b.id, err))
		}
		return err
	})
	if cause := context.Cause(within); err != nil && cause != nil {
		return cause
	}
	return err
}

// Stop ends a broker as an operator does: it hands its partitions over first. One that does not end within 15 s, as
// without a majority of its fellows, is killed. A broker that does not run is stopped.
func (k *Kafka) Stop(id int) error { return k.on(id, "stop", (*kafkaBroker).stop) }

// Kill is kill -9. Data and port are kept.
func (k *Kafka) Kill(id int) error { return k.on(id, "kill", (*kafkaBroker).kill) }

// Pause is SIGSTOP: connections stay, and nothing answers. It needs a Unix.
func (k *Kafka) Pause(id int) error { return k.on(id, "pause", (*kafkaBroker).pause) }

// Resume is SIGCONT.
func (k *Kafka) Resume(id int) error { return k.on(id, "resume", (*kafkaBroker).resume) }

// Restart starts a broker on its data and port, ending it first if it runs, and returns once it answers as a member of the
// cluster. That needs a majority of brokers: use Up when there was none.
func (k *Kafka) Restart(ctx context.Context, id int) error {
	return k.on(id, "restart", func(b *kafkaBroker) error {
		if err := b.stop(); err != nil {
			return err
		}
		return b.up(ctx, 1)
	})
}

// Log returns the path of a broker's log.
func (k *Kafka) Log(id int) string { return filepath.Join(k.dir, fmt.Sprint(id), "log") }

// Close ends all brokers, at once and with kill -9 for those that are slow, and keeps their data.
func (k *Kafka) Close() error { return k.each((*kafkaBroker).stop) }

// Remove is Close, and the folder goes.
func (k *Kafka) Remove() error {
	// Nobody needs the data any more, so nobody waits for a clean end.
	if err := k.each((*kafkaBroker).kill); err != nil {
		return err
	}
	if err := os.RemoveAll(k.dir); err != nil {
		return fmt.Errorf("remove Kafka cluster: %w", err)
	}
	return nil
}

// on calls f for one broker.
func (k *Kafka) on(id int, what string, f func(*kafkaBroker) error) error {
	if id < 1 || id > len(k.brokers) {
		return fmt.Errorf("%s Kafka broker %d: there are 1 to %d", what, id, len(k.brokers))
	}
	b := k.brokers[id-1]
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := f(b); err != nil {
		return fmt.Errorf("%s Kafka broker %d: %w", what, id, err)
	}
	return nil
}

// each calls f for all brokers at the same time.
func (k *Kafka) each(f func(*kafkaBroker) error) error {
	errs := make([]error, len(k.brokers))
	var wg sync.WaitGroup
	for i, b := range k.brokers {
		wg.Go(func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if err := f(b); err != nil {
				errs[i] = fmt.Errorf("Kafka broker %d: %w", b.id, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// newClusterID is a random UUID as Kafka writes it.
func newClusterID() string {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f // an id that begins with - would be taken for a flag
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// kafkaPortsFrom returns the ports of n brokers: consecutive ones that have to be free, or any if first is 0.
func kafkaPortsFrom(first, n int) ([]kafkaPorts, error) {
	ports := make([]kafkaPorts, n)
	if first == 0 {
		taken := map[int]bool{}
		for i := range ports {
			var err error
			if ports[i].Port, err = lowPort(taken); err == nil {
				ports[i].Controller, err = lowPort(taken)
			}
			if err != nil {
				return nil, err
			}
		}
		return ports, nil
	}
	if first < 1 || first+2*n-1 > 65535 {
		return nil, fmt.Errorf("start Kafka: %d to %d are no ports", first, first+2*n-1)
	}
	for i := range ports {
		ports[i] = kafkaPorts{Port: first + i, Controller: first + n + i}
		for _, p := range []int{ports[i].Port, ports[i].Controller} {
			if err := tryPort(p); err != nil {
				return nil, fmt.Errorf("start Kafka: port %d: %w", p, err)
			}
		}
	}
	return ports, nil
}

// addListeners gives each broker free ports for its secure listeners.
func addListeners(brokers []kafkaPorts) error {
	taken := map[int]bool{}
	for _, b := range brokers {
		taken[b.Port], taken[b.Controller] = true, true
	}
	for i := range brokers {
		brokers[i].Listeners = map[string]int{}
		for _, name := range SecureListeners() {
			port, err := lowPort(taken)
			if err != nil {
				return err
			}
			brokers[i].Listeners[name] = port
		}
	}
	return nil
}

// lowPort returns a free port below those that the system gives to connections: a client that dials the port of a broker
// that is down, again and again, would some day be given that very port as its own, reach itself, and keep the broker out.
func lowPort(taken map[int]bool) (int, error) {
	const low, high = 12_000, 32_000
	for range 200 {
		n, err := rand.Int(rand.Reader, big.NewInt(high-low))
		if err != nil {
			return 0, err
		}
		if p := low + int(n.Int64()); !taken[p] && tryPort(p) == nil {
			taken[p] = true
			return p, nil
		}
	}
	return 0, fmt.Errorf("start Kafka: no free port between %d and %d was found", low, high)
}

func tryPort(p int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
	if err != nil {
		return err
	}
	return l.Close()
}
