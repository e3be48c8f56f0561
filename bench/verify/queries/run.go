package queries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/internal/blob"
	"millrace/internal/kafka"
	of "millrace/internal/site"
	"millrace/query"
)

// Archiving is how the log is archived: as the role archive does.
type Archiving struct {
	Cluster    *kafka.Cluster
	Partitions int32
	Store      blob.Store
	Every      time.Duration
	NewDeriver func() engine.Deriver
	Log        *slog.Logger
}

// Counting is how an archive is counted into a store of rollups: as the command replay does.
type Counting struct {
	Archive blob.Store
	// Dir is a folder for the store.
	Dir string
	// Again: it has been counted, in an earlier run.
	Again      bool
	NewDeriver func() engine.Deriver
}

// Options are what is proved, and how. Archive, Count, Python, Out and Log are required.
type Options struct {
	// Events and Queries are how many of each. Default 20,000 and 60.
	Events, Queries int
	Seed            uint64
	// Sites is how many there are, one of them a giant. Default 50.
	Sites int
	// Dir is a folder for everything, which is kept, and used again by a run with the same traffic; "" is a temporary one that is not.
	Dir string
	// Python is a Python that has DuckDB.
	Python string
	// First is the number of the first query. One that is asked alone is printed whole.
	First int
	// ExactVisitors is how many visitors a query counts exactly, 0 the default: with few of them sketches answer.
	ExactVisitors int
	// Archive returns what archives a log with hits until its context ends, and what closes it.
	Archive func(Archiving) (run func(context.Context) error, closeIt func() error, err error)
	// Count counts an archive into a store of rollups, and returns what reads it and what closes it.
	Count func(ctx context.Context, c Counting) (rollups query.Reader, closeIt func() error, err error)
	// Lake is the archive, which is empty; nil is a folder in Dir.
	Lake blob.Store
	// Out takes what is found.
	Out io.Writer
	// Log takes what the parts report.
	Log *slog.Logger
}

// ErrWrong says that an answer was wrong: the output has which.
var ErrWrong = errors.New("answers differ from the recount")

// Run makes traffic, has it archived and counted, and compares answers to random queries with a recount.
func Run(ctx context.Context, o Options) error {
	o.Events, o.Queries, o.Sites = cmp.Or(o.Events, 20_000), cmp.Or(o.Queries, 60), cmp.Or(o.Sites, 50)
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "millrace-queries-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.Dir = dir
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	r := &run{Options: o, began: time.Now()}
	return r.all(ctx)
}

// run is one Run.
type run struct {
	Options
	began time.Time
	sites []site
	file  string // of the sites
	of    *of.Sites
	goals *enrich.Goals
	lake  blob.Store
}

func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.Out, "%5.1f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

func (r *run) all(ctx context.Context) (err error) {
	r.sites = makeSites(r.Sites)
	if r.file, err = writeFacts(r.Dir, r.sites); err != nil {
		return err
	}
	if r.of, err = of.Read(of.Config{File: r.file}); err != nil {
		return fmt.Errorf("read the sites: %w", err)
	}
	r.goals = enrich.NewGoals(r.of.All(), r.of.Default)
	if r.lake = r.Lake; r.lake == nil {
		if r.lake, err = blob.OpenFolder(filepath.Join(r.Dir, "lake")); err != nil {
			return err
		}
	}
	made, err := r.isMade()
	if err != nil {
		return err
	}
	if !made {
		if err := r.archive(ctx); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	rollups, closeIt, err := r.Count(ctx, Counting{Archive: r.lake, Dir: filepath.Join(r.Dir, "rollups"), Again: made, NewDeriver: r.newDeriver})
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	defer func() { err = errors.Join(err, closeIt()) }()
	if !made {
		r.say("counted into rollups")
		if err := os.WriteFile(r.mark(), []byte(r.what()), 0o600); err != nil {
			return err
		}
	}
	return r.compare(ctx, rollups)
}

// mark is a file that says of which traffic the folder is, once all has been counted.
func (r *run) mark() string { return filepath.Join(r.Dir, "made") }

func (r *run) what() string {
	return fmt.Sprintf("%d events, %d sites, seed %d", r.Events, r.Sites, r.Seed)
}

// isMade reports whether the folder is that of an earlier run with the same traffic. One with anything else is refused.
func (r *run) isMade() (bool, error) {
	text, err := os.ReadFile(r.mark())
	switch {
	case err == nil && string(text) == r.what():
		r.say("archive and rollups are there")
		return true, nil
	case err == nil:
		return false, fmt.Errorf("folder %s is of %s: name another one", r.Dir, text)
	}
	if _, err := os.Stat(r.log()); err == nil {
		return false, fmt.Errorf("folder %s is of a run that did not come to its end: remove it, or name another one", r.Dir)
	}
	return false, nil
}

// log is the folder of the log.
func (r *run) log() string { return filepath.Join(r.Dir, "broker") }

func (r *run) newDeriver() engine.Deriver { return enrich.New(enrich.Options{Goals: r.goals}) }

// compare serves the API and has the recount ask it.
func (r *run) compare(ctx context.Context, rollups query.Reader) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stop, err := r.serve(l, rollups)
	if err != nil {
		return err
	}
	defer stop()
	script, err := unpack(r.Dir)
	if err != nil {
		return err
	}
	raw, err := r.rawFiles(ctx)
	if err != nil {
		return err
	}
	args := []string{
		script, "--url", "http://" + l.Addr().String(), "--dir", r.Dir, "--lake", raw,
		"--queries", strconv.Itoa(r.Queries), "--first", strconv.Itoa(r.First), "--seed", strconv.FormatUint(r.Seed, 10), "--now", now.Std().Format(time.RFC3339),
	}
	cmd := exec.CommandContext(ctx, r.Python, args...)
	cmd.Stdout, cmd.Stderr = r.Out, r.Out
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		return ErrWrong
	}
	return err
}

// rawFiles returns a glob of the raw files of the archive, which are copied if they are no files.
func (r *run) rawFiles(ctx context.Context) (string, error) {
	const files = "[!_]*.parquet"
	if r.Lake == nil {
		return filepath.Join(r.Dir, "lake", "dt=*", "hr=*", files), nil
	}
	to := filepath.Join(r.Dir, "raw")
	if err := os.MkdirAll(to, 0o700); err != nil {
		return "", err
	}
	for info, err := range r.lake.List(ctx, "dt=", "") {
		if err != nil {
			return "", fmt.Errorf("list the archive: %w", err)
		}
		body, err := r.lake.Get(ctx, info.Key)
		if err != nil {
			return "", fmt.Errorf("copy the archive: %w", err)
		}
		dir := filepath.Join(to, strings.ReplaceAll(path.Dir(info.Key), "/", "-"))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, path.Base(info.Key)), body, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(to, "*", files), nil
}
