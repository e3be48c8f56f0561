package kafka

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Offsets requests where topics end and how far groups are, again and again on the same
// connections. One goroutine at a time may use it. A request to a broker that does not answer ends
// within some seconds. It is a Sarama client like the processor beside it.
type Offsets struct {
	client sarama.Client
	admin  sarama.ClusterAdmin
	close  func() error
}

// OpenOffsets connects.
func (c *Cluster) OpenOffsets() (*Offsets, error) {
	cfg := c.configTo(ToManage)
	cfg.Net.DialTimeout, cfg.Net.ReadTimeout, cfg.Net.WriteTimeout = 2*time.Second, 5*time.Second, 5*time.Second
	c.secure(cfg) // with that timeout
	cfg.Metadata.Retry.Max, cfg.Admin.Retry.Max = 1, 1
	client, err := sarama.NewClient(c.copyBrokers(), cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka at %s: %w", strings.Join(c.Brokers, ","), err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to Kafka at %s: %w", strings.Join(c.Brokers, ","), err), client.Close())
	}
	return &Offsets{client, admin, sync.OnceValue(admin.Close)}, nil // and with it the client
}

// Close disconnects. It may be called from any goroutine, and again; a request under way ends with
// an error.
func (o *Offsets) Close() error { return o.close() }

// Ends returns the offset behind the last record of each partition of a topic.
func (o *Offsets) Ends(topic string) (map[int32]int64, error) {
	parts, err := o.client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("list partitions of %s: %w", topic, err)
	}
	return o.EndsOf(topic, parts)
}

// Begins returns the offset of the first record that each partition of a topic still has.
func (o *Offsets) Begins(topic string) (map[int32]int64, error) {
	parts, err := o.client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("list partitions of %s: %w", topic, err)
	}
	return o.offsetsOf(topic, parts, sarama.OffsetOldest, "begin")
}

// EndsOf is Ends for some partitions.
func (o *Offsets) EndsOf(topic string, parts []int32) (map[int32]int64, error) {
	return o.offsetsOf(topic, parts, sarama.OffsetNewest, "end")
}

func (o *Offsets) offsetsOf(topic string, parts []int32, which int64, name string) (_ map[int32]int64, err error) {
	offsets := make(map[int32]int64, len(parts))
	for _, p := range parts {
		if offsets[p], err = o.client.GetOffset(topic, p, which); err != nil {
			return nil, fmt.Errorf("%s of %s/%d: %w", name, topic, p, err)
		}
	}
	return offsets, nil
}

// Committed returns the offset that a group has committed, without the partitions of which it has
// not committed any.
func (o *Offsets) Committed(group, topic string) (map[int32]int64, error) {
	parts, err := o.client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("list partitions of %s: %w", topic, err)
	}
	resp, err := o.admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: parts})
	if errors.Is(err, sarama.ErrGroupIDNotFound) {
		return nil, nil // the group has never committed
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the offsets of group %s: %w", group, err)
	}
	next := map[int32]int64{}
	for _, p := range parts {
		b := resp.GetBlock(topic, p)
		if b == nil {
			continue
		}
		if b.Err != sarama.ErrNoError {
			return nil, fmt.Errorf("ask for the offset of group %s in %s/%d: %w", group, topic, p, b.Err)
		}
		if b.Offset >= 0 {
			next[p] = b.Offset
		}
	}
	return next, nil
}
