package main

import (
	"fmt"
	"os"
	"time"

	"millrace/bench/verify/rolling"
	"millrace/cmd/internal/cli"
	"millrace/internal/progress"
)

// rollingCommand replaces one build by another under load.
type rollingCommand struct {
	From        string        `placeholder:"COMMIT" help:"Commit that is replaced. Default: the newest that was made before the day of HEAD."`
	To          string        `placeholder:"COMMIT" help:"Commit that takes its place. Default: the working tree."`
	Old         string        `placeholder:"FILE" help:"Program that is replaced, in place of --from."`
	New         string        `placeholder:"FILE" help:"Program that takes its place, in place of --to."`
	Back        bool          `help:"Go back to the first one afterwards."`
	Rate        int           `default:"100" help:"Beacons a second."`
	Quiet       time.Duration `default:"30s" help:"How long beacons are sent without an upgrade, to compare with."`
	Ratio       float64       `default:"3" help:"The most that the p99 of a beacon may be, over that without an upgrade; 0 is any."`
	Final       bool          `help:"Compare once every minute is final, a minute later."`
	Kafka       []string      `placeholder:"HOST:PORT" env:"-" help:"Brokers without Millrace's topics. Default: three of Apache Kafka, which are started and ended. That needs Java 17, and Maven or --kafka-home."`
	KafkaHome   string        `placeholder:"DIR" help:"Unpacked Kafka of version 4. Default: Maven fetches one."`
	Influx      string        `placeholder:"ADDRESS" env:"-" help:"Empty InfluxDB database. Default: one of an InfluxDB that is started."`
	S3          string        `name:"s3" placeholder:"ADDRESS" env:"-" help:"Empty bucket, or a folder as file:///folder. Default: one of a server that is started."`
	ServicesDir string        `placeholder:"DIR" help:"Folder for the programs of these servers, as of deploy/dev-kafka.sh. Default: millrace-services in the user's folder for caches."`
	Dir         string        `placeholder:"DIR" help:"Folder for data and programs, emptied afterwards. Default: a temporary one."`
}

// Help is the text behind the list of flags.
func (rollingCommand) Help() string {
	return `Run it in a clone of the repository. It builds both programs, starts each role in processes of its own, and replaces them one at a time.

Example:

  millrace-verify rolling --back --final --quiet 2m

The exit code is 1 if an event is lost, counted twice or in another minute, or the p99 is above --ratio.`
}

// Run builds, plays and prints.
func (c *rollingCommand) Run(p *process) error {
	if c.Rate < 1 || c.Quiet <= 0 || c.Ratio < 0 {
		return cli.Usagef("--rate is 1 or more, --quiet is more than 0, --ratio is not negative")
	}
	if c.Old != "" && c.From != "" || c.New != "" && c.To != "" {
		return cli.Usagef("--old and --from, and --new and --to, are in place of each other")
	}
	phases := progress.Phases{W: p.stderr}
	defer phases.Finish()
	dir, err := os.MkdirTemp(c.Dir, "millrace-builds-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if c.Old == "" && c.From == "" {
		if c.From, err = rolling.Yesterday(p.ctx, "."); err != nil {
			return err
		}
	}
	phases.Set("build", 0, 2)
	if c.Old == "" {
		fmt.Fprintf(p.stdout, "%-14s commit %s\n", "from", c.From)
		if c.Old, err = rolling.Build(p.ctx, ".", c.From, dir); err != nil {
			return err
		}
	}
	phases.Set("build", 1, 2)
	if c.New == "" {
		if c.New, err = rolling.Build(p.ctx, ".", c.To, dir); err != nil {
			return err
		}
	}
	report, err := rolling.Run(p.ctx, rolling.Options{
		Old: c.Old, New: c.New, Back: c.Back, Rate: c.Rate, Quiet: c.Quiet, Ratio: c.Ratio, Final: c.Final,
		Kafka: c.Kafka, KafkaHome: c.KafkaHome, Influx: c.Influx, S3: c.S3, Services: c.ServicesDir, Dir: c.Dir, Progress: phases.Set,
	})
	phases.Finish()
	fmt.Fprint(p.stdout, report)
	if err == nil && len(report.Wrong) > 0 {
		err = fmt.Errorf("%d things are wrong", len(report.Wrong))
	}
	return err
}
