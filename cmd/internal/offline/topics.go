package offline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/brokersocket"
	"millrace/cmd/internal/datadir"
	"millrace/emit/lake/commits"
	"millrace/internal/broker"
	"millrace/internal/kafka"
)

// topics opens the topic of commits: of a Kafka, of the embedded broker of the serve that runs on the data folder, or of that folder. Done closes
// it.
func (s *Session) topics(o *DaysOptions) (t *commits.Topics, done func() error, err error) {
	if len(o.Kafka.Brokers) > 0 {
		t, err = commits.OpenTopics(&o.Kafka)
		return t, closing(t, nil), err
	}
	if s.Dir == nil {
		return nil, nil, errors.New("the order of hits is in Kafka's topic of commits: name the brokers with --kafka")
	}
	if s.beside != nil {
		path := s.Dir.Path()
		if brokersocket.TooLong(path) {
			return nil, nil, fmt.Errorf("data folder %s is %w, and its path is too long for the socket of its embedded broker; stop it first", path, datadir.ErrInUse)
		}
		if _, err := os.Stat(brokersocket.Path(path)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("data folder %s is %w, which has no embedded broker: say --kafka here too", path, datadir.ErrInUse)
		}
		t, err = commits.OpenTopics(&kafka.Cluster{Brokers: []string{"embedded.invalid:9092"}}, kgo.Dialer(brokersocket.Dialer(path)))
		return t, closing(t, nil), err
	}
	if _, err := os.Stat(filepath.Join(s.Dir.Broker())); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no embedded broker's log in %s: name the data folder that serve has with --data, or a Kafka with --kafka", s.Dir.Path())
	}
	b, err := broker.Open(broker.Options{Dir: s.Dir.Broker(), Logger: o.Log})
	if err != nil {
		return nil, nil, fmt.Errorf("open embedded broker: %w", err)
	}
	t, err = commits.OpenTopics(&kafka.Cluster{Brokers: b.Addrs(), Dialer: b.Dialer(), Replication: 1})
	if err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return t, closing(t, b), nil
}

// closing returns a function that closes the topic, and then the broker if there is one.
func closing(t *commits.Topics, b *broker.Broker) func() error {
	return func() error {
		err := t.Close()
		if b != nil {
			err = errors.Join(err, b.Close())
		}
		return err
	}
}
