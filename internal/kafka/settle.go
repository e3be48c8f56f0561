package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// settle waits until each broker knows of the topics and of a leader for each partition. A new
// topic spreads through a cluster in moments, but until then a client gets the answer from the
// wrong broker that there is no such topic.
//
// A broker that does not answer is passed over: it misleads no client.
func (c *Cluster) settle(ctx context.Context, admin sarama.ClusterAdmin, topics []Topic) error {
	brokers, _, err := admin.DescribeCluster()
	if err != nil {
		return fmt.Errorf("list brokers: %w", err)
	}
	cfg := c.Config()
	cfg.Net.DialTimeout, cfg.Net.ReadTimeout, cfg.Net.WriteTimeout = time.Second, 2*time.Second, 2*time.Second
	c.secure(cfg) // with that timeout
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	for _, b := range brokers {
		if err := settleOn(ctx, b.Addr(), cfg, names); isDenied(err) {
			return err
		} else if err != nil {
			return fmt.Errorf("wait for broker %s to know of new topics: %w", b.Addr(), err)
		}
	}
	return nil
}

func settleOn(ctx context.Context, addr string, cfg *sarama.Config, names []string) error {
	b := sarama.NewBroker(addr)
	if err := b.Open(cfg); err != nil {
		return err
	}
	defer b.Close()
	for {
		answer, err := b.GetMetadata(sarama.NewMetadataRequest(cfg.Version, names))
		if err != nil {
			return nil // it does not answer
		}
		if err = settled(answer); err == nil || isDenied(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settled returns what is not yet right with a topic.
func settled(answer *sarama.MetadataResponse) error {
	for _, t := range answer.Topics {
		if t.Err == sarama.ErrTopicAuthorizationFailed {
			return hiddenError(t.Name, t.Err)
		}
		if t.Err != sarama.ErrNoError {
			return fmt.Errorf("topic %s: %w", t.Name, t.Err)
		}
		for _, p := range t.Partitions {
			// Of a partition whose copies are not all up the broker reports that, and has its
			// leader still.
			if p.Err == sarama.ErrLeaderNotAvailable || p.Leader < 0 {
				return fmt.Errorf("topic %s, partition %d has no leader: %w", t.Name, p.ID, sarama.ErrLeaderNotAvailable)
			}
		}
	}
	return nil
}
