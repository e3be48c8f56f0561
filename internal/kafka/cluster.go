package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	// Security is how connections are encrypted and as whom clients log in; nil is plain text
	// without a login.
	Security *Security
	// Rack is where this process is, by the names that brokers have in broker.rack: records are
	// read from the nearest copy where the brokers allow it. "" is from the leader.
	Rack string
	// Throttles learns how long brokers hold clients back. May be nil.
	Throttles *Throttles
	// Names are what topics and groups are called there.
	Names Names
	// Replication is the number of copies of a topic that EnsureTopics makes; 0 means as many as
	// there are brokers, at most 3.
	Replication int16
	// SessionTimeout is how long a member of a group may be silent before others get its
	// partitions; 0 is 20 s. A broker takes 6 s to 30 min unless configured otherwise.
	SessionTimeout time.Duration
	// TableLinger is how long a record of a changelog waits for more, so that fewer batches are
	// written: nothing but the commit waits for it. 0 is as for all others, 2 ms.
	TableLinger time.Duration
}

// Validate returns what is wrong with how the brokers are reached, in the words of the flags:
// errors.Join of one error for each finding, or nil.
func (c *Cluster) Validate() error {
	s := c.Security
	if s == nil {
		s = &Security{}
	}
	if err := c.Names.Validate(); err != nil {
		return errors.Join(err, s.Validate())
	}
	if len(c.Brokers) == 0 && c.Names.Prefix != "" {
		return errors.Join(errors.New("--topic-prefix needs --kafka: the embedded broker has no other topics"))
	}
	if len(c.Brokers) == 0 && (s.UsesTLS() || s.SASL != "" || c.Rack != "") {
		return errors.Join(errors.New("--kafka-tls, --kafka-sasl and --kafka-rack need --kafka: there is no other broker to connect to"))
	}
	return s.Validate()
}

// defaultSession is the SessionTimeout of a Cluster that has none.
const defaultSession = 20 * time.Second

// Config returns Sarama settings under which nothing acknowledged is lost and nothing is reordered.
func (c *Cluster) Config() *sarama.Config {
	cfg := goka.DefaultConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Net.MaxOpenRequests = 1 // what Sarama requires of an idempotent producer
	cfg.Net.DialTimeout = dialTimeout
	c.secure(cfg)
	cfg.RackID = c.Rack
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
			return nil, fmt.Errorf("connect to Kafka at %s: %w", strings.Join(c.Brokers, ","), c.Explain(ctx, r.err))
		}
		return r.admin, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.admin.Close()
			}
		}()
		return nil, fmt.Errorf("connect to Kafka at %s: %w", strings.Join(c.Brokers, ","), c.Explain(ctx, ctx.Err()))
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
	return partitionsOf(admin, topic)
}

// Ends returns the offset behind the last record of each partition of a topic.
func (c *Cluster) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	return c.offsets(ctx, topic, (*Offsets).Ends)
}

// Begins returns the offset of the first record that each partition of a topic still has.
func (c *Cluster) Begins(ctx context.Context, topic string) (map[int32]int64, error) {
	return c.offsets(ctx, topic, (*Offsets).Begins)
}

func (c *Cluster) offsets(ctx context.Context, topic string, of func(*Offsets, string) (map[int32]int64, error)) (_ map[int32]int64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o, err := c.OpenOffsets()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return of(o, topic)
}

// TableTopic returns the changelog topic of a goka group.
func TableTopic(group string) string { return string(goka.GroupTable(goka.Group(group))) }

// copyBrokers keeps Sarama from sharing a slice with us.
func (c *Cluster) copyBrokers() []string { return slices.Clone(c.Brokers) }
