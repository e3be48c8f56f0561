package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"millrace/bench"
	"millrace/internal/progress"
)

// benchCommand measures. Its parts are in package bench. What proves the counting is another
// program, cmd/millrace-verify.
type benchCommand struct {
	Engine benchEngineCommand `cmd:"" help:"Events through broker, engine and state in this process; the result is recounted before a figure is printed."`
	Attack movedCommand       `cmd:"" hidden:"" passthrough:"" help:"Moved to millrace-verify."`
	Chaos  movedCommand       `cmd:"" hidden:"" passthrough:"" help:"Moved to millrace-verify."`
}

// movedCommand is one that has become a command of millrace-verify.
type movedCommand struct {
	Args []string `arg:"" optional:""`
}

// BeforeReset runs before the flags behind the command are looked at, which are no longer known here.
func (movedCommand) BeforeReset(app *kong.Kong, ctx *kong.Context) error {
	name := ctx.Selected().Name
	_, err := fmt.Fprintf(app.Stderr, "millrace: bench %s is millrace-verify %s: go run ./cmd/millrace-verify %s\n", name, name, name)
	app.Exit(exitUsage)
	return err
}

type benchEngineCommand struct {
	Events     int    `default:"1000000" help:"Events of a run."`
	Batch      int    `default:"100" help:"Events per record of the log."`
	Seed       uint64 `default:"1" help:"Seed of the workload."`
	Partitions int32  `default:"2" help:"Partitions of the log, each worked off by one goroutine."`
	Early      bool   `help:"Also update the running minute every 5 s of log time, as serve does."`
	Runs       int    `default:"1" help:"How often to measure."`
	Dir        string `placeholder:"DIR" help:"Folder for log and state, emptied afterwards. Default: a temporary one."`
	CPUProfile string `name:"cpu-profile" placeholder:"FILE" help:"Write a CPU profile of the last run's measured part, for go tool pprof."`
}

// Help is the text behind the list of flags.
func (benchEngineCommand) Help() string {
	return `Example:

  millrace bench engine --events 2000000 --batch 100 --runs 5`
}

// mostBenchPartitions is beyond what one process works off.
const mostBenchPartitions = 256

func (c *benchEngineCommand) Run(p *process) (err error) {
	if c.Events < 1 || c.Batch < 1 || c.Partitions < 1 || c.Runs < 1 {
		return usagef("--events, --batch, --partitions and --runs are 1 or more")
	}
	if c.Partitions > mostBenchPartitions {
		return usagef("--partitions: %d are more than %d, each of which is a goroutine and a database", c.Partitions, mostBenchPartitions)
	}
	var profile io.Writer
	if c.CPUProfile != "" {
		f, err := os.Create(c.CPUProfile)
		if err != nil {
			return fmt.Errorf("--cpu-profile: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		profile = f
	}
	var reports []*bench.EngineReport
	for run := range c.Runs {
		o := bench.EngineOptions{
			Events: c.Events, Seed: c.Seed, Batch: c.Batch, Partitions: c.Partitions, Early: c.Early, Dir: c.Dir,
		}
		if run == c.Runs-1 {
			o.CPUProfile = profile
		}
		r, err := c.measure(p, o)
		if err != nil {
			return err
		}
		if c.Runs > 1 {
			fmt.Fprintf(p.stdout, "run %d of %d\n", run+1, c.Runs)
		}
		fmt.Fprintln(p.stdout, r)
		reports = append(reports, r)
	}
	if c.Runs > 1 {
		fmt.Fprint(p.stdout, bench.Summary(reports))
	}
	return nil
}

func (c *benchEngineCommand) measure(p *process, o bench.EngineOptions) (*bench.EngineReport, error) {
	phases := progress.Phases{W: p.stderr}
	defer phases.Finish()
	o.Progress = phases.Set
	return bench.Engine(p.ctx, o)
}
