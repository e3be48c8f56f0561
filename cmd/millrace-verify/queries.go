package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/bench/verify/queries"
	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/engine/replay"
	"millrace/query"
)

// queriesCommand compares answers to random queries with a recount of the archive.
type queriesCommand struct {
	Events  int    `default:"20000" help:"Events of the 13 months."`
	Queries int    `default:"60" help:"Queries that are asked."`
	Seed    uint64 `default:"1" help:"Seed of traffic and queries."`
	First   int    `default:"0" placeholder:"N" help:"Number of the first query. With --queries 1 it is printed with its SQL and both answers."`
	Exact   int    `name:"exact-visitors" placeholder:"N" help:"How many visitors a query counts exactly. With 2000 sketches answer most queries of a large site. Default: as serve, 3 million."`
	Python  string `default:"python3" help:"A Python that has DuckDB 2."`
	Influx  string `placeholder:"ADDRESS" env:"-" help:"Empty InfluxDB database for the rollups. Default: the local store."`
	S3      string `name:"s3" placeholder:"ADDRESS" env:"-" help:"Empty bucket or prefix for the archive. Default: a folder."`
	Dir     string `placeholder:"DIR" help:"Folder for log, archive and rollups, which is empty or not there, and is kept. Default: a temporary one."`
}

// Help is the text behind the list of flags.
func (queriesCommand) Help() string {
	return `Makes traffic of 50 sites over 13 months, has it archived with hits and counted into rollups, and asks random queries. DuckDB answers the same
queries from the raw files of the archive, with SQL that finds duplicates, visits and dimensions by their definition.

Example:

  millrace-verify queries --events 2000000 --queries 1000 --python venv/bin/python

The exit code is 1 if an answer differs. All numbers have to be equal, but for visitors that a sketch has counted: these may differ by three standard errors.`
}

// Run prints what was compared.
func (c *queriesCommand) Run(p *process) error {
	if c.Events < 1000 || c.Queries < 1 || c.First < 0 || c.Exact < 0 {
		return cli.Usagef("--events is 1,000 or more, --queries 1 or more, --first and --exact-visitors not negative")
	}
	log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o := queries.Options{
		Events: c.Events, Queries: c.Queries, Seed: c.Seed, First: c.First, ExactVisitors: c.Exact, Python: c.Python, Dir: c.Dir, Out: p.stdout, Log: log,
		Archive: archiveQueried,
		Count: func(ctx context.Context, from queries.Counting) (query.Reader, func() error, error) {
			return c.countQueried(ctx, from, log)
		},
	}
	if c.S3 != "" {
		var err error
		if o.Lake, err = stores.OpenLake(c.S3, ""); err != nil {
			return err
		}
	}
	return queries.Run(p.ctx, o)
}

// archiveQueried runs the role archive.
func archiveQueried(a queries.Archiving) (run func(context.Context) error, closeIt func() error, err error) {
	task, err := roles.NewArchive(roles.ArchiveOptions{
		Common: roles.Common{Cluster: a.Cluster, Partitions: a.Partitions, Metrics: prometheus.NewRegistry(), Log: a.Log},
		Lake:   a.Store, Sole: true, Every: a.Every,
		// Months of the log go by in seconds.
		Hits: &roles.HitsOptions{NewDeriver: a.NewDeriver, By: "queries", Merges: lake.MergeOptions{Every: 20 * time.Millisecond, Share: 1}},
	})
	return task.Run, task.Close, err
}

// countQueried counts the whole archive, as the command replay does.
func (c *queriesCommand) countQueried(ctx context.Context, from queries.Counting, log *slog.Logger) (rollups query.Reader, closeIt func() error, err error) {
	set := stores.Set{Lake: from.Archive}
	if c.Influx != "" {
		set.Influx, err = stores.OpenInflux(c.Influx, stores.LogDead(log), log)
	} else {
		set.Local, err = local.Open(local.Options{Dir: from.Dir, Logger: log, NoSync: true})
	}
	if err != nil {
		return nil, nil, err
	}
	closeIt = set.Rollups().(interface{ Close() error }).Close
	if from.Again {
		return set.Rollups(), closeIt, nil
	}
	s := offline.Use(nil, set)
	report, err := s.Replay(ctx, offline.ReplayOptions{Mode: replay.Write, LogLost: true, NewDeriver: from.NewDeriver, Log: log})
	if err == nil && report.Events == 0 {
		err = errors.New("the archive has no events")
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeIt())
	}
	return set.Rollups(), closeIt, nil
}
