package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
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
	return c.withBox(logs.open(p.stderr), func(box *deadletter.Box) error {
		if c.All {
			return c.all(p, box, filter)
		}
		return c.named(p, box, coords, value)
	})
}

// value reads --value; nil without it.
func (c *deadRetryCommand) value() ([]byte, error) {
	if c.Value == "" {
		return nil, nil
	}
	info, err := os.Stat(c.Value)
	if err != nil {
		return nil, usagef("--value: %w", err)
	}
	if info.Size() > kafka.MaxRecordBytes-64<<10 {
		return nil, usagef("--value %s: %d bytes are more than a record can have", c.Value, info.Size())
	}
	value, err := os.ReadFile(c.Value)
	if err != nil {
		return nil, usagef("--value: %w", err)
	}
	if value == nil {
		value = []byte{}
	}
	return value, nil
}

// named retries letters that are named. Nothing is done unless all can be.
func (c *deadRetryCommand) named(p *process, box *deadletter.Box, coords []deadletter.Coord, value []byte) error {
	found, err := find(p.ctx, box, coords)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range found {
		errs = append(errs, c.check(e, value))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, e := range found {
		if err := c.retry(p, box, e, value); err != nil {
			return err
		}
	}
	return nil
}

// all retries what is open and can be read by now.
func (c *deadRetryCommand) all(p *process, box *deadletter.Box, filter deadletter.Filter) error {
	filter.Open = !c.Force
	done, left := 0, 0
	seen := map[deadletter.Coord]bool{}
	err := box.Each(p.ctx, filter, func(e *deadletter.Entry) error {
		if seen[e.Coord()] {
			return nil
		}
		seen[e.Coord()] = true
		if err := c.check(e, nil); err != nil {
			left++
			fmt.Fprintf(p.stderr, "millrace: left: %v\n", err)
			return nil
		}
		done++
		return c.retry(p, box, e, nil)
	})
	fmt.Fprintf(p.stdout, "%d retried, %d left\n", done, left)
	return err
}

// check tells why a letter is not to be retried, and what can be done.
func (c *deadRetryCommand) check(e *deadletter.Entry, value []byte) error {
	name := printable(e.Coord().String(), 300)
	err := e.Check(value, c.Force)
	switch {
	case errors.Is(err, deadletter.ErrRetried):
		return fmt.Errorf("%s: %w; --force puts it back once more", name, err)
	case errors.Is(err, deadletter.ErrNoRecord):
		return fmt.Errorf(`%s: %w: it is a point that InfluxDB refused; "millrace replay" writes its window again once the cause is gone`, name, err)
	case errors.Is(err, deadletter.ErrNoValue):
		return fmt.Errorf("%s: %w; give one with --value FILE", name, err)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	if value == nil {
		value = e.Value
	}
	if err := readable(e.Topic, value); err != nil && !c.Force {
		return fmt.Errorf("%s: it can't be read by this build either: %s; repair it (millrace dead show --raw) and give it with --value FILE",
			name, printable(err.Error(), 300))
	}
	return nil
}

// readable tells what is wrong with a record, as far as can be told here.
func readable(topic string, value []byte) error {
	switch topic {
	case engine.EventsTopic:
		var dec event.Decoder
		var env event.Envelope
		return dec.Decode(value, &env)
	case engine.WindowsTopic:
		_, err := window.Decode(value)
		return err
	}
	return nil
}

func (c *deadRetryCommand) retry(p *process, box *deadletter.Box, e *deadletter.Entry, value []byte) error {
	key := e.Key
	if e.Topic == engine.EventsTopic {
		key = event.Key(e.Partition) // what a collector writes, whoever wrote this one
	}
	from := e.Coord()
	to, err := box.Retry(p.ctx, e, key, value, c.Force)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s -> %s\n", from, to)
	return nil
}
