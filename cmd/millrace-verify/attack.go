package main

import (
	"fmt"
	"time"

	"millrace/bench/verify/attack"
	"millrace/cmd/internal/cli"
	"millrace/engine/event"
	"millrace/internal/progress"
)

// attackCommand floods one site.
type attackCommand struct {
	Events   int           `default:"10000000" help:"Events of the attack, each of a path of its own."`
	Base     int           `default:"500000" help:"Events of the 50 sites beside it."`
	Visitors int           `default:"20000" help:"Visitors that send the attack; 0: as many as events."`
	For      time.Duration `default:"30m" help:"How long the attack lasts, in time of the log: whole minutes, at most 45."`
	Seed     uint64        `default:"1" help:"Seed of both logs."`
	Dir      string        `placeholder:"DIR" help:"Folder for the state, emptied afterwards. Default: a temporary one."`
}

// Help is the text behind the list of flags.
func (attackCommand) Help() string {
	return `Counts a log of 50 sites without and with the attack, in one partition and without a broker, and compares.

Example:

  millrace-verify attack --events 200000 --visitors 0 --for 3m

The exit code is 1 if another site's windows are not the same bytes, or the attacked site's not what a recount says. With more events
in ten minutes than the four million ids that a partition remembers the latter is so: what is sent to the attacked site again may count twice.`
}

// Run prints what was found also where it is wrong: the report says what.
func (c *attackCommand) Run(p *process) error {
	length := event.Time(c.For.Milliseconds())
	if c.Events < 1 || c.Base < 1 || c.Visitors < 0 {
		return cli.Usagef("--events and --base are 1 or more, --visitors is not negative")
	}
	if length < event.Minute || length > 45*event.Minute || length%event.Minute != 0 {
		return cli.Usagef("--for: %v is not a number of minutes up to 45", c.For)
	}
	o := attack.Options{Events: c.Events, Base: c.Base, Visitors: c.Visitors, Length: length, Seed: c.Seed, Dir: c.Dir}
	if o.Visitors == 0 {
		o.Visitors = -1
	}
	phases := progress.Phases{W: p.stderr}
	o.Progress = phases.Set
	report, err := attack.Run(p.ctx, o)
	phases.Finish()
	if report != nil {
		fmt.Fprint(p.stdout, report)
	}
	return err
}
