package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"golang.org/x/net/proxy"
)

// MaxRecordBytes is the largest record that clients send and topics take, before compression: a
// fired window of a giant site holds thousands of values with sketches.
const MaxRecordBytes = 15 << 20

// Cluster is how to reach a Kafka cluster, or the embedded broker.
type Cluster struct {
	// Brokers are the bootstrap addresses, host:port.
	Brokers []string
	// Dialer opens connections; nil is TCP.
	Dialer proxy.Dialer
	// Replication is the number of copies of a topic that EnsureTopics makes; 0 means as many as
	// there are brokers, at most 3.
	Replication int16
	// SessionTimeout is how long a member of a group may be silent before others get its
	// partitions; 0 is 20 s. A broker takes 6 s to 30 min unless configured otherwise.
	SessionTimeout time.Duration
}

// defaultSession is the SessionTimeout of a Cluster that has none.
const defaultSession = 20 * time.Second

// Config returns Sarama settings under which nothing acknowledged is lost and nothing is reordered.
func (c *Cluster) Config() *sarama.Config {
	cfg := goka.DefaultConfig()
	cfg.Version = sarama.V2_8_0_0
	if c.Dialer != nil {
		cfg.Net.Proxy.Enable = true
		cfg.Net.Proxy.Dialer = c.Dialer
	}
	cfg.Net.MaxOpenRequests = 1 // what Sarama requires of an idempotent producer
	cfg.Net.DialTimeout = 5 * time.Second
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Producer.Idempotent = true
	cfg.Producer.Compression = sarama.CompressionSnappy
	cfg.Producer.MaxMessageBytes = MaxRecordBytes
	cfg.Producer.Flush.Frequency = 2 * time.Millisecond
	cfg.Producer.Flush.Bytes = 256 << 10
	cfg.Producer.Flush.MaxMessages = 512
	// Retries outlast the election of a leader: 100 ms growing to 2 s, 60 times, is about 110 s.
	cfg.Producer.Retry.Max = 60
	cfg.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration {
		return min(time.Duration(retries+1)*100*time.Millisecond, 2*time.Second)
	}
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Offsets.AutoCommit.Enable = false // Group commits
	cfg.Consumer.Group.ResetInvalidOffsets = false // a lost offset is an error
	cfg.Consumer.Fetch.Default = 4 << 20
	cfg.Consumer.MaxWaitTime = 100 * time.Millisecond
	cfg.Consumer.Group.Session.Timeout = cmp.Or(c.SessionTimeout, defaultSession)
	cfg.Consumer.Group.Heartbeat.Interval = min(cfg.Consumer.Group.Session.Timeout/6, 3*time.Second)
	cfg.Consumer.Group.Rebalance.Timeout = 60 * time.Second
	cfg.Metadata.Retry.Max = 10
	return cfg
}

// Topic is a topic as it has to be.
type Topic struct {
	Name       string
	Partitions int32
	// Retention is how long records are kept at least; 0 means for ever.
	Retention time.Duration
	// Settings are further ones of a topic that is made, by Kafka's names; they win. Newer are those
	// that a broker may be too old to know.
	Settings, Newer map[string]string
}

// forever is the retention.ms of a topic that keeps its records.
const forever = -1

// brokerRetention is the retention.ms of a topic that has none of its own, Kafka's
// log.retention.hours of 168.
const brokerRetention = 168 * 60 * 60 * 1000

// retentionMS returns the topic's retention.ms.
func (t Topic) retentionMS() int64 {
	if t.Retention <= 0 {
		return forever
	}
	return t.Retention.Milliseconds()
}

// ErrPartitions is returned for a topic that is there with another number of partitions.
var ErrPartitions = errors.New("wrong number of partitions")

