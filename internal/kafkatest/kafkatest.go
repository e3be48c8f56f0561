package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"millrace/internal/lockfile"
	"millrace/internal/services"
)

// Fresh returns the addresses of the brokers of an empty cluster, which is the test's own until it
// ends. A test calls it once, and first of all, so that everything that uses the cluster ends
// before.
func Fresh(tb testing.TB) []string {
	tb.Helper()
	text := os.Getenv(services.KafkaVariable)
	if text == "" {
		tb.Skip(services.KafkaVariable + " not set: run deploy/dev-kafka.sh up")
	}
	lock, err := lockfile.Wait(context.Background(), filepath.Join(os.TempDir(), "millrace-kafkatest.lock"))
	if err != nil {
		tb.Fatalf("lock the Kafka cluster for one test: %v", err)
	}
	tb.Cleanup(func() { lock.Close() })
	addrs := strings.Split(text, ",")
	if err := Empty(addrs); err != nil {
		tb.Fatalf("empty Kafka at %s: %v", text, err)
	}
	return addrs
}

// patience is how long a group may take to notice that its last members are gone.
const patience = time.Minute

// Empty deletes all topics and consumer groups but Kafka's own. It waits until the topics are gone
// and until groups whose members were killed are given up.
func Empty(addrs []string) error {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	admin, err := sarama.NewClusterAdmin(addrs, cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		left, err := deleteAll(admin)
		for i := 0; err == nil && left == "" && i < len(addrs); i++ {
			left, err = topicOn(addrs[i], cfg)
		}
		if err != nil || left == "" {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %v there is still %s", patience, left)
		}
	}
}

// deleteAll deletes what can be deleted, and returns something that was there.
func deleteAll(admin sarama.ClusterAdmin) (left string, err error) {
	groups, err := admin.ListConsumerGroups()
	if err != nil {
		return "", fmt.Errorf("list groups: %w", err)
	}
	for g := range groups {
		left = "group " + g
		err := admin.DeleteConsumerGroup(g)
		if err != nil && !errors.Is(err, sarama.ErrNonEmptyGroup) && !errors.Is(err, sarama.ErrGroupIDNotFound) {
			return "", fmt.Errorf("delete group %s: %w", g, err)
		}
	}
	topics, err := admin.ListTopics()
	if err != nil {
		return "", fmt.Errorf("list topics: %w", err)
	}
	for t := range topics {
		if strings.HasPrefix(t, "__") {
			continue
		}
		left = "topic " + t
		if err := admin.DeleteTopic(t); err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return "", fmt.Errorf("delete topic %s: %w", t, err)
		}
	}
	return left, nil
}

// topicOn returns a topic that a broker still knows of: each hears of a deletion in its own time.
func topicOn(addr string, cfg *sarama.Config) (left string, err error) {
	b := sarama.NewBroker(addr)
	if err := b.Open(cfg); err != nil {
		return "", err
	}
	defer b.Close()
	answer, err := b.GetMetadata(sarama.NewMetadataRequest(cfg.Version, nil))
	if err != nil {
		return "", fmt.Errorf("ask %s for its topics: %w", addr, err)
	}
	for _, t := range answer.Topics {
		if !strings.HasPrefix(t.Name, "__") {
			return fmt.Sprintf("topic %s on %s", t.Name, addr), nil
		}
	}
	return "", nil
}
