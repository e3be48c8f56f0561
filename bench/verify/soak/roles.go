package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/broker"
)

// roleNames are the processes of Roles. The local store is of one process, hence emit and query are one.
var roleNames = []string{"collect", "process", "emit,query", "archive"}

// RolesReport is what Roles measured, between the end of the warm-up and the end of the load.
type RolesReport struct {
	Options Options
	Events  int64
	Seconds float64
	// CPU is the processor time of a role in us an event, RSS its memory at the end.
	CPU map[string]float64
	RSS map[string]int64
	// Idle is the processor time of a role without load, in us a second; it is part of CPU.
	Idle map[string]float64
	// QueryCPU is the processor time of a query in us, of the process that answers them.
	QueryCPU float64
	// Disk is what stores grew by, in bytes an event.
	Disk map[string]float64
	// Windows is what the topic of windows has of each kind, of the whole run.
	Windows map[string]WindowCounts
	// Sent is the number of events of the whole run, Records of the log that had them.
	Sent, Records int64
}

// WindowCounts are the records of one kind of window.
type WindowCounts struct {
	Firings, Points, Bytes        int64 // all that were written; a point is a value of a family
	Windows, LastPoints, LastSize int64 // distinct windows, and points and bytes of the last firing of each
}

// Roles runs each role in a process of its own, on a broker in this one, under a steady load, and
// measures what each takes. The clock is the machine's.
func Roles(ctx context.Context, o Options) (r *RolesReport, err error) {
	o = o.withDefaults()
	if err := prepare(o.Dir); err != nil {
		return nil, err
	}
	program := filepath.Join(o.Dir, "millrace")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/millrace")
	build.Dir = o.Module
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build ./cmd/millrace: %w\n%s", err, out)
	}
	b, err := broker.Open(broker.Options{Dir: filepath.Join(o.Dir, "broker"), TCP: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	run := &rolesRun{o: o, brokers: b.Addrs(), servers: map[string]*server{}}
	defer run.stop()
	for _, role := range roleNames {
		s, err := run.start(ctx, program, role)
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", role, err)
		}
		run.servers[role] = s
	}
	if err := lowerPriority(); err != nil {
		return nil, err
	}
	if r, err = run.measure(ctx); err != nil {
		return nil, err
	}
	if r.Windows, err = countWindows(ctx, run.brokers); err != nil {
		return nil, err
	}
	return r, writeJSON(filepath.Join(o.Dir, "roles.json"), r)
}

// rolesRun is the processes of Roles.
type rolesRun struct {
	o       Options
	brokers []string
	servers map[string]*server
}

func (r *rolesRun) start(ctx context.Context, program, role string) (*server, error) {
	o := r.o
	o.Dir = filepath.Join(o.Dir, strings.ReplaceAll(role, ",", "-"))
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	o.Speed = 1
	o.Serve = append([]string{"--roles", role, "--kafka", strings.Join(r.brokers, ","), "--audit-share", "0"}, o.Serve...)
	if role == "archive" {
		o.Serve = append(o.Serve, "--s3", filepath.Join(o.Dir, dataDir, "lake"))
	}
	if role == "collect" {
		o.Serve = append(o.Serve, "--secret", strings.Repeat("5", 64))
	}
	return start(ctx, program, &o)
}

