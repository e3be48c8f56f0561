package main

import (
	"fmt"

	"millrace/bench/verify/sim"
	"millrace/cmd/internal/cli"
	"millrace/internal/progress"
)

// simCommand plays schedules of package sim.
type simCommand struct {
	Seeds   int    `default:"1000" help:"Number of schedules."`
	First   uint64 `default:"0" help:"Seed of the first schedule; the others follow it."`
	BadDisk bool   `help:"On disks that refuse a write, or all from one on."`
}

// Help is the text behind the list of flags.
func (simCommand) Help() string {
	return `Example:

  millrace-verify sim --seeds 100000

The exit code is 1 if a value is wrong. A seed that was wrong: --first SEED --seeds 1.`
}

// Run plays the schedules and prints the first values that are wrong, each with its seed.
func (c *simCommand) Run(p *process) error {
	if c.Seeds < 1 {
		return cli.Usagef("--seeds is 1 or more")
	}
	fmt.Fprintf(p.stdout, "%-14s %d seeds from %d\n", "schedules", c.Seeds, c.First)
	phases := progress.Phases{W: p.stderr}
	defer phases.Finish()
	sum, err := sim.RunSeeds(p.ctx, sim.Options{Seed: c.First, BadDisk: c.BadDisk}, c.Seeds, func(done int) {
		phases.Set("simulate", done, c.Seeds)
	})
	phases.Finish()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%-14s %s\n%-14s %d\n", "checked", sum, "wrong", len(sum.Wrong))
	const most = 20
	for _, line := range sum.Wrong[:min(len(sum.Wrong), most)] {
		fmt.Fprintf(p.stdout, "  %s\n", line)
	}
	if len(sum.Wrong) > 0 {
		return fmt.Errorf("%d values are wrong", len(sum.Wrong))
	}
	return nil
}
