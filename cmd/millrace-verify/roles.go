package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"millrace/bench/verify/soak"
	"millrace/cmd/internal/cli"
)

// rolesCommand measures what each role takes.
type rolesCommand struct {
	Dir    string        `required:"" placeholder:"DIR" help:"Folder for the program and its data; new or empty, and kept."`
	For    time.Duration `default:"4m" help:"How long the load lasts."`
	WarmUp time.Duration `default:"1m" help:"How much of that is not measured."`
	Rate   float64       `default:"300" help:"Events a second."`
	Batch  int           `default:"1" help:"Events of a request."`
	Sites  int           `default:"90" help:"Sites that the events are of."`
	Seed   uint64        `default:"1" help:"Seed of the load."`
	Serve  []string      `placeholder:"FLAG" help:"Further flags of serve; several with commas between them."`
}

// Help is the text behind the list of flags.
func (rolesCommand) Help() string {
	return `Runs collect, process, archive, and emit with query, each in a process of its own, on a broker in this one, and prints as JSON what an event takes:
processor time by role, bytes by store, points and bytes of windows. The figures of millrace size are made of such runs.

Example:

  millrace-verify roles --dir /var/tmp/roles --rate 300 --sites 900`
}

// Run prints the report as JSON.
func (c *rolesCommand) Run(p *process) error {
	if c.WarmUp <= 0 || c.WarmUp >= c.For || !(c.Rate > 0) || c.Batch < 1 || c.Batch > 1000 || c.Sites < 1 {
		return cli.Usagef("--warm-up, --rate, --batch (to 1000) and --sites are more than 0, --warm-up is less than --for")
	}
	r, err := soak.Roles(p.ctx, soak.Options{
		Dir: c.Dir, For: c.For, WarmUp: c.WarmUp, Rate: c.Rate, Batch: c.Batch, Sites: c.Sites, Seed: c.Seed, Serve: c.Serve,
		Log: slog.New(slog.NewTextHandler(p.stderr, nil)),
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	fmt.Fprintln(p.stdout, string(text))
	return err
}
