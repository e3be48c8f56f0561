package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lovoo/goka"

	emitinflux "millrace/emit/influx"
	"millrace/emit/local"
	"millrace/emit/parquet"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/kafka"
	"millrace/state"
)

// startTasks starts the roles that run in the background: archive, process and emit.
func (n *node) startTasks(context.Context) error {
	n.onStop("processors", n.stopTasks)
	for _, start := range []struct {
		role string
		fn   func() error
	}{{roleArchive, n.startArchive}, {roleProcess, n.startEngine}, {roleEmit, n.startEmit}} {
		if !n.flags.has(start.role) {
			continue
		}
		if err := start.fn(); err != nil {
			return fmt.Errorf("start role %s: %w", start.role, err)
		}
	}
	if len(n.tasks) > 0 {
		n.startWatch()
	}
	return nil
}

// gokaOptions are those of a processor without a table.
func (n *node) gokaOptions() []goka.ProcessorOption {
	return n.cluster.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: n.log})
}

// rules are the engine's, from the flags.
func (f *engineFlags) rules() engine.Rules {
	r := engine.Rules{
		Grace:       msec(f.Grace),
		Lateness:    msec(f.Lateness),
		EarlyEvery:  msec(f.Early),
		SilentAfter: msec(f.SilentAfter),
	}
	if f.Early == 0 {
		r.EarlyEvery = -1
	}
	return r
}

func msec(d time.Duration) event.Time { return event.Time(d.Milliseconds()) }

// startEngine runs package engine on the stores of package state. A goka processor runs once, so each start of the task
// makes another; the state's folders stay.
func (n *node) startEngine() error {
	var current atomic.Pointer[engine.Processor]
	seen := newEngineMetrics()
	n.admin.registry.MustRegister(seen)
	n.startTask(roleProcess, func() bool { p := current.Load(); return p != nil && p.Ready() },
		func(ctx context.Context) error {
			table := state.NewTable(n.stateOptions)
			p, err := engine.New(engine.Options{
				Cluster:    n.cluster,
				Table:      table,
				Store:      func(partition int32) (engine.Store, bool) { return table.Store(partition) },
				NewDeriver: n.newDeriver,
				Rules:      n.flags.rules(),
				Partitions: int(n.flags.Partitions),
				Log:        n.log,
				Standby:    n.flags.Standby,
				Fired:      seen.onFired,
			})
			if err != nil {
				return err
			}
			current.Store(p)
			seen.source.Store(&engineSource{p, table})
			return p.Run(ctx)
		})
	return nil
}

// startEmit runs the sink of the rollup store that is configured.
func (n *node) startEmit() error {
	if n.stores.influx != nil {
		e, err := emitinflux.NewEmitter(emitinflux.EmitterOptions{
			Brokers: n.cluster.Brokers, Goka: n.gokaOptions(), Sink: n.stores.influx.Sink,
		})
		if err != nil {
			return err
		}
		n.countInflux()
		n.startTask(roleEmit, always, e.Run)
		return nil
	}
	e := local.NewEmitter(local.EmitterOptions{
		Store: n.stores.local, Brokers: n.cluster.Brokers, Goka: n.gokaOptions(), Logger: n.log,
		Rewind: func(ctx context.Context) error { return n.cluster.Rewind(ctx, local.Group) },
	})
	n.countLocal(e)
	n.startTask(roleEmit, always, e.Run)
	return nil
}

// startArchive runs the archiver into the lake.
func (n *node) startArchive() error {
	a, err := parquet.New(parquet.Options{
		Brokers: n.cluster.Brokers,
		Goka: func(limit parquet.Limit) []goka.ProcessorOption {
			return n.cluster.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: n.log, Limit: limit})
		},
		End: func(ctx context.Context, partition int32) (int64, error) {
			ends, err := n.cluster.Ends(ctx, engine.EventsTopic)
			return ends[partition], err
		},
		Topic:         engine.EventsTopic,
		Partitions:    n.flags.Partitions,
		Store:         n.stores.lake,
		Log:           n.log,
		FlushInterval: n.flags.ArchiveEvery,
		SilentAfter:   max(n.flags.SilentAfter, time.Minute),
	})
	if err != nil {
		return usagef("%w", err)
	}
	n.countArchive(a)
	n.startTask(roleArchive, always, a.Run)
	return nil
}

// always is readiness without a condition: the task runs.
func always() bool { return true }
