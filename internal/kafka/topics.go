package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

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

const (
	// forever is the retention.ms of a topic that keeps its records.
	forever = -1
	// brokerRetention is the retention.ms of a topic that has none of its own, Kafka's
	// log.retention.hours of 168.
	brokerRetention = 168 * 60 * 60 * 1000
	// leastRecordBytes is the least max.message.bytes that records of the collector and all but the
	// largest windows fit into. Kafka's default is a little more.
	leastRecordBytes = 1 << 20
)

// retentionMS returns the topic's retention.ms.
func (t Topic) retentionMS() int64 {
	if t.Retention <= 0 {
		return forever
	}
	return t.Retention.Milliseconds()
}

// settings are those of a topic that is made with so many copies, without Newer.
func (t Topic) settings(copies int16) map[string]string {
	s := map[string]string{
		"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(t.retentionMS(), 10),
		// The brokers' log.retention.bytes would delete what Retention keeps.
		"retention.bytes": "-1", "max.message.bytes": strconv.Itoa(MaxRecordBytes),
	}
	if copies >= 3 {
		// With the brokers' default of 1 a leader alone acknowledges records, and takes them
		// along when it dies. With two copies nothing could be written while one broker is
		// away: there the operator chooses.
		s["min.insync.replicas"] = "2"
	}
	maps.Copy(s, t.Settings)
	return s
}

var (
	// ErrPartitions is returned for a topic that is there with another number of partitions.
	ErrPartitions = errors.New("wrong number of partitions")
	// ErrCompacted is returned for a topic that deletes records by their keys.
	ErrCompacted = errors.New("the topic is compacted")
)

// EnsureTopics creates the topics that are missing, and returns once all brokers know of them. One
// that is there must have the right number of partitions and must not be compacted, unless its
// Settings have it so: of the records of a partition, which have one key, only the last would be
// left. Its retention is raised if it is less than the one given, in time or by a bound in bytes,
// since the caller counts on that, and so is a max.message.bytes that records do not fit into; its
// other settings are left alone.
func (c *Cluster) EnsureTopics(ctx context.Context, topics ...Topic) error {
	admin, err := c.admin(ctx)
	if err != nil {
		return err
	}
	defer admin.Close()
	copies, err := c.replication(admin)
	if err != nil {
		return err
	}
	for i, t := range topics {
		if _, err := c.ensure(admin, t, copies, false); err != nil {
			return c.explainCreate(admin, err, topics[i:], copies)
		}
	}
	return c.settle(ctx, admin, topics)
}

// ensure does what EnsureTopics does with one topic, or only tries whether it may. It returns what
// there was to do, "" for nothing.
func (c *Cluster) ensure(admin sarama.ClusterAdmin, t Topic, copies int16, try bool) (would string, err error) {
	partitions, err := partitionsOf(admin, t.Name)
	switch {
	case err != nil:
		return "", err
	case partitions == 0:
		return "is not there, serve makes it", c.create(admin, t, copies, try)
	case partitions != t.Partitions:
		return "", fmt.Errorf("topic %s has %d partitions, configured are %d: %w; partitions can't be changed under live state",
			t.Name, partitions, t.Partitions, ErrPartitions)
	}
	return c.correct(admin, t, try)
}

// partitionsOf returns the number of partitions of a topic, 0 of one that is not there or that this
// user may not see. Sarama's ListTopics would read the settings of all topics of the cluster.
func partitionsOf(admin sarama.ClusterAdmin, topic string) (int32, error) {
	found, err := admin.DescribeTopics([]string{topic})
	if err != nil {
		return 0, fmt.Errorf("ask Kafka for topic %s: %w", topic, err)
	}
	for _, m := range found {
		if m.Name == topic && (m.Err == sarama.ErrNoError || m.Err == sarama.ErrLeaderNotAvailable) {
			return int32(len(m.Partitions)), nil
		}
	}
	return 0, nil
}

// errCreate is wrapped by the error of a topic that was not made.
var errCreate = errors.New("create topic")

// create makes a topic, or tries whether it may. One that is there, but hidden, is no error when it
// is to be made: settle finds it.
func (c *Cluster) create(admin sarama.ClusterAdmin, t Topic, copies int16, try bool) error {
	detail := &sarama.TopicDetail{NumPartitions: t.Partitions, ReplicationFactor: copies, ConfigEntries: map[string]*string{}}
	for name, value := range t.settings(copies) {
		detail.ConfigEntries[name] = &value
	}
	for name, value := range t.Newer {
		detail.ConfigEntries[name] = &value
	}
	err := admin.CreateTopic(t.Name, detail, try)
	if errors.Is(err, sarama.ErrInvalidConfig) && len(t.Newer) > 0 {
		for name := range t.Newer {
			delete(detail.ConfigEntries, name)
		}
		err = admin.CreateTopic(t.Name, detail, try)
	}
	switch {
	case errors.Is(err, sarama.ErrTopicAlreadyExists) && try:
		return hiddenError(t.Name, err)
	case err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists):
		return fmt.Errorf("%w %s: %w", errCreate, t.Name, err)
	}
	return nil
}

