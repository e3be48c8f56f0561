package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/bench/tally"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/broker"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
	"millrace/state"
)

// EngineOptions are the settings of Engine. Zero fields take their defaults.
type EngineOptions struct {
	// Events is the number of events. Default 1,000,000.
	Events int
	// Seed makes the workload: the same log comes again.
	Seed uint64
	// Batch is the number of events per record of the log. Default 100.
	Batch int
	// Partitions of the log, each worked off by one goroutine. Default 2.
	Partitions int32
	// Rate is in events per second of event time. Default 5,000.
	Rate float64
	// Early fires open windows every 5 s of log time too, as serve does by default.
	Early bool
	// Dir takes the broker's log and the state; it is emptied afterwards. Default: a temporary
	// folder.
	Dir string
	// CPUProfile, if set, takes a profile of the time that is measured, without preloading and
	// checking.
	CPUProfile io.Writer
	// Progress, if set, is told how far a phase is.
	Progress func(phase string, done, total int)
}

// EngineReport is what Engine measured. CPU is user plus system time of the whole process.
type EngineReport struct {
	// Events, Batch and Seed are the options that made the log.
	Events, Batch int
	Seed          uint64
	// Wall and CPU are of the processing alone: from the processor's start to the last commit.
	Wall, CPU time.Duration
	// Mallocs is the number of allocations in that time.
	Mallocs uint64
	// EventBytes, ChangelogBytes and WindowBytes are the sizes of what the topics' records hold.
	EventBytes, ChangelogBytes, WindowBytes int64
	// Windows is the number of distinct windows of minutes, Firings how often windows of all kinds
	// have fired.
	Windows, Firings int
}

// PerSecond returns events per second of wall time.
func (r *EngineReport) PerSecond() float64 { return float64(r.Events) / r.Wall.Seconds() }

// PerCoreSecond returns events per second of processor time.
func (r *EngineReport) PerCoreSecond() float64 { return float64(r.Events) / r.CPU.Seconds() }

// String prints the report for people, one figure to a line.
func (r *EngineReport) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("events               %d, %d per record, seed %d", r.Events, r.Batch, r.Seed)
	line("events/s             %.0f", r.PerSecond())
	line("events/core-second   %.0f", r.PerCoreSecond())
	line("allocations/event    %.2f", float64(r.Mallocs)/float64(r.Events))
	line("bytes/event          %.0f in the log, %.0f in the changelog (%.2f)", float64(r.EventBytes)/float64(r.Events),
		float64(r.ChangelogBytes)/float64(r.Events), float64(r.ChangelogBytes)/float64(r.EventBytes))
	line("windows              %d in %d firings, %.1f MB", r.Windows, r.Firings, float64(r.WindowBytes)/1e6)
	line("recount              equal")
	return b.String()
}

// Summary prints the median of several runs with its spread.
func Summary(reports []*EngineReport) string {
	f := func(name string, of func(*EngineReport) float64) string {
		var v []float64
		for _, r := range reports {
			v = append(v, of(r))
		}
		slices.Sort(v)
		return fmt.Sprintf("%-20s %.0f (%.0f to %.0f)\n", name, v[len(v)/2], v[0], v[len(v)-1])
	}
	return fmt.Sprintf("median of %d runs\n", len(reports)) + f("events/s", (*EngineReport).PerSecond) + f("events/core-second", (*EngineReport).PerCoreSecond)
}

// Engine preloads a workload into the embedded broker, lets the real processor work it off with the
// real state store, and checks every window against a recount.
func Engine(ctx context.Context, o EngineOptions) (*EngineReport, error) {
	o = o.withDefaults()
	dir, err := os.MkdirTemp(o.Dir, "millrace-bench-")
	if err != nil {
		return nil, fmt.Errorf("make bench folder: %w", err)
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.DiscardHandler)
	b, err := broker.Open(broker.Options{Dir: filepath.Join(dir, "broker"), Logger: log})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	cluster := &kafka.Cluster{Brokers: b.Addrs(), Dialer: b.Dialer()}
	if err := cluster.EnsureTopics(ctx,
		kafka.Topic{Name: engine.EventsTopic, Partitions: o.Partitions},
		kafka.Topic{Name: engine.WindowsTopic, Partitions: o.Partitions},
		kafka.Topic{Name: deadletter.Topic, Partitions: o.Partitions},
		kafka.Topic{Name: kafka.TableTopic(engine.Group), Partitions: o.Partitions},
	); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(1000))
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded broker: %w", err)
	}
	defer client.Close()
	run := &engineRun{opts: o, cluster: cluster, client: client, dir: dir, log: log, report: &EngineReport{Events: o.Events, Batch: o.Batch, Seed: o.Seed}}
	if err := run.preload(ctx); err != nil {
		return nil, err
	}
	if err := run.process(ctx); err != nil {
		return nil, err
	}
	if err := run.verify(ctx); err != nil {
		return nil, err
	}
	return run.report, nil
}

