package main

import (
	"errors"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/hostport"
	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/rules"
	"millrace/internal/kafka"
)

// recountCommand counts days again, rollups and hits.
type recountCommand struct {
	From  string   `placeholder:"DAY" group:"Range" help:"First day, 2026-03-01. Default: the first that the archive has whole."`
	To    string   `placeholder:"DAY" group:"Range" help:"Last day. Default: the last that is over."`
	Kafka []string `placeholder:"HOST:PORT" group:"Kafka" help:"Brokers to start from, as serve has them. Default: the embedded broker of the data folder."`

	topicFlags    `embed:""`
	brokerFlags   `embed:"" prefix:"kafka-"`
	storeFlags    `embed:""`
	countingFlags `embed:""`
}

// Help is the text behind the list of flags.
func (recountCommand) Help() string { return offline.DaysHelp }

func (c *recountCommand) Run(p *process, logs *logFlags) (err error) {
	at := kafka.Cluster{Brokers: c.Kafka, Security: c.security(), Rack: c.Rack, Names: c.names()}
	if err := errors.Join(c.storeFlags.validate(), hostport.Brokers(c.Kafka), first(at.Validate())); err != nil {
		return usagef("%w", err)
	}
	from, to, err := cli.Range(c.From, c.To)
	if err != nil {
		return err
	}
	sites, err := c.sites("")
	if err != nil {
		return err
	}
	o := c.storeFlags.offline(logs.open(p.stderr))
	o.NeedFolder = len(c.Kafka) == 0
	s, err := offline.Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	d, err := s.RecountDays(p.ctx, offline.DaysOptions{From: from, To: to, NewDeriver: deriverOf(sites), By: rules.CountedBy(version, sites),
		KeptFrom: keptFrom(sites), Kafka: at, Steps: steps(p.stderr), Log: o.Log})
	if err == nil {
		d.Print(p.stdout)
	}
	return err
}