// hiddenError is that of a topic that is there and that this user may not see.
func hiddenError(topic string, err error) error {
	return fmt.Errorf("topic %s: it is there, and this user may not see it: give the user Describe on it, which Read and Write bring along: %w", topic, err)
}

// explainCreate adds to the error of a topic that may not be made how an administrator makes those
// that are missing.
func (c *Cluster) explainCreate(admin sarama.ClusterAdmin, err error, topics []Topic, copies int16) error {
	if !errors.Is(err, errCreate) || !isDenied(err) && !errors.Is(err, sarama.ErrPolicyViolation) {
		return err
	}
	var b strings.Builder
	for _, t := range topics {
		if n, err := partitionsOf(admin, t.Name); err != nil || n > 0 {
			continue
		}
		fmt.Fprintf(&b, "\n  kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d --replication-factor %d", c.first(), t.Name, t.Partitions, copies)
		s := t.settings(copies)
		for _, name := range slices.Sorted(maps.Keys(s)) {
			fmt.Fprintf(&b, " --config %s=%s", name, s[name])
		}
	}
	return fmt.Errorf("%w; give this user Create and AlterConfigs on these topics, or have them made:%s", err, b.String())
}

// isDenied reports an error that means that the user lacks a right.
func isDenied(err error) bool {
	for _, target := range []sarama.KError{sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed, sarama.ErrGroupAuthorizationFailed} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// first returns a broker for commands that are shown.
func (c *Cluster) first() string { return slices.Concat(c.Brokers, []string{"HOST:PORT"})[0] }

// correct changes what is too little of the settings of a topic that is there, or tries whether it
// may.
func (c *Cluster) correct(admin sarama.ClusterAdmin, t Topic, try bool) (would string, err error) {
	has, err := describe(admin, t.Name)
	if err != nil {
		return "", err
	}
	policy := has["cleanup.policy"]
	if t.Settings["cleanup.policy"] == "" && slices.Contains(strings.Split(policy, ","), "compact") {
		return "", fmt.Errorf("topic %s has cleanup.policy=%s, by which Kafka deletes all records of a partition but the last: %w; "+
			"set that before anything is written to it: %s", t.Name, policy, ErrCompacted, c.alterCommand(t.Name, "cleanup.policy=delete"))
	}
	change, err := t.tooLittle(has)
	if err != nil || len(change) == 0 {
		return "", err
	}
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	var now, want []string
	for _, name := range slices.Sorted(maps.Keys(change)) {
		value := change[name]
		entries[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
		now, want = append(now, name+"="+cmp.Or(has[name], "(default)")), append(want, name+"="+value)
	}
	if err := admin.IncrementalAlterConfig(sarama.TopicResource, t.Name, entries, try); err != nil {
		return "", fmt.Errorf("topic %s has %s, which is too little, and it can't be changed from here: %s: %w", t.Name, strings.Join(now, " and "),
			c.alterCommand(t.Name, strings.Join(want, ",")), err)
	}
	return fmt.Sprintf("has %s, serve sets %s", strings.Join(now, ", "), strings.Join(want, ", ")), nil
}

// tooLittle returns the settings that have to be changed, and to what.
func (t Topic) tooLittle(has map[string]string) (map[string]string, error) {
	number := func(name string, otherwise int64) (int64, error) {
		if has[name] == "" {
			return otherwise, nil
		}
		n, err := strconv.ParseInt(has[name], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("topic %s: %s %q is not a number", t.Name, name, has[name])
		}
		return n, nil
	}
	change := map[string]string{}
	kept, err := number("retention.ms", brokerRetention)
	if err != nil {
		return nil, err
	}
	if want := t.retentionMS(); kept != forever && (want == forever || kept < want) {
		change["retention.ms"] = strconv.FormatInt(want, 10)
	}
	bound, err := number("retention.bytes", forever)
	if err != nil {
		return nil, err
	}
	if bound != forever {
		change["retention.bytes"] = strconv.Itoa(forever)
	}
	size, err := number("max.message.bytes", MaxRecordBytes)
	if err != nil {
		return nil, err
	}
	if size < leastRecordBytes {
		change["max.message.bytes"] = strconv.Itoa(MaxRecordBytes)
	}
	return change, nil
}

func (c *Cluster) alterCommand(topic, settings string) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s", c.first(), topic, settings)
}

// describe returns the settings that are in force for a topic, its own and those of the brokers.
func describe(admin sarama.ClusterAdmin, topic string) (map[string]string, error) {
	resource := &sarama.ConfigResource{
		Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes"},
	}
	results, err := admin.DescribeConfigs([]*sarama.ConfigResource{resource}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil, fmt.Errorf("topic %s: read its settings: %w", topic, err)
	}
	has := map[string]string{}
	for _, r := range results {
		if r.ErrorCode != sarama.ErrNoError {
			err := &sarama.DescribeConfigError{Err: r.ErrorCode, ErrMsg: r.ErrorMsg}
			if isDenied(r.ErrorCode) {
				return nil, fmt.Errorf("topic %s: this user may not see its settings, and a wrong one loses events: give the user DescribeConfigs on it: %w", topic, err)
			}
			return nil, fmt.Errorf("topic %s: read its settings: %w", topic, err)
		}
		for _, e := range r.Configs {
			has[e.Name] = e.Value
		}
	}
	return has, nil
}
