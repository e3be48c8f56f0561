package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"millrace/bench/verify/pace"
	"millrace/bench/verify/queries"
	"millrace/cmd/internal/cli"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/internal/blob"
	"millrace/query"
)

// paceCommand measures queries of an archive beside DuckDB.
type paceCommand struct {
	Events  int    `default:"300000" help:"Events of the archive."`
	Days    int    `default:"30" help:"Days of the archive."`
	Sites   int    `default:"50" help:"Sites, of which one has three fifths of the events."`
	Queries int    `default:"200" help:"Queries that are asked: half of them of the giant, half of sites with less than a twentieth of the events."`
	Runs    int    `default:"5" help:"How often each is measured, after once that is not."`
	Threads int    `default:"2" help:"Threads of each side."`
	Seed    uint64 `default:"1" help:"Seed of traffic and queries."`
	Python  string `default:"python3" help:"A Python that has DuckDB 2."`
	Board   bool   `name:"dashboard" help:"Ask the 40 questions of a dashboard, which rollups hold, in place of drawn ones."`
	Dir     string `placeholder:"DIR" help:"Folder for the archive, which is empty or not there, and is kept. Default: a temporary one."`
	Profile string `name:"cpu-profile" placeholder:"FILE" help:"Write a CPU profile of all queries, and measure nothing."`
}

// Help is the text behind the list of flags.
func (paceCommand) Help() string {
	return `Makes an archive of hits and visits as it is once all has been merged, and asks queries that no rollup holds by turns of the query API and of DuckDB
on the same files. Prints how long each takes as a multiple of DuckDB's time. With --dashboard the archive is counted into rollups too, and the questions
are those of a dashboard: totals, curves, lists by one dimension.

Example:

  millrace-verify pace --events 3000000 --python venv/bin/python --threads 1

Nothing else should run meanwhile. The exit code is 1 if an answer is not the same.`
}

// Run prints what was measured.
func (c *paceCommand) Run(p *process) (err error) {
	if c.Events < 1000 || c.Days < 1 || c.Sites < 3 || c.Queries < 1 || c.Runs < 1 || c.Threads < 1 {
		return cli.Usagef("--events is 1,000 or more, --sites 3 or more, and --days, --queries, --runs and --threads 1 or more")
	}
	o := pace.Options{
		Events: c.Events, Days: c.Days, Sites: c.Sites, Queries: c.Queries, Runs: c.Runs, Threads: c.Threads, Seed: c.Seed, Python: c.Python, Dir: c.Dir, Out: p.stdout,
	}
	if c.Board {
		log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		o.Count = func(ctx context.Context, archive blob.Store, dir string) (query.Reader, func() error, error) {
			_, err := os.Stat(dir)
			return (&queriesCommand{}).countQueried(ctx, queries.Counting{
				Archive: archive, Dir: dir, Again: err == nil, NewDeriver: func() engine.Deriver { return enrich.New(enrich.Options{}) },
			}, log)
		}
	}
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return fmt.Errorf("--cpu-profile: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		o.Profile = f
	}
	return pace.Run(p.ctx, o)
}
