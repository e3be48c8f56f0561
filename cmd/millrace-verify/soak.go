package main

import (
	"fmt"
	"log/slog"
	"time"

	"millrace/bench/verify/soak"
	"millrace/cmd/internal/cli"
)

// soakCommand runs a server for hours.
type soakCommand struct {
	Dir    string        `required:"" placeholder:"DIR" help:"Folder for the program, its data and the samples; new or empty, and kept."`
	Report bool          `help:"Only print what the run in --dir has found so far."`
	For    time.Duration `default:"2h" help:"How long the load lasts, by the machine's clock."`
	WarmUp time.Duration `placeholder:"DURATION" help:"How much of that is left out of the slopes; with --report, in place of that of the run. Default: a fifth."`
	Speed  int           `default:"12" help:"How many times as fast the server's wall clock goes."`
	Rate   float64       `default:"1200" help:"Events a second."`
	Batch  int           `default:"4" help:"Events of a request."`
	Sites  int           `default:"200" help:"Sites that the events are of."`
	Every  time.Duration `default:"15s" help:"How often a sample is taken."`
	Seed   uint64        `default:"1" help:"Seed of the load."`
	Serve  []string      `placeholder:"FLAG" help:"Further flags of serve, several with commas between them: --serve=--retention=6h,--early=2s."`
}

// Help is the text behind the list of flags.
func (soakCommand) Help() string {
	return `Builds the server of the module in the current folder with a wall clock that goes faster, sends it a steady load and a query each second, and samples
its memory, files, goroutines, disks and metrics. At the end each event is looked for in the archive, and the numbers of each site and hour are compared.

Example, two hours with a day of log time:

  millrace-verify soak --dir /var/tmp/soak
  millrace-verify soak --dir /var/tmp/soak --report

The exit code is 1 if a number is wrong, or something grows by 1 % an hour or more. Linux on amd64, with Go.`
}

// Run prints what was found also where it is wrong.
func (c *soakCommand) Run(p *process) error {
	if c.For <= 0 || c.WarmUp < 0 || c.WarmUp >= c.For || c.Speed < 1 || !(c.Rate > 0) || c.Batch < 1 || c.Batch > 1000 || c.Sites < 1 || c.Every <= 0 {
		return cli.Usagef("--for, --speed, --rate, --batch (to 1000), --sites and --every are more than 0, --warm-up is less than --for")
	}
	report, err := c.run(p)
	if report != nil {
		fmt.Fprint(p.stdout, report)
	}
	if err == nil && !c.Report && !report.Steady() {
		err = fmt.Errorf("the run was not steady")
	}
	return err
}

func (c *soakCommand) run(p *process) (*soak.Report, error) {
	if c.Report {
		report, err := soak.Read(c.Dir)
		if err == nil && c.WarmUp > 0 {
			report.Begun.Options.WarmUp = c.WarmUp
		}
		return report, err
	}
	return soak.Run(p.ctx, soak.Options{
		Dir: c.Dir, For: c.For, WarmUp: c.WarmUp, Speed: c.Speed, Rate: c.Rate, Batch: c.Batch, Sites: c.Sites, Every: c.Every, Seed: c.Seed, Serve: c.Serve,
		Log: slog.New(slog.NewTextHandler(p.stderr, nil)),
	})
}