func (r *rolesRun) stop() {
	for _, s := range r.servers {
		s.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, s := range r.servers {
		select {
		case <-s.exited:
		case <-time.After(20 * time.Second):
			s.kill()
		}
	}
}

// measure sends the load, and then queries without one.
func (r *rolesRun) measure(ctx context.Context) (*RolesReport, error) {
	var cancel context.CancelFunc
	r.o.giveUp, cancel = context.WithCancel(ctx)
	defer cancel()
	l := newLoad(&r.o, r.servers["collect"].url, nil)
	loading, stop := context.WithTimeout(ctx, r.o.For)
	defer stop()
	ended := make(chan struct{})
	go func() { l.runEvents(loading); close(ended) }()
	select {
	case <-time.After(r.o.WarmUp):
	case <-ctx.Done():
	}
	begun := time.Now()
	first, err := r.take(l)
	<-ended
	time.Sleep(3 * time.Second) // what is on its way
	last, err2 := r.take(l)
	if err := errors.Join(err, err2, ctx.Err()); err != nil {
		return nil, err
	}
	rep := &RolesReport{Options: r.o, CPU: map[string]float64{}, RSS: map[string]int64{}, Idle: map[string]float64{}, Disk: map[string]float64{}, Seconds: time.Since(begun).Seconds()}
	rep.Events = last["collect"].Load.Sent - first["collect"].Load.Sent
	rep.Sent = l.counts().Sent
	rep.Records = int64(last["collect"].Metrics["millrace_ingest_record_events_count"])
	n := float64(max(rep.Events, 1))
	for role, s := range last {
		rep.CPU[role] = 1e6 * (s.CPU - first[role].CPU) / n
		rep.RSS[role] = s.RSS
		for name, size := range s.Disk {
			rep.Disk[role+" "+name] = float64(size-first[role].Disk[name]) / n
		}
	}
	q := r.servers["emit,query"]
	asker := newLoad(&r.o, q.url, func() string { return time.Now().UTC().Format(time.DateOnly) })
	for i := range 300 {
		asker.query(i)
	}
	after, err := processorTime(fmt.Sprintf("/proc/%d/stat", q.cmd.Process.Pid))
	rep.QueryCPU = 1e6 * (after - last["emit,query"].CPU) / float64(max(asker.queries.Load(), 1))
	return rep, errors.Join(err, r.idle(l, rep))
}

// idle measures the processes while nothing comes. The minutes of the load fire first.
func (r *rolesRun) idle(l *load, rep *RolesReport) error {
	const fired, idle = 65 * time.Second, 20 * time.Second
	time.Sleep(fired)
	first, err := r.take(l)
	time.Sleep(idle)
	last, err2 := r.take(l)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	for role, s := range last {
		rep.Idle[role] = 1e6 * (s.CPU - first[role].CPU) / idle.Seconds()
	}
	return nil
}

// take samples each process; the log's folder is the collector's.
func (r *rolesRun) take(l *load) (map[string]*Sample, error) {
	all := map[string]*Sample{}
	for role, s := range r.servers {
		sample, err := take(s.cmd.Process.Pid, s.admin, filepath.Join(s.o.Dir, dataDir), s.client)
		if err != nil {
			return nil, err
		}
		sample.Load = l.counts()
		all[role] = sample
	}
	disk, err := diskUse(r.o.Dir)
	for name, size := range disk {
		if strings.HasPrefix(name, "millrace.") {
			all["collect"].Disk[name] = size
		}
	}
	return all, err
}

// countWindows reads the topic of windows.
func countWindows(ctx context.Context, brokers []string) (map[string]WindowCounts, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(engine.WindowsTopic))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	type key struct {
		site  string
		kind  window.Kind
		start event.Time
	}
	type size struct{ points, bytes int64 }
	last, counts := map[key]size{}, map[string]WindowCounts{}
	for {
		wait, cancel := context.WithTimeout(ctx, 3*time.Second)
		fetches := client.PollFetches(wait)
		cancel()
		if fetches.NumRecords() == 0 {
			break
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			got, e := window.Decode(rec.Value)
			if e != nil || got.Window == nil {
				return
			}
			w := got.Window
			s := size{int64(len(w.Points)), int64(len(rec.Value))}
			last[key{w.Site, w.Kind, w.Start}] = s
			c := counts[w.Kind.String()]
			c.Firings, c.Points, c.Bytes = c.Firings+1, c.Points+s.points, c.Bytes+s.bytes
			counts[w.Kind.String()] = c
		})
	}
	for k, s := range last {
		c := counts[k.kind.String()]
		c.Windows, c.LastPoints, c.LastSize = c.Windows+1, c.LastPoints+s.points, c.LastSize+s.bytes
		counts[k.kind.String()] = c
	}
	return counts, ctx.Err()
}
