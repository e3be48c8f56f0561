package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"millrace/cmd/internal/roles"
	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/ingest/salt"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// TestTopicsOnKafka looks at the topics that serve makes, and at what it says when they can't be as they should.
func TestTopicsOnKafka(t *testing.T) {
	at := kafkaPlace(t)
	brokers := strings.Split(at.kafka, ",")
	many := fmt.Sprint(len(brokers) + 1)
	_, err := startServer(t, append(at.args("serve"), "--replication", many))
	if err == nil || !strings.Contains(err.Error(), "create topic "+engine.EventsTopic) {
		t.Errorf("%s copies on %d brokers: %v", many, len(brokers), err)
	}

	s := mustServe(t, at, "--partitions", "3", "--retention", "2h", "--lateness", "30m")
	admin, err := sarama.NewClusterAdmin(brokers, (&kafka.Cluster{}).Config())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	topics, err := admin.ListTopics()
	if err != nil {
		t.Fatal(err)
	}
	for name, retention := range map[string]time.Duration{
		engine.EventsTopic:  2 * time.Hour,
		engine.WindowsTopic: 2 * time.Hour,
		// Four lives of state: a quarter, a visit of 12 h, its timeout, the lateness, and 7 min.
		kafka.TableTopic(engine.Group): 4 * (15*time.Minute + 12*time.Hour + 30*time.Minute + 30*time.Minute + 7*time.Minute),
		deadletter.Topic:               30 * 24 * time.Hour,
		commits.Topic:                  -time.Millisecond, // for ever
	} {
		topic, ok := topics[name]
		if !ok {
			t.Errorf("there is no topic %s", name)
			continue
		}
		if topic.NumPartitions != 3 || int(topic.ReplicationFactor) != min(3, len(brokers)) {
			t.Errorf("%s has %d partitions in %d copies", name, topic.NumPartitions, topic.ReplicationFactor)
		}
		want := map[string]string{
			"cleanup.policy":    "delete",
			"retention.ms":      fmt.Sprint(retention.Milliseconds()),
			"max.message.bytes": fmt.Sprint(kafka.MaxRecordBytes),
		}
		if len(brokers) >= 3 {
			want["min.insync.replicas"] = "2"
		}
		for key, value := range want {
			if got := topic.ConfigEntries[key]; got == nil || *got != value {
				t.Errorf("%s: %s is not %s: %v", name, key, value, topic.ConfigEntries)
			}
		}
		delete(topics, name)
	}
	salts, want := topics[salt.Topic], salt.Settings()
	if salts.NumPartitions != 1 || int(salts.ReplicationFactor) != min(3, len(brokers)) {
		t.Errorf("%s has %d partitions in %d copies", salt.Topic, salts.NumPartitions, salts.ReplicationFactor)
	}
	want["retention.ms"] = fmt.Sprint(salt.Retention.Milliseconds())
	for key, value := range want {
		if got := salts.ConfigEntries[key]; got == nil || *got != value {
			t.Errorf("%s: %s is not %s: %v", salt.Topic, key, value, salts.ConfigEntries)
		}
	}
	delete(topics, salt.Topic)
	for name := range topics {
		if !strings.HasPrefix(name, "__") {
			t.Errorf("there is a topic %s", name)
		}
	}
	s.mustStop(t)
	_, err = startServer(t, append(at.args("serve"), "--partitions", "4"))
	if err == nil || !strings.Contains(err.Error(), "has 3 partitions, configured are 4") {
		t.Errorf("another number of partitions: %v", err)
	}
}

// TestRolesOnKafka runs each role in processes of its own. Of two that process one is killed: the other takes over.
func TestRolesOnKafka(t *testing.T) {
	at := kafkaPlace(t)
	role := func(roles string, args ...string) *serving {
		own := at
		own.data = t.TempDir()
		return mustServe(t, own, append(args, "--roles", roles)...)
	}
	first, second := role(roles.Process), role(roles.Process)
	numbers := role(roles.Emit + "," + roles.Query) // one process: the local store is for one only
	archive := role(roles.Archive, "--archive-every", "1s", "--s3", "file://"+t.TempDir())
	collector := role(roles.Collect)

	sent := 0
	post := func() {
		t.Helper()
		body := fmt.Sprintf(`{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/","ts":%d}`,
			time.Now().UnixMilli())
		resp, err := http.Post(collector.url+"/v1/events", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("status %d", resp.StatusCode)
		}
		sent++
	}
	counted := func() error {
		a, err := numbers.ask(map[string]any{
			"site_id": "shop.example.com", "metrics": []string{"pageviews"},
			"date_range": []string{time.Now().UTC().Add(-time.Hour).Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)},
		})
		if err == nil && (len(a.Results) != 1 || int(a.Results[0].Metrics[0]) != sent) {
			err = fmt.Errorf("%+v, sent are %d", a.Results, sent)
		}
		return err
	}
	for range 50 {
		post()
	}
	waitFor(t, 20*time.Second, counted)
	first.kill()
	for range 50 {
		post()
	}
	began := time.Now()
	waitFor(t, 40*time.Second, counted)
	t.Logf("the second engine has taken over, all is counted %v after the kill", time.Since(began).Round(10*time.Millisecond))
	for _, s := range []*serving{collector, archive, numbers, second} {
		s.mustStop(t)
	}
}