// withDefaults fills in what is zero. Rate stays: a Workload has a default of its own.
func (o EngineOptions) withDefaults() EngineOptions {
	if o.Events == 0 {
		o.Events = 1_000_000
	}
	if o.Batch == 0 {
		o.Batch = 100
	}
	if o.Partitions == 0 {
		o.Partitions = 2
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	return o
}

// engineRun is a measurement in progress: first the log is written (preload), then it is worked
// off and timed (process), then what came of it is read back (verify).
type engineRun struct {
	opts    EngineOptions
	cluster *kafka.Cluster
	client  *kgo.Client
	dir     string
	log     *slog.Logger
	report  *EngineReport
	counts  recount
	ends    []int64 // records of each partition
}

// preload writes the workload as a collector would: batches per partition, ticks each second of
// event time, and ticks at the end that let every window fire.
func (r *engineRun) preload(ctx context.Context) error {
	w := NewWorkload(WorkloadOptions{Seed: r.opts.Seed, Rate: r.opts.Rate})
	r.counts = recount{}
	n := r.opts.Partitions
	r.ends = make([]int64, n)
	pending := make([][]byte, n)
	held := make([]int, n)
	var mu sync.Mutex
	var failed error
	produce := func(p int32, low event.Time) {
		value := event.AppendEnvelope(nil, "bench", low, pending[p])
		pending[p], held[p] = pending[p][:0], 0
		r.ends[p]++
		r.report.EventBytes += int64(len(value))
		r.client.Produce(ctx, &kgo.Record{Topic: engine.EventsTopic, Partition: p, Key: []byte(event.Key(p)), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	tick := w.Now() + event.Second
	for i := range r.opts.Events {
		e := w.Next()
		for e.Time >= tick {
			for p := range n {
				if held[p] > 0 {
					produce(p, tick)
				}
				produce(p, tick)
			}
			tick += event.Second
		}
		p := event.Partition(e.Site, 0, n)
		if held[p] > 0 {
			pending[p] = append(pending[p], ',')
		}
		pending[p] = e.Append(pending[p])
		path := e.URL[len("https://")+len(e.Site):]
		r.counts.add(e, path)
		if held[p]++; held[p] == r.opts.Batch {
			produce(p, e.Time)
		}
		if i%50_000 == 0 {
			r.opts.Progress("preload", i, r.opts.Events)
		}
	}
	for p := range n {
		produce(p, w.Now()+1)
		produce(p, w.Now()+2*event.Minute)
	}
	if err := r.client.Flush(ctx); err != nil {
		return fmt.Errorf("preload: %w", err)
	}
	r.opts.Progress("preload", r.opts.Events, r.opts.Events)
	if failed != nil {
		return fmt.Errorf("preload: %w", failed)
	}
	return nil
}

// process runs the engine until every record is finished and committed.
func (r *engineRun) process(ctx context.Context) error {
	table := state.NewTable(func(p int32) state.Options {
		return state.Options{Dir: filepath.Join(r.dir, "state", fmt.Sprint(p)), Limit: -1}
	})
	done := newCountdown(r.ends)
	rules := engine.Rules{EarlyEvery: -1}
	if r.opts.Early {
		rules.EarlyEvery = 0
	}
	proc, err := engine.New(engine.Options{
		Cluster: r.cluster,
		Table:   watchedTable{table, done},
		Store: func(p int32) (engine.Store, bool) {
			s, ok := table.Store(p)
			return s, ok
		},
		NewDeriver: func() engine.Deriver { return enrich.New(enrich.Options{}) },
		Rules:      rules,
		Log:        r.log,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if w := r.opts.CPUProfile; w != nil {
		if err := pprof.StartCPUProfile(w); err != nil {
			return fmt.Errorf("start CPU profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	cpu, start := processorTime(), time.Now()
	ended := make(chan error, 1)
	go func() { ended <- proc.Run(ctx) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	total := done.left()
	for {
		select {
		case err := <-ended:
			return errors.Join(errors.New("the engine stopped early"), err)
		case <-tick.C:
			r.opts.Progress("process", total-done.left(), total)
			continue
		case <-done.zero:
		}
		break
	}
	r.report.Wall, r.report.CPU = time.Since(start), processorTime()-cpu
	runtime.ReadMemStats(&after)
	r.report.Mallocs = after.Mallocs - before.Mallocs
	cancel()
	return <-ended
}

// verify reads what the engine wrote.
func (r *engineRun) verify(ctx context.Context) error {
	windows := tally.Written{}
	err := r.read(ctx, engine.WindowsTopic, func(value []byte) error {
		r.report.WindowBytes += int64(len(value))
		rec, err := window.Decode(value)
		if err != nil {
			return err
		}
		if w := rec.Window; w != nil {
			r.report.Firings++
			if w.Kind != window.Minute {
				return nil // the recount is of minutes; millrace-verify has one of everything
			}
			onlyRecounted(w)
			windows.Take(w)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = r.read(ctx, kafka.TableTopic(engine.Group), func(value []byte) error {
		r.report.ChangelogBytes += int64(len(value))
		return nil
	})
	if err != nil {
		return err
	}
	r.report.Windows = len(windows)
	return r.counts.check(windows)
}

// read calls fn for every record of a topic.
func (r *engineRun) read(ctx context.Context, topic string, fn func([]byte) error) error {
	ends, err := r.cluster.Ends(ctx, topic)
	if err != nil {
		return err
	}
	offsets := map[int32]kgo.Offset{}
	left := int64(0)
	for p, end := range ends {
		if end > 0 {
			offsets[p] = kgo.NewOffset().AtStart()
			left += end
		}
	}
	r.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets})
	defer r.client.PurgeTopicsFromConsuming(topic)
	for left > 0 {
		fetches := r.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		var ferr error
		fetches.EachRecord(func(rec *kgo.Record) {
			left--
			ferr = errors.Join(ferr, fn(rec.Value))
		})
		if ferr != nil {
			return ferr
		}
	}
	return nil
}

// processorTime returns user plus system time of the process.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
