package deadletters

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

	"millrace/cmd/internal/brokersocket"
	"millrace/cmd/internal/datadir"
	"millrace/internal/broker"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// dialTimeout bounds a connection to Kafka.
const dialTimeout = 8 * time.Second

// Options say where the letters are.
type Options struct {
	// Kafka is the cluster. Without Brokers it is the embedded broker of the data folder Data.
	Kafka kafka.Cluster
	Data  string
	Log   *slog.Logger
}

// With opens the letters for fn, and closes them behind it.
func With(o Options, fn func(*deadletter.Box) error) (err error) {
	opts, done, err := o.reach()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	box, err := deadletter.NewBox(o.Kafka.Names, append(opts, kgo.DialTimeout(dialTimeout))...)
	if err != nil {
		return err
	}
	defer box.Close()
	switch err = o.Kafka.Explain(context.Background(), fn(box)); {
	case errors.Is(err, brokersocket.ErrNone):
		return fmt.Errorf("data folder %s is %w, which has no embedded broker that could be asked: "+
			"if it is a serve with --kafka, say --kafka here too; else wait until it has ended", o.Data, datadir.ErrInUse)
	case errors.Is(err, deadletter.ErrNoTopic):
		return fmt.Errorf("%w: no serve was ever started here", err)
	}
	return err
}

// reach returns how clients reach the broker, and what closes the way there.
func (o *Options) reach() (opts []kgo.Opt, done func() error, err error) {
	done = func() error { return nil }
	if len(o.Kafka.Brokers) > 0 {
		return o.Kafka.ClientOptions(), done, nil
	}
	if _, err := os.Stat(filepath.Join(o.Data, "broker")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no embedded broker's log in %s; name the data folder with --data, or a Kafka with --kafka", o.Data)
	}
	dir, err := datadir.Open(o.Data)
	if errors.Is(err, datadir.ErrInUse) {
		data, err := filepath.Abs(o.Data)
		if err != nil {
			return nil, nil, fmt.Errorf("data folder %q: %w", o.Data, err)
		}
		if brokersocket.TooLong(data) {
			return nil, nil, fmt.Errorf("data folder %s is %w, and its path is too long for the socket by which that could be asked; "+
				"stop it first", data, datadir.ErrInUse)
		}
		return []kgo.Opt{kgo.SeedBrokers("embedded.invalid:9092"), kgo.Dialer(brokersocket.Dialer(data))}, done, nil
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := broker.Open(broker.Options{Dir: dir.Broker(), Logger: o.Log})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open embedded broker: %w", err), dir.Close())
	}
	return []kgo.Opt{kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext)},
		func() error { return errors.Join(b.Close(), dir.Close()) }, nil
}
