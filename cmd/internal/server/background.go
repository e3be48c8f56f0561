package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/cmd/internal/admin"
	"millrace/cmd/internal/gate"
	"millrace/cmd/internal/lineage"
	"millrace/cmd/internal/metrics"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/supervise"
	"millrace/internal/kafka"
)

const (
	// probeEvery is how often a monitor probes.
	probeEvery = 3 * time.Second
	// away is how long Kafka, or a remote rollup store, may be silent before the process is not
	// ready.
	away = 15 * time.Second
)

// background keeps running what runs until the server stops.
type background struct {
	guard   *lineage.Guard // ends a role when the log turns out to be another one
	ready   *admin.Readiness
	metrics prometheus.Registerer
	closers *closers
	log     *slog.Logger

	tasks  []*supervise.Task // of start
	closes []func() error    // of what they use
}

// start keeps a role running while it can do its work, unless the guard refuses it, and makes it a
// condition of readiness, and that its records reach it. Reads looks at that now and then. Stop stops
// it.
func (b *background) start(t roles.Task, reads func(context.Context) error) {
	g := gate.New(gate.Options{Name: t.Role, Probe: t.Probe, Waiting: t.Waiting, Log: b.log})
	var refused onceError
	run := func(ctx context.Context) error { return kafka.ExplainTime(t.Run(ctx)) }
	task := supervise.Start(context.Background(), t.Role, b.log, b.guard.Role(t.Role, g.Guard(run), refused.set))
	b.tasks = append(b.tasks, task)
	if t.Close != nil {
		b.closes = append(b.closes, t.Close)
	}
	m := b.look(t.Role+" reads", away, reads)
	b.ready.AddWhy(t.Role, func() error {
		if err := cmp.Or(refused.get(), g.Why(), m.Why()); err != nil || t.Ready == nil {
			return err
		}
		return t.Ready()
	})
	metrics.Counter(b.metrics, "millrace_task_restarts_total", "Times a task was started again after a failure.",
		map[string]string{"task": t.Role}, func() float64 { return float64(task.Restarts()) })
}

// stop stops all roles at once: each waits for the brokers, not for another.
func (b *background) stop() error {
	var wg sync.WaitGroup
	for _, t := range b.tasks {
		wg.Go(t.Stop)
	}
	wg.Wait()
	var errs []error
	for _, f := range b.closes {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// keep keeps a function running that is no role, until the closers stop it.
func (b *background) keep(name string, run func(context.Context) error) {
	t := supervise.Start(context.Background(), name, b.log, run)
	b.closers.add(name, func() error { t.Stop(); return nil })
}

// monitor probes something again and again, and makes it a condition of readiness for some roles.
// Tolerance is how long probes may fail before that counts.
func (b *background) monitor(name string, of []string, tolerance time.Duration, probe func(context.Context) error) {
	m := b.look(name, tolerance, probe)
	b.ready.AddFor(of, name, m.Why)
}

// look probes something again and again.
func (b *background) look(name string, tolerance time.Duration, probe func(context.Context) error) *gate.Monitor {
	m := gate.NewMonitor(gate.MonitorOptions{Name: name, Probe: probe, Every: probeEvery, Tolerance: tolerance, Log: b.log})
	b.keep("look at "+name, m.Run)
	return m
}

// inBackground calls run in a goroutine, and returns what ends its context and waits for it.
func inBackground(run func(context.Context)) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	return func() error {
		cancel()
		<-done
		return nil
	}
}

// onceError keeps the first error. Its zero value is ready.
type onceError struct{ err atomic.Pointer[error] }

func (o *onceError) set(err error) { o.err.CompareAndSwap(nil, &err) }

func (o *onceError) get() error {
	if p := o.err.Load(); p != nil {
		return *p
	}
	return nil
}
