package ingest

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/ingest/identity"
	"millrace/ingest/protocol/all"
	"millrace/internal/kafkatest"
)

// future gives records a time that is ahead, as the client of a machine does whose clock is.
type future time.Duration

func (f future) OnProduceRecordBuffered(r *kgo.Record) {
	r.Timestamp = time.Now().Add(time.Duration(f))
}

// TestTimesOnKafka is about what only real brokers do: they refuse times that are more than an hour
// ahead, and stamp records themselves where the topic says so.
func TestTimesOnKafka(t *testing.T) {
	brokers := kafkatest.Fresh(t)
	open := func(topic string, config map[string]string, change func(*Options)) (*Collector, *lockedLog) {
		t.Helper()
		mustTopic(t, brokers, topic, config)
		log := &lockedLog{}
		o := Options{
			Topic: topic, Partitions: testPartitions, CollectorID: "c1", Secret: testSecret, Salts: identity.NewDerived(testSecret), AckTimeout: time.Minute, Protocols: all.Protocols(),
			Log: slog.New(slog.NewTextHandler(log, nil)), Kafka: []kgo.Opt{kgo.SeedBrokers(brokers...)},
		}
		change(&o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, log
	}
	c, log := open("refused", nil, func(o *Options) { o.Kafka = append(o.Kafka, kgo.WithHooks(future(2*time.Hour))) })
	start := time.Now()
	res := call(c, outside, "POST", "/v1/events", oneEvent)
	if body := string(res.Body()); res.StatusCode() != 503 || !strings.Contains(body, "clock is ahead of kafka's") || time.Since(start) > 20*time.Second {
		t.Errorf("%d %s after %v", res.StatusCode(), body, time.Since(start))
	}
	if err := c.Health(); err == nil || !strings.Contains(err.Error(), "ahead of Kafka's") || log.count("the clock of this machine is ahead of Kafka's") != 1 {
		t.Errorf("health: %v; the log has\n%s", err, log.b.String())
	}

	c, log = open("stamped", map[string]string{"message.timestamp.type": "LogAppendTime"}, func(o *Options) { o.Now = ahead(90 * time.Second) })
	eventually(t, "it is found ahead of Kafka", func() bool {
		err := c.Health()
		return err != nil && strings.Contains(err.Error(), "ahead of Kafka's")
	})
	if log.count("is not that of the log") != 1 {
		t.Errorf("the log has\n%s", log.b.String())
	}
}

func mustTopic(t *testing.T, brokers []string, name string, config map[string]string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, testPartitions, 1
	for k, v := range config {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = k, &v
		topic.Configs = append(topic.Configs, c)
	}
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic is there", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n, err := countPartitions(ctx, client, name)
		return err == nil && n == testPartitions
	})
}