// EnsureTopics creates the topics that are missing, and returns once all brokers know of them. One
// that is there must have the right number of partitions. Its retention is raised if it is less
// than the one given, since the caller counts on that; its other settings are left alone.
func (c *Cluster) EnsureTopics(ctx context.Context, topics ...Topic) error {
	admin, err := c.admin(ctx)
	if err != nil {
		return err
	}
	defer admin.Close()
	have, err := admin.ListTopics()
	if err != nil {
		return fmt.Errorf("list topics of %s: %w", strings.Join(c.Brokers, ","), err)
	}
	repl, err := c.replication(admin)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if d, ok := have[t.Name]; ok {
			if d.NumPartitions != t.Partitions {
				return fmt.Errorf("topic %s has %d partitions, configured are %d: %w; partitions can't be changed under live state",
					t.Name, d.NumPartitions, t.Partitions, ErrPartitions)
			}
			if err := raiseRetention(admin, t, d.ConfigEntries["retention.ms"]); err != nil {
				return err
			}
			continue
		}
		policy, most, retention := "delete", strconv.Itoa(MaxRecordBytes), strconv.FormatInt(t.retentionMS(), 10)
		entries := map[string]*string{"cleanup.policy": &policy, "retention.ms": &retention, "max.message.bytes": &most}
		if repl >= 3 {
			// With the brokers' default of 1 a leader alone acknowledges records, and takes them
			// along when it dies. With two copies nothing could be written while one broker is
			// away: there the operator chooses.
			two := "2"
			entries["min.insync.replicas"] = &two
		}
		for name, value := range t.Settings {
			entries[name] = &value
		}
		for name, value := range t.Newer {
			entries[name] = &value
		}
		detail := &sarama.TopicDetail{NumPartitions: t.Partitions, ReplicationFactor: repl, ConfigEntries: entries}
		err := admin.CreateTopic(t.Name, detail, false)
		if errors.Is(err, sarama.ErrInvalidConfig) && len(t.Newer) > 0 {
			for name := range t.Newer {
				delete(entries, name)
			}
			err = admin.CreateTopic(t.Name, detail, false)
		}
		if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	return c.settle(ctx, admin, topics)
}

// raiseRetention makes a topic keep its records for as long as t has it, if it has a shorter
// retention.ms; nil is the default.
func raiseRetention(admin sarama.ClusterAdmin, t Topic, entry *string) error {
	has := int64(brokerRetention)
	if entry != nil {
		var err error
		if has, err = strconv.ParseInt(*entry, 10, 64); err != nil {
			return fmt.Errorf("topic %s: retention.ms %q is not a number", t.Name, *entry)
		}
	}
	want := t.retentionMS()
	if has == forever || want != forever && has >= want {
		return nil
	}
	value := strconv.FormatInt(want, 10)
	err := admin.IncrementalAlterConfig(sarama.TopicResource, t.Name, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}, false)
	if err != nil {
		return fmt.Errorf("topic %s keeps records for %d ms, which is too short: set its retention.ms to %s: %w", t.Name, has, value, err)
	}
	return nil
}

// admin connects within the bounds of ctx. Sarama's own connecting can't be cancelled, so a
// connection that comes too late is closed in the background.
func (c *Cluster) admin(ctx context.Context) (sarama.ClusterAdmin, error) {
	type result struct {
		admin sarama.ClusterAdmin
		err   error
	}
	done := make(chan result, 1)
	cfg := c.Config()
	cfg.Metadata.Retry.Max = 3
	go func() {
		a, err := sarama.NewClusterAdmin(c.Brokers, cfg)
		done <- result{a, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("connect to Kafka at %s: %w", strings.Join(c.Brokers, ","), r.err)
		}
		return r.admin, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.admin.Close()
			}
		}()
		return nil, fmt.Errorf("connect to Kafka at %s: %w", strings.Join(c.Brokers, ","), ctx.Err())
	}
}

func (c *Cluster) replication(admin sarama.ClusterAdmin) (int16, error) {
	if c.Replication > 0 {
		return c.Replication, nil
	}
	brokers, _, err := admin.DescribeCluster()
	if err != nil {
		return 0, fmt.Errorf("describe cluster %s: %w", strings.Join(c.Brokers, ","), err)
	}
	return int16(min(len(brokers), 3)), nil
}

// Rewind forgets what a group has committed, so that its next member begins with the oldest record.
// The group must have no members. One that does not exist is rewound.
func (c *Cluster) Rewind(ctx context.Context, group string) error {
	admin, err := c.admin(ctx)
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := admin.DeleteConsumerGroup(group); err != nil && !errors.Is(err, sarama.ErrGroupIDNotFound) {
		return fmt.Errorf("rewind consumer group %s: %w", group, err)
	}
	return nil
}

// Partitions returns the number of partitions of a topic, 0 if there is no such topic.
func (c *Cluster) Partitions(ctx context.Context, topic string) (int32, error) {
	admin, err := c.admin(ctx)
	if err != nil {
		return 0, err
	}
	defer admin.Close()
	topics, err := admin.ListTopics()
	if err != nil {
		return 0, fmt.Errorf("list topics of %s: %w", strings.Join(c.Brokers, ","), err)
	}
	return topics[topic].NumPartitions, nil
}

// Ends returns the offset behind the last record of each partition of a topic.
func (c *Cluster) Ends(ctx context.Context, topic string) (ends map[int32]int64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o, err := c.OpenOffsets()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return o.Ends(topic)
}

// TableTopic returns the changelog topic of a goka group.
func TableTopic(group string) string { return string(goka.GroupTable(goka.Group(group))) }

// copyBrokers keeps Sarama from sharing a slice with us.
func (c *Cluster) copyBrokers() []string { return slices.Clone(c.Brokers) }
