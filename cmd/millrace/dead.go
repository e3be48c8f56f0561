package main

import (
	"log/slog"
	"time"

	"millrace/cmd/internal/deadletters"
	"millrace/cmd/internal/duration"
	"millrace/cmd/internal/hostport"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// deadCommand looks after what could not be read.
type deadCommand struct {
	List  deadListCommand  `cmd:"" help:"List dead letters, the newest last."`
	Show  deadShowCommand  `cmd:"" help:"Show a dead letter and the record it holds."`
	Retry deadRetryCommand `cmd:"" help:"Put records back into their topics, to be read again."`
}

// Help is the text behind the list of flags.
func (deadCommand) Help() string {
	return `A record that can't be read goes to the topic millrace.dead with the reason and the place it had, and the rest goes on.
A letter is named by that place, topic/partition/offset.

On a data folder these commands also work while serve runs on it.`
}

// deadFlags say where the letters are.
type deadFlags struct {
	Data  string   `default:"./data" group:"Kafka" help:"Data folder of the embedded broker."`
	Kafka []string `placeholder:"HOST:PORT" group:"Kafka" help:"Brokers to start from. Default: the embedded broker of the data folder."`

	topicFlags  `embed:""`
	brokerFlags `embed:"" prefix:"kafka-"`
}

// filterFlags choose letters.
type filterFlags struct {
	Topic     string        `placeholder:"TOPIC" group:"Choice" help:"Records of this topic."`
	Partition *int32        `placeholder:"N" group:"Choice" help:"Records of this partition."`
	Reason    string        `placeholder:"TEXT" group:"Choice" help:"Letters whose reason has this text in it, in any case."`
	Since     time.Duration `placeholder:"24h" group:"Choice" help:"Letters written within this time. Default: all, which is 30 days."`
}

func (f *filterFlags) filter(now time.Time) (deadletter.Filter, error) {
	if f.Since < 0 {
		return deadletter.Filter{}, usagef("--since: %s is negative", duration.Text(f.Since))
	}
	filter := deadletter.Filter{Topic: f.Topic, Partition: f.Partition, Reason: f.Reason}
	if f.Since > 0 {
		filter.Since = now.Add(-f.Since)
	}
	return filter, nil
}

// with opens the letters for fn.
func (f *deadFlags) with(log *slog.Logger, fn func(*deadletter.Box) error) error {
	if err := hostport.Brokers(f.Kafka); err != nil {
		return err
	}
	at := kafka.Cluster{Brokers: f.Kafka, Security: f.security(), Rack: f.Rack, Names: f.names()}
	if err := first(at.Validate()); err != nil {
		return usagef("%w", err)
	}
	return deadletters.With(deadletters.Options{Data: f.Data, Kafka: at, Log: log}, fn)
}

func parseCoords(texts []string) ([]deadletter.Coord, error) {
	coords := make([]deadletter.Coord, len(texts))
	for i, s := range texts {
		var err error
		if coords[i], err = deadletter.ParseCoord(s); err != nil {
			return nil, usagef("COORD: %w", err)
		}
	}
	return coords, nil
}
