package kafka

import (
	"errors"

	"github.com/IBM/sarama"
)

// fetching is the client of a consumer group whose records come by connections of their own.
//
// Sarama has one connection to a broker, and a broker that throttles fetches (a quota,
// consumer_byte_rate) does not read from their connection for up to ten seconds. Heartbeats, joins
// and commits would wait behind them for longer than a short session lasts: the member is given up
// before its records come, and fetches the same ones again, for ever.
type fetching struct {
	sarama.Client               // of the group: coordinator, metadata, offsets
	records       sarama.Client // its brokers are fetched from
}

// openFetching connects both.
func openFetching(addrs []string, cfg *sarama.Config) (*fetching, error) {
	group, err := sarama.NewClient(addrs, cfg)
	if err != nil {
		return nil, err
	}
	records, err := sarama.NewClient(addrs, cfg)
	if err != nil {
		return nil, errors.Join(err, group.Close())
	}
	return &fetching{group, records}, nil
}

// Leader and LeaderAndEpoch are what Sarama's consumer requests before it fetches.
func (c *fetching) Leader(topic string, partition int32) (*sarama.Broker, error) {
	b, _, err := c.LeaderAndEpoch(topic, partition)
	return b, err
}

func (c *fetching) LeaderAndEpoch(topic string, partition int32) (*sarama.Broker, int32, error) {
	b, epoch, err := c.Client.LeaderAndEpoch(topic, partition)
	if err != nil {
		return nil, epoch, err
	}
	b, err = c.own(b)
	return b, epoch, err
}

// Broker is what it requests to fetch from a nearer copy.
func (c *fetching) Broker(id int32) (*sarama.Broker, error) {
	b, err := c.Client.Broker(id)
	if err != nil {
		return nil, err
	}
	return c.own(b)
}

// own returns the broker that a broker of the group's client is, of the other one.
func (c *fetching) own(of *sarama.Broker) (*sarama.Broker, error) {
	b, err := c.records.Broker(of.ID())
	if err == nil && b.Addr() == of.Addr() {
		return b, nil
	}
	// It has come, or has moved, since the other client looked.
	if err := c.records.RefreshMetadata(); err != nil {
		return nil, err
	}
	return c.records.Broker(of.ID())
}

// Close disconnects both.
func (c *fetching) Close() error {
	err := c.Client.Close()
	if other := c.records.Close(); err == nil {
		err = other
	}
	return err
}
