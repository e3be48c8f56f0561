package chaos

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/bench/verify/oracle"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/ingest"
	"millrace/internal/site"
	"millrace/state"
)

// job is what a worker is told to do, as JSON.
type job struct {
	Brokers  []string
	Via      map[string]string `json:",omitempty"` // where to dial an address instead
	Dir      string            // of the state
	Lateness event.Time
	// Partitions is that of the topics.
	Partitions int
	MemTable   uint64  `json:",omitempty"` // bytes; small ones make the store write tables often
	Point      string  `json:",omitempty"` // where to kill itself
	Nth        int64   `json:",omitempty"` // how often it has been there by then
	Goals      string  `json:",omitempty"` // of the sites, as site.ParseGoals reads them
	Role       string  `json:",omitempty"`
	Store      string  `json:",omitempty"` // address of what the archive or the emitter writes to
	Faults     float64 `json:",omitempty"` // share of its requests that fail
	Seed       uint64  `json:",omitempty"` // of the faults
	// Flush is the archiver's interval, in time of the log.
	Flush  time.Duration `json:",omitempty"`
	Steady bool          `json:",omitempty"` // start the processor again when it fails, as serve does
}

// status is what a worker tells, a line of JSON each time.
type status struct {
	Ready      bool
	Partitions map[int32]progress `json:",omitempty"` // those that have moved since the last line
	Memory     int64              // resident bytes, 0 if it is not known
	Heap       int64              // bytes in use after the last collection
	Files      int                // open files, 0 if it is not known
	Goroutines int
	Restarts   int
	Addr       string     `json:",omitempty"` // of a collector
	Spool      int        `json:",omitempty"` // events in its spool
	Recovery   *recovered `json:",omitempty"`
}

// progress is that of a partition.
type progress struct {
	Offset int64 // last record counted
	Tally  oracle.Counters
	Open   int
}

// recovered says what was read from the changelog.
type recovered struct {
	Deltas, Bytes int64
	Took          time.Duration
}

// recovery measures the reading of the changelog.
type recovery struct {
	mu            sync.Mutex // guards what follows
	deltas, bytes int64
	first, last   time.Time
}

// note counts a record of the changelog that is about to be taken in.
func (r *recovery) note(value []byte) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deltas == 0 {
		r.first = now
	}
	r.deltas++
	r.bytes += int64(len(value))
	r.last = now
}

// result returns what has been read so far, nil for nothing.
func (r *recovery) result() *recovered {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deltas == 0 {
		return nil
	}
	return &recovered{r.deltas, r.bytes, r.last.Sub(r.first)}
}

// Work runs a worker until ctx ends or stdin does: with its parent a worker's life ends, too. Spec
// is what Options.Worker was given. It writes lines for its parent to stdout.
func Work(ctx context.Context, spec string, stdin io.Reader, stdout io.Writer, log *slog.Logger) error {
	var j job
	if err := json.Unmarshal([]byte(spec), &j); err != nil {
		return fmt.Errorf("read the worker's job: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, stdin)
		cancel()
	}()
	w := &worker{job: j, log: log, out: json.NewEncoder(stdout), moved: map[int32]progress{}}
	w.bomb = &bomb{point: j.Point}
	w.bomb.left.Store(max(j.Nth, 1))
	return w.run(ctx)
}

// worker is the child's side.
type worker struct {
	job
	log  *slog.Logger
	bomb *bomb
	seen recovery

	mu       sync.Mutex // guards what follows
	out      *json.Encoder
	proc     *engine.Processor
	moved    map[int32]progress
	restarts int
	ready    bool // of a role that is not the engine

	collector *ingest.Collector // of that role
	addr      string
}

// run works until ctx ends. A worker that is not Steady ends with its processor, so that its
// parent sees that it did.
func (w *worker) run(ctx context.Context) error {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { w.report(stop) })
	defer wg.Wait()
	defer close(stop)
	for {
		err := w.work(ctx)
		if ctx.Err() != nil {
			return err
		}
		if !w.Steady {
			return errors.Join(errors.New("the engine ended by itself"), err)
		}
		w.log.Warn("the engine ended and is started again", "err", err)
		w.mu.Lock()
		w.restarts++
		w.mu.Unlock()
		if sleep(ctx, 500*time.Millisecond) != nil {
			return nil
		}
	}
}

// work does what the job's role does.
func (w *worker) work(ctx context.Context) error {
	switch w.Role {
	case roleArchive:
		return w.archive(ctx)
	case roleInflux:
		return w.influx(ctx)
	case roleLocal:
		return w.local(ctx)
	case roleCollect:
		return w.collect(ctx)
	}
	return w.process(ctx)
}

// setReady says that a role without partitions is at work.
func (w *worker) setReady() {
	w.mu.Lock()
	w.ready = true
	w.mu.Unlock()
}

// process runs the engine as serve runs it, with a bomb in everything that it is given.
func (w *worker) process(ctx context.Context) error {
	sites, err := site.ParseGoals(strings.NewReader(cmp.Or(w.Goals, "{}")))
	if err != nil {
		return err
	}
	goals := enrich.NewGoals(sites, site.Site{})
	rules := engine.Rules{Lateness: w.Lateness}
	table := state.NewTable(func(p int32) state.Options {
		return state.Options{
			Dir: filepath.Join(w.Dir, strconv.Itoa(int(p))), Limit: limit, MemTableBytes: w.MemTable,
			Visits: rules.Visits(), FS: bombFS{vfs.Default, w.bomb},
		}
	})
	stores := &bombStores{table: table, bomb: w.bomb, of: map[*state.Store]*bombStore{}}
	p, err := engine.New(engine.Options{
		Cluster:    w.cluster(),
		Table:      &bombTable{table, w.bomb, &w.seen},
		Store:      stores.get,
		NewDeriver: func() engine.Deriver { return bombDeriver{enrich.New(enrich.Options{Goals: goals}), w.bomb} },
		Rules:      rules,
		Partitions: w.Partitions,
		Log:        w.log,
		Observe:    w.observe,
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.proc = p
	w.mu.Unlock()
	return p.Run(ctx)
}

// observe keeps where a partition is for the next line.
func (w *worker) observe(p int32, s engine.Snapshot) {
	c := s.Counters
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved[p] = progress{Offset: s.Offset, Open: s.OpenWindows, Tally: oracle.Counters{
		Records: c.Records, Events: c.Events, OnTime: c.OnTime, Late: c.Late, Dropped: c.Dropped, Bots: c.Bots,
		Duplicates: c.Duplicates, Pings: c.Pings, Dead: c.Dead,
	}}
}

// report writes a line ten times a second.
func (w *worker) report(stop chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		last := false
		select {
		case <-tick.C:
		case <-stop:
			last = true
		}
		w.mu.Lock()
		s := status{Ready: w.ready || w.proc != nil && w.proc.Ready(), Restarts: w.restarts, Goroutines: runtime.NumGoroutine(), Recovery: w.seen.result()}
		s.Partitions, w.moved = w.moved, map[int32]progress{}
		if s.Addr = w.addr; w.collector != nil {
			s.Spool = w.collector.SpoolStats().Events
		}
		if n%5 == 0 {
			s.Memory, s.Heap, s.Files = memory(), heap(), files()
		}
		err := w.out.Encode(s)
		w.mu.Unlock()
		if err != nil || last {
			return
		}
	}
}

// memory returns the resident bytes of the process where /proc tells.
func memory() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// files returns the number of open files where /proc tells.
func files() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
