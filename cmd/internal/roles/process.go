package roles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"millrace/cmd/internal/metrics"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/state"
)

// State is the folder of the engine's state and the rules that it is made by.
type State struct {
	Dir   string // folder; has a folder for each partition
	Rules engine.Rules
}

// Of returns the options of a partition's state.
func (s State) Of(partition int32) state.Options {
	return state.Options{
		Dir:    filepath.Join(s.Dir, "partition-"+strconv.Itoa(int(partition))),
		Limit:  s.Rules.WithDefaults().Values,
		Visits: s.Rules.Visits(),
		Life:   s.Life(),
	}
}

// Life returns how long a record can matter to the state: as long as the rules have it, and what
// collectors lag.
func (s State) Life() event.Time { return s.Rules.Life() + 5*event.Minute }

// ProcessOptions configure the role process. All fields but Standby are required.
type ProcessOptions struct {
	Common
	State      State
	NewDeriver func() engine.Deriver
	Standby    bool // also follow the state of partitions that other processes have
}

// NewProcess returns the engine on the stores of package state.
func NewProcess(o ProcessOptions) Task {
	p := &process{o: o, metrics: metrics.NewEngine(), times: NewTimes(o.Log)}
	o.Metrics.MustRegister(p.metrics)
	t := o.task(Process, engine.Group, engine.EventsTopic)
	t.Probe, t.Ready, t.Run = p.probe, p.ready, p.run
	return t
}

type process struct {
	o       ProcessOptions
	metrics *metrics.Engine
	times   *Times
	current atomic.Pointer[engine.Processor]
}

// run makes a processor each time, since one of goka's runs once; the state's folders stay.
func (p *process) run(ctx context.Context) error {
	table := state.NewTable(p.o.State.Of)
	e, err := engine.New(engine.Options{
		Cluster:    p.o.Cluster,
		Table:      table,
		Store:      func(partition int32) (engine.Store, bool) { return table.Store(partition) },
		NewDeriver: p.o.NewDeriver,
		Rules:      p.o.State.Rules,
		Partitions: int(p.o.Partitions),
		Log:        p.o.Log,
		Standby:    p.o.Standby,
		Fired:      p.metrics.Fired,
		Observe:    p.times.Observe,
		Reading:    p.o.Reading,
	})
	if err != nil {
		return err
	}
	p.current.Store(e)
	p.metrics.Follow(e, table)
	return e.Run(ctx)
}

func (p *process) ready() error {
	if e := p.current.Load(); e == nil || !e.Ready() {
		return errors.New("the state of its partitions is being read back")
	}
	return nil
}

func (p *process) probe(ctx context.Context) error {
	if err := p.o.probe(ctx, Process); err != nil {
		return err
	}
	return writableFolder(p.o.State.Dir)
}

// writableFolder makes the folder if it is missing, and a file in it, which it removes.
func writableFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the state: %w", err)
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("write to the folder of the state: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(filepath.Clean(f.Name())))
}
