package rolling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/bench/verify/report"
	"millrace/internal/services"
)

// Options say what is replaced by what, and where. Old and New are required.
type Options struct {
	// Old and New are programs of Millrace.
	Old, New string
	// Back also replaces New by Old again.
	Back bool
	// Rate is how many beacons are sent a second. Default 100.
	Rate int
	// Quiet is how long beacons are sent before anything is replaced. Default 30 s.
	Quiet time.Duration
	// Ratio is the most that the p99 of a beacon may be in an upgrade, over that of the quiet time;
	// 0 is any.
	Ratio float64
	// Final waits until every minute is final before the last comparison, a minute longer.
	Final bool
	// Partitions is how many the topics have. Default 6.
	Partitions int

	// Kafka are brokers without Millrace's topics; none: three are started. KafkaHome is an unpacked
	// Kafka for these; "" is one that Maven fetches.
	Kafka     []string
	KafkaHome string
	// Influx is an empty database, and S3 an empty bucket, prefix or folder, as serve takes them; "" is
	// one of a server that is started.
	Influx, S3 string
	// Services is the folder in which programs of servers lie; "" is services.DefaultDir.
	Services string
	// Dir is where folders are made; "" is the system's for temporary files.
	Dir string
	// Progress, if not nil, is told what is being done.
	Progress func(what string, done, of int)
}

// The roles, as --roles takes them.
const (
	roleCollect = "collect"
	roleProcess = "process"
	roleEmit    = "emit"
	roleArchive = "archive"
	roleQuery   = "query"
)

// order is that in which processes are replaced.
var order = []string{roleCollect, roleProcess, roleEmit, roleArchive, roleQuery, roleProcess, roleCollect}

// drain is what collectors and queries go on serving behind SIGTERM.
const drain = 6 * probeEvery

// run is an upgrade in progress.
type run struct {
	Options
	report *report.Report
	dir    string
	fleet  *fleet
	log    *logReader
	phases []phase
}

// phase is a part of the run.
type phase struct {
	name     string
	from, to time.Time
}

// Run plays an upgrade. The report is not nil also where an error is returned.
func Run(ctx context.Context, o Options) (rep *report.Report, err error) {
	o.Rate, o.Quiet, o.Partitions = cmp.Or(o.Rate, 100), cmp.Or(o.Quiet, 30*time.Second), cmp.Or(o.Partitions, 6)
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	rep = &report.Report{}
	defer func(began time.Time) { rep.Wall = time.Since(began) }(time.Now())
	dir, err := os.MkdirTemp(o.Dir, "millrace-rolling-")
	if err != nil {
		return rep, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &run{Options: o, report: rep, dir: dir}
	down, err := r.startServers(ctx)
	defer func() { err = errors.Join(err, down()) }()
	if err != nil {
		return rep, err
	}
	r.fleet = &fleet{dir: dir, args: r.args(), drain: drain, report: rep}
	defer r.fleet.close()
	return rep, r.play(ctx)
}

// startServers starts what is not given.
func (r *run) startServers(ctx context.Context) (down func() error, err error) {
	var downs []func() error
	down = func() (err error) {
		for _, f := range slices.Backward(downs) {
			err = errors.Join(err, f())
		}
		return err
	}
	programs := r.Services
	if programs == "" {
		if programs, err = services.DefaultDir(); err != nil {
			return down, err
		}
	}
	m := &services.Manager{Dir: filepath.Join(r.dir, "services"), Bin: filepath.Join(programs, "bin")}
	var missing []string
	if r.Influx == "" {
		missing = append(missing, services.Influx)
	}
	if r.S3 == "" {
		missing = append(missing, services.S3Default)
	}
	if len(missing) > 0 {
		r.Progress("start stores", 0, 0)
		running, err := m.Up(ctx, missing...)
		downs = append(downs, func() error { return m.Down(context.WithoutCancel(ctx)) })
		if err != nil {
			return down, err
		}
		for _, s := range running {
			if strings.HasPrefix(s.URL, "s3:") {
				r.S3 = cmp.Or(r.S3, s.URL)
			} else {
				r.Influx = cmp.Or(r.Influx, s.URL)
			}
		}
	}
	if len(r.Kafka) == 0 {
		r.Progress("start brokers", 0, 0)
		k, err := m.StartKafka(ctx, services.KafkaOptions{Brokers: 3, Dir: filepath.Join(r.dir, "kafka"), Home: r.KafkaHome})
		if err != nil {
			return down, err
		}
		downs = append(downs, k.Remove)
		r.Kafka = k.Addrs()
	}
	r.log = &logReader{r.Kafka}
	return down, nil
}

// args are the flags of each role, as the chart's cluster has them.
func (r *run) args() map[string][]string {
	common := []string{"--kafka", strings.Join(r.Kafka, ","), "--partitions", fmt.Sprint(r.Partitions)}
	with := func(more ...string) []string { return append(slices.Clone(common), more...) }
	return map[string][]string{
		roleCollect: with("--secret", strings.Repeat("5a", 32), "--drain", drain.String()),
		roleProcess: with("--standby", "--s3", r.S3),
		roleEmit:    with("--influx", r.Influx),
		roleArchive: with("--s3", r.S3, "--archive-every", "2s"),
		roleQuery:   with("--influx", r.Influx, "--s3", r.S3, "--drain", drain.String()),
	}
}

// play is the run: a fleet of the old build, some time without an upgrade, the upgrade, and what
// came of it.
func (r *run) play(ctx context.Context) error {
	for i, role := range order {
		r.Progress("start "+role, i, len(order))
		if _, err := r.fleet.start(ctx, r.Old, role, ""); err != nil {
			return err
		}
	}
	lb := newBalancer(r.fleet)
	probing, stopProbing := context.WithCancel(ctx)
	probed := make(chan struct{})
	go func() { defer close(probed); lb.run(probing) }()
	defer func() { stopProbing(); <-probed; lb.client.CloseIdleConnections() }()
	load := startLoad(ctx, lb, r.Rate)
	defer load.finish()
	if err := sleep(ctx, 5*time.Second); err != nil {
		return err
	}
	r.Progress("quiet", 0, 0)
	if err := r.during("no upgrade", func() error { return sleep(ctx, r.Quiet) }); err != nil {
		return err
	}
	if err := r.during("upgrade", func() error { return r.roll(ctx, r.New) }); err != nil {
		return err
	}
	if r.Back {
		if err := r.during("back", func() error { return r.roll(ctx, r.Old) }); err != nil {
			return err
		}
	}
	beacons := load.finish()
	return r.check(ctx, beacons)
}

// during notes when something began and ended, with what it leaves behind.
func (r *run) during(name string, f func() error) error {
	from := time.Now()
	err := f()
	r.phases = append(r.phases, phase{name, from, time.Now()})
	return err
}

// roll replaces all processes, one at a time.
func (r *run) roll(ctx context.Context, program string) error {
	for i, role := range order {
		r.Progress("replace "+role, i, len(order))
		if err := r.fleet.replace(ctx, role, program); err != nil {
			return fmt.Errorf("replace %s: %w", role, err)
		}
	}
	return sleep(ctx, 2*time.Second)
}

// sleep waits, or returns why ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// queryClient asks the query API.
var queryClient = &http.Client{Timeout: 20 * time.Second}
