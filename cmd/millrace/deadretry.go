package main

import (
	"fmt"
	"time"

	"millrace/cmd/internal/deadletters"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
	"millrace/internal/smallfile"
)

// deadRetryCommand puts records back.
type deadRetryCommand struct {
	Coords []string `arg:"" optional:"" name:"coord" help:"Letters: topic/partition/offset of their records."`
	All    bool     `group:"Choice" help:"All that the other flags of this group choose and that were not retried."`
	Value  string   `placeholder:"FILE" group:"Record" help:"The record's value, repaired; for one letter."`
	Force  bool     `group:"Record" help:"Also what was retried before, and what can't be read by this build either."`

	filterFlags `embed:""`
	deadFlags   `embed:""`
}

// Help is the text behind the list of flags.
func (deadRetryCommand) Help() string {
	return `A record is put back at the end of its partition, with its own value or the one of --value, and the letter is marked as retried.
It is not put back twice without --force, and neither is one of which it is not known whether it was. Events of a record that
is put back late are counted like other late ones: those older than serve's --lateness go to the archive, from which "millrace
replay" counts them.

Examples:

  millrace dead retry --all --topic millrace.events
      everything that this build can read, for instance after an upgrade

  millrace dead show --raw millrace.events/3/17 >record.json
  millrace dead retry --value record.json millrace.events/3/17
      one record, repaired by hand`
}

func (c *deadRetryCommand) Run(p *process, logs *logFlags) error {
	coords, err := parseCoords(c.Coords)
	if err != nil {
		return err
	}
	filter, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	switch {
	case c.All && len(coords) > 0:
		return usagef("name letters or say --all, not both")
	case !c.All && len(coords) == 0:
		return usagef("name letters, or say --all")
	case !c.All && c.filterFlags != filterFlags{}:
		return usagef("--topic, --partition, --reason and --since choose among --all; named letters need none")
	case c.Value != "" && len(coords) != 1:
		return usagef("--value is for one letter")
	}
	value, err := c.value()
	if err != nil {
		return err
	}
	return c.with(logs.open(p.stderr), func(box *deadletter.Box) error {
		r := deadletters.Retry{Box: box, Names: c.names(), Force: c.Force, Done: func(from, to deadletter.Coord) {
			fmt.Fprintf(p.stdout, "%s -> %s\n", from, to)
		}}
		if !c.All {
			return r.Named(p.ctx, coords, value)
		}
		done, left, err := r.All(p.ctx, filter, func(err error) { fmt.Fprintf(p.stderr, "millrace: left: %v\n", err) })
		fmt.Fprintf(p.stdout, "%d retried, %d left\n", done, left)
		return err
	})
}

// value reads --value; nil without it.
func (c *deadRetryCommand) value() ([]byte, error) {
	if c.Value == "" {
		return nil, nil
	}
	value, err := smallfile.Read(c.Value, kafka.MaxRecordBytes-64<<10) // more than that is no record
	if err != nil {
		return nil, usagef("--value: %w", err)
	}
	if value == nil {
		value = []byte{}
	}
	return value, nil
}
