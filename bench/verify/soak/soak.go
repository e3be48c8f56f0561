package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options are the settings of Run. Zero fields take their defaults.
type Options struct {
	// Module is the folder with the sources of Millrace that are built. Default: the current one.
	Module string
	// Dir takes the program, the data, the server's log and the samples. It is made, and has to be
	// empty.
	Dir string
	// For is how long the load lasts by the machine's clock. Default 2 h. What is before WarmUp,
	// default a fifth of it, is left out of the slopes.
	For, WarmUp time.Duration
	// Speed is how many times as fast the server's clock goes. Default 12.
	Speed int
	// Rate is in events per second of the machine's clock, Batch in events per request, over Sites
	// sites. Defaults 1,200, 4 and 200.
	Rate         float64
	Batch, Sites int
	// Every is how often a sample is taken. Default 15 s.
	Every time.Duration
	// Seed makes the load.
	Seed uint64
	// Serve are further flags for serve.
	Serve []string
	// Log takes what happens, default nothing of it.
	Log *slog.Logger `json:"-"`

	giveUp context.Context // ends what the load repeats
}

func (o Options) withDefaults() Options {
	def(&o.Module, ".")
	def(&o.For, 2*time.Hour)
	def(&o.WarmUp, o.For/5)
	def(&o.Speed, 12)
	def(&o.Rate, 1200)
	def(&o.Batch, 4)
	def(&o.Sites, 200)
	def(&o.Every, 15*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Files of Options.Dir.
const (
	runFile     = "run.json"      // Options and when the load began
	samplesFile = "samples.jsonl" // a Sample a line
	endFile     = "end.json"      // an Ending
	logFile     = "serve.log"
	dataDir     = "data"
)

// Begun is what was known when the load began.
type Begun struct {
	Options Options
	At      time.Time
	Machine string
	PID     int // of the server
}

// Run builds the server, runs it under load, and returns what it found; with an error too if numbers
// were wrong.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return nil, errors.New("soak: it is for linux on amd64")
	}
	if err := prepare(o.Dir); err != nil {
		return nil, err
	}
	o.Log.Info("build the server with a fast clock")
	program, err := Build(ctx, o.Module, o.Dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, program, &o)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	if err := lowerPriority(); err != nil {
		return nil, err
	}
	end, err := s.soak(ctx)
	if err != nil {
		return nil, err
	}
	if err := writeJSON(filepath.Join(o.Dir, endFile), end); err != nil {
		return nil, err
	}
	r, err := Read(o.Dir)
	if err == nil && len(end.Wrong) > 0 {
		err = fmt.Errorf("soak: %d numbers are wrong", len(end.Wrong))
	}
	return r, err
}

// prepare makes an empty folder.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("soak: %s is not empty: what a run before left there would be lost", dir)
	}
	return err
}

// server is the process that is looked at.
type server struct {
	o          *Options
	clock      clock
	cmd        *exec.Cmd
	exited     chan error // gets what Wait returns, once
	url, admin string
	client     *http.Client
}

// start starts serve and waits until it is ready.
func start(ctx context.Context, program string, o *Options) (*server, error) {
	listen, admin, err := freePorts()
	if err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(o.Dir, logFile))
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own
	s := &server{
		o: o, clock: clock{epoch: time.Now().Truncate(time.Second), speed: o.Speed}, exited: make(chan error, 1),
		url: "http://" + listen, admin: "http://" + admin, client: &http.Client{Timeout: answerIn},
	}
	args := append([]string{"serve", "--data", filepath.Join(o.Dir, dataDir), "--listen", listen, "--admin", admin, "--sites", "any", "--new-sites", "0"}, o.Serve...)
	s.cmd = exec.Command(program, args...)
	// The server has all processors, also where this process is held to one.
	s.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOMAXPROCS=") }), s.clock.environment()...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process alone
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.exited <- s.cmd.Wait() }()
	for range 300 {
		if resp, err := s.client.Get(s.admin + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		select {
		case err := <-s.exited:
			return nil, fmt.Errorf("soak: serve ended at its start, see %s: %w", out.Name(), err)
		case <-ctx.Done():
			s.kill()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	s.kill()
	return nil, fmt.Errorf("soak: serve is not ready after a minute, see %s", out.Name())
}

func (s *server) kill() { s.cmd.Process.Kill() } // one that has ended is left alone

func freePorts() (a, b string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer l.Close()
	m, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer m.Close()
	return l.Addr().String(), m.Addr().String(), nil
}

// soak sends the load, takes samples, and compares what came of it.
func (s *server) soak(ctx context.Context) (*Ending, error) {
	o, begun := s.o, time.Now()
	giveUp, cancel := context.WithCancel(ctx)
	defer cancel()
	o.giveUp = giveUp
	run := Begun{Options: *o, At: begun, PID: s.cmd.Process.Pid, Machine: fmt.Sprintf("%d processors, %s, %s", runtime.NumCPU(), runtime.Version(), runtime.GOARCH)}
	if err := writeJSON(filepath.Join(o.Dir, runFile), &run); err != nil {
		return nil, err
	}
	o.Log.Info("the load begins", "server", run.PID, "address", s.url, "admin", s.admin, "until", begun.Add(o.For).Format(time.TimeOnly))
	l := newLoad(o, s.url, func() string { return s.clock.at(time.Now()).UTC().Format(time.DateOnly) })
	loading, stop := context.WithTimeout(ctx, o.For)
	defer stop()
	ended := make(chan struct{})
	go func() { l.run(loading); close(ended) }()
	err := s.sample(loading, begun, l)
	stop()
	if err != nil {
		cancel()
	}
	<-ended
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	return s.finish(ctx, l.counts())
}

// sample takes samples until ctx is done, or the server has ended.
func (s *server) sample(ctx context.Context, begun time.Time, l *load) error {
	f, err := os.Create(filepath.Join(s.o.Dir, samplesFile))
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	failed := 0
	for {
		at := time.Now()
		sample, err := take(s.cmd.Process.Pid, s.admin, filepath.Join(s.o.Dir, dataDir), s.client)
		if err == nil {
			failed = 0
			sample.At, sample.Log, sample.Load = at.Sub(begun).Seconds(), s.clock.at(at).UTC(), l.counts()
			err = json.NewEncoder(f).Encode(sample)
		}
		if err != nil {
			s.o.Log.Warn("no sample", "err", err)
			if failed++; failed == 10 {
				return err
			}
		}
		select {
		case err := <-s.exited:
			return fmt.Errorf("soak: serve has ended, see %s: %w", filepath.Join(s.o.Dir, logFile), err)
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lowerPriority makes this process, and no other, yield to the server: nice 5 for each thread, which
// those that they start inherit.
func lowerPriority() error {
	threads, err := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		id, _ := strconv.Atoi(t.Name())
		if e := syscall.Setpriority(syscall.PRIO_PROCESS, id, 5); e != nil && e != syscall.ESRCH {
			err = errors.Join(err, fmt.Errorf("nice: %w", e))
		}
	}
	return err
}

func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(b, '\n'), 0o644)
	}
	return err
}
