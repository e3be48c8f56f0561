package main

import (
	"encoding/json"
	"fmt"
	"time"

	"millrace/cmd/internal/sizing"
)

// sizeCommand computes what a number of events takes.
type sizeCommand struct {
	EventsPerDay float64       `required:"" placeholder:"N" help:"Events a day, on average: page views and custom events. Up to 10 billion."`
	SiteCount    int           `placeholder:"N" help:"Sites that have them. Default, and 0: one for each 100,000 events a day."`
	Peak         float64       `default:"4" help:"The busiest minute, over the average."`
	Replicas     int           `default:"3" help:"Copies of each topic."`
	Retention    time.Duration `default:"24h" help:"How long events stay in the log, as of serve."`
	NodeCores    int           `default:"4" help:"Processor cores of a node."`
	Use          float64       `default:"0.5" help:"Share of the cores that is used at the peak."`
	Queries      float64       `default:"1" help:"Queries a second at the peak."`
	JSON         bool          `name:"json" help:"Print JSON. Sizes are bytes."`
}

// Help is the text behind the list of flags.
func (sizeCommand) Help() string {
	return `Prints brokers, partitions, nodes by role, disks, and bytes of bucket and rollup store, from figures that were measured: docs/sizing.md.

  millrace size --events-per-day 1000000000 --site-count 50000`
}

func (c *sizeCommand) Run(p *process) error {
	plan, err := sizing.Compute(sizing.Options{EventsPerDay: c.EventsPerDay, Sites: c.SiteCount, Peak: c.Peak, Replicas: c.Replicas, Retention: c.Retention, NodeCores: c.NodeCores, Use: c.Use, Queries: c.Queries})
	if err != nil {
		return usagef("%w", first(err))
	}
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(plan)
	}
	_, err = fmt.Fprint(p.stdout, plan)
	return err
}
