package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"millrace/bench"
	"millrace/engine/event"
	"millrace/internal/progress"
)

// benchCommand measures. Its parts are in package bench.
type benchCommand struct {
	Engine benchEngineCommand `cmd:"" help:"Events through broker, engine and state in this process; the result is recounted before a figure is printed."`
	Attack benchAttackCommand `cmd:"" help:"Flood one site with random paths; the other sites' windows have to stay the same bytes."`
	Chaos  benchChaosCommand  `cmd:"" help:"Kill, stop and cut off the engine while it counts; every window is recounted."`
	Worker benchWorkerCommand `cmd:"" hidden:"" help:"The process that a scenario of bench chaos kills."`
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

func (c *benchEngineCommand) Run(p *process) (err error) {
	if c.Events < 1 || c.Batch < 1 || c.Partitions < 1 || c.Runs < 1 {
		return usagef("--events, --batch, --partitions and --runs are 1 or more")
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

// benchAttackCommand floods one site.
type benchAttackCommand struct {
	Events   int           `default:"10000000" help:"Events of the attack, each of a path of its own."`
	Base     int           `default:"500000" help:"Events of the 50 sites beside it."`
	Visitors int           `default:"20000" help:"Visitors that send the attack; 0: as many as events."`
	For      time.Duration `default:"30m" help:"How long the attack lasts, in time of the log: whole minutes, at most 45."`
	Seed     uint64        `default:"1" help:"Seed of both logs."`
	Dir      string        `placeholder:"DIR" help:"Folder for the state, emptied afterwards. Default: a temporary one."`
}

// Help is the text behind the list of flags.
func (benchAttackCommand) Help() string {
	return `Counts a log of 50 sites without and with the attack, in one partition and without a broker, and compares.

Example:

  millrace bench attack --events 200000 --visitors 0 --for 3m

The exit code is 1 if another site's windows are not the same bytes, or the attacked site's not what a recount says. With more events
in ten minutes than the four million ids that a partition remembers the latter is so: what is sent to the attacked site again may count twice.`
}

func (c *benchAttackCommand) Run(p *process) error {
	length := event.Time(c.For.Milliseconds())
	if c.Events < 1 || c.Base < 1 || c.Visitors < 0 {
		return usagef("--events and --base are 1 or more, --visitors is not negative")
	}
	if length < event.Minute || length > 45*event.Minute || length%event.Minute != 0 {
		return usagef("--for: %v is not a number of minutes up to 45", c.For)
	}
	o := bench.AttackOptions{Events: c.Events, Base: c.Base, Visitors: c.Visitors, Length: length, Seed: c.Seed, Dir: c.Dir}
	if o.Visitors == 0 {
		o.Visitors = -1
	}
	phases := progress.Phases{W: p.stderr}
	o.Progress = phases.Set
	report, err := bench.Attack(p.ctx, o)
	phases.Finish()
	if report != nil {
		fmt.Fprint(p.stdout, report)
	}
	return err
}
