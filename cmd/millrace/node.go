package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/lineage"
	"millrace/cmd/internal/supervise"
	"millrace/engine"
	"millrace/ingest"
	"millrace/ingest/geo"
	"millrace/internal/broker"
	"millrace/internal/kafka"
)

// node is everything that serve has running.
//
// What can be refused is looked at first: flags, folder, addresses, the collector's settings; then the log is compared with
// what was made of it. Only then do processors start, so that the first word of a start in vain is its reason.
//
// It is started in the order broker, topics, stores, processors, collector, listener, demo, and stopped in the reverse
// order, so that what feeds another is gone before it. The public address is bound early, but nobody is answered before the
// rest is up: until then connections wait in the kernel.
//
//  1. Readiness is off, so that a balancer sends nobody new; the demo stops.
//  2. The listener closes. Handlers in flight go on until Kafka has their events: their senders get the 2xx.
//  3. The collector flushes what is left and sends a last tick.
//  4. The processors stop: what they have in hand is acknowledged and committed. None of it would be lost otherwise, but
//     done again at the next start.
//  5. The stores close, after all who write to them.
//  6. The broker closes, after all its clients: a client that meets a closed broker waits and retries.
//  7. The admin port closes, so that an operator sees the whole of it; the folder's lock goes last.
type node struct {
	flags      *serveCommand
	newDeriver func() engine.Deriver
	log        *slog.Logger

	dir     *datadir.Dir
	admin   *admin
	cluster *kafka.Cluster
	clients []kgo.Opt      // how franz-go clients reach the cluster
	guard   *lineage.Guard // stops the tasks when the log turns out to be another one
	stores  stores
	tasks   []*supervise.Task
	public  net.Listener   // the public address, nil without a role that has one
	collect ingest.Options // of the collector, if there is one
	places  *geo.DB        // nil without --geo-mmdb
	front   *front
	demo    *supervise.Task

	closers []closer // in the order of starting
}

// closer undoes a step of start.
type closer struct {
	what string
	fn   func() error
}

func (n *node) onStop(what string, fn func() error) {
	n.closers = append(n.closers, closer{what, fn})
}

// connectTime bounds how long start waits for Kafka.
const connectTime = 8 * time.Second

// start brings everything up, or returns the first error; stop has to be called in both cases. Ctx ends only the start.
func (n *node) start(ctx context.Context) error {
	steps := []func(context.Context) error{
		n.openFolder, n.openAdmin, n.bindFront, n.openPlaces, n.openCluster, n.makeGuard, n.configureCollector, n.openTopics, n.openStores, n.checkLog,
		n.startTasks, n.openFront, n.startDemo,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return errors.New("told to stop before everything was up")
		}
	}
	n.admin.ready.start()
	return nil
}

// stop undoes start. Each error is in what it returns; nothing keeps the rest from being stopped.
func (n *node) stop() error {
	if n.admin != nil {
		n.admin.ready.drain()
	}
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		c := n.closers[i]
		began := time.Now()
		if err := c.fn(); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.what, err))
		}
		n.log.Debug("stopped", "what", c.what, "took", time.Since(began).Round(time.Millisecond))
	}
	n.closers = nil
	return errors.Join(errs...)
}

func (n *node) openFolder(context.Context) error {
	dir, err := datadir.Open(n.flags.Data)
	if errors.Is(err, datadir.ErrInUse) {
		return fmt.Errorf("%w; stop that one, or give this one a folder of its own with --data", err)
	}
	if err != nil {
		return err
	}
	n.dir = dir
	n.onStop("data folder", dir.Close)
	return nil
}

func (n *node) openAdmin(context.Context) error {
	a, err := startAdmin(n.flags.Admin, n.log)
	if err != nil {
		return err
	}
	n.admin = a
	n.onStop("admin port", a.close)
	return nil
}

// openCluster finds the brokers: those that are given, or the embedded one.
func (n *node) openCluster(context.Context) error {
	f := n.flags
	if !f.usesKafka() {
		return nil
	}
	if len(f.Kafka) > 0 {
		n.cluster = &kafka.Cluster{Brokers: f.Kafka, Replication: f.Replication, SessionTimeout: f.sessionTimeout()}
		n.clients = []kgo.Opt{kgo.SeedBrokers(f.Kafka...)}
		return nil
	}
	b, err := broker.Open(broker.Options{Dir: n.dir.Broker(), SyncWrites: f.SyncWrites, Logger: n.log})
	if err != nil {
		return fmt.Errorf("start embedded broker: %w", err)
	}
	n.onStop("broker", b.Close)
	n.cluster = &kafka.Cluster{Brokers: b.Addrs(), Dialer: b.Dialer(), Replication: 1}
	n.clients = []kgo.Opt{kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext)}
	d, err := openDoor(n.dir.Path(), func(ctx context.Context) (net.Conn, error) { return b.DialContext(ctx, "", b.Addrs()[0]) })
	if err != nil {
		return err
	}
	if d != nil {
		n.onStop("broker's socket", d.close)
	}
	return nil
}

// startTask keeps a role's function running, unless it refuses to, and makes it a condition of readiness. All tasks stop together.
func (n *node) startTask(name string, ready func() bool, run func(context.Context) error) {
	var refused atomic.Bool
	t := supervise.Start(context.Background(), name, n.log, n.guard.Role(name, run, func() { refused.Store(true) }))
	n.tasks = append(n.tasks, t)
	n.admin.ready.add(name, func() bool { return t.Running() && !refused.Load() && ready() })
	n.admin.counter("millrace_task_restarts_total", "Times a task was started again after a failure.",
		map[string]string{"task": name}, func() float64 { return float64(t.Restarts()) })
}

// stopTasks stops all tasks at once: each waits for the brokers, not for another.
func (n *node) stopTasks() error {
	var wg sync.WaitGroup
	for _, t := range n.tasks {
		wg.Go(t.Stop)
	}
	wg.Wait()
	return nil
}
