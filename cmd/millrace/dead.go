package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/datadir"
	"millrace/internal/broker"
	"millrace/internal/deadletter"
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
		return deadletter.Filter{}, usagef("--since: %v is negative", f.Since)
	}
	filter := deadletter.Filter{Topic: f.Topic, Partition: f.Partition, Reason: f.Reason}
	if f.Since > 0 {
		filter.Since = now.Add(-f.Since)
	}
	return filter, nil
}

// withBox opens the letters for fn: on the Kafka that is named, in the embedded broker of a running serve, or in the folder of
// one that does not run.
func (f *deadFlags) withBox(log *slog.Logger, fn func(*deadletter.Box) error) (err error) {
	opts, done, err := f.reach(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	box, err := deadletter.NewBox(append(opts, kgo.DialTimeout(connectTime))...)
	if err != nil {
		return err
	}
	defer box.Close()
	switch err = fn(box); {
	case errors.Is(err, errNoDoor):
		return fmt.Errorf("data folder %s is %w, which has no embedded broker that could be asked: "+
			"if it is a serve with --kafka, say --kafka here too; else wait until it has ended", f.Data, datadir.ErrInUse)
	case errors.Is(err, deadletter.ErrNoTopic):
		return fmt.Errorf("%w: no serve was ever started here", err)
	}
	return err
}

// reach returns how clients get to the broker.
func (f *deadFlags) reach(log *slog.Logger) (opts []kgo.Opt, done func() error, err error) {
	done = func() error { return nil }
	if len(f.Kafka) > 0 {
		return []kgo.Opt{kgo.SeedBrokers(f.Kafka...)}, done, nil
	}
	if _, err := os.Stat(filepath.Join(f.Data, "broker")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no embedded broker's log in %s; name the data folder with --data, or a Kafka with --kafka", f.Data)
	}
	dir, err := datadir.Open(f.Data)
	if errors.Is(err, datadir.ErrInUse) {
		data, err := filepath.Abs(f.Data)
		if err != nil {
			return nil, nil, fmt.Errorf("data folder %q: %w", f.Data, err)
		}
		if len(doorPath(data)) > maxDoorPath {
			return nil, nil, fmt.Errorf("data folder %s is %w, and its path is too long for the socket by which that could be asked; stop it first", data, datadir.ErrInUse)
		}
		return []kgo.Opt{kgo.SeedBrokers("embedded.invalid:9092"), kgo.Dialer(throughDoor(data))}, done, nil
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := broker.Open(broker.Options{Dir: dir.Broker(), Logger: log})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open embedded broker: %w", err), dir.Close())
	}
	return []kgo.Opt{kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext)},
		func() error { return errors.Join(b.Close(), dir.Close()) }, nil
}

// find returns the letters that coords name, in that order. One that is not there is an error that names all that are not.
func find(ctx context.Context, box *deadletter.Box, coords []deadletter.Coord) ([]*deadletter.Entry, error) {
	found := make([]*deadletter.Entry, len(coords))
	err := box.Each(ctx, deadletter.Filter{}, func(e *deadletter.Entry) error {
		for i, c := range coords {
			if found[i] == nil && e.Is(c) {
				found[i] = e
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var errs []error
	for i, e := range found {
		if e == nil {
			errs = append(errs, fmt.Errorf("there is no dead letter %s", coords[i]))
		}
	}
	return found, errors.Join(errs...)
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
