package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestEnsureTopics(t *testing.T) { testEnsureTopics(t, mustBroker(t)) }

func testEnsureTopics(t *testing.T, c *Cluster) {
	day := Topic{Name: "a", Partitions: 3, Retention: 24 * time.Hour}
	mustEnsure(t, c, day, Topic{Name: "b", Partitions: 1})
	mustEnsure(t, c, day)                                                   // there already
	mustEnsure(t, c, Topic{Name: "a", Partitions: 3, Retention: time.Hour}) // and keeps more than is asked for
	for topic, want := range map[string]int32{"a": 3, "b": 1, "c": 0} {
		if got, err := c.Partitions(t.Context(), topic); err != nil || got != want {
			t.Errorf("%s has %d partitions, %v; want %d", topic, got, err, want)
		}
	}
	admin, err := sarama.NewClusterAdmin(c.Brokers, c.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	settings := func(topic string) map[string]string {
		described, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic}}, sarama.DescribeConfigsOptions{})
		if err != nil || len(described) != 1 {
			t.Fatalf("describe %s: %v, %v", topic, described, err)
		}
		got := map[string]string{}
		for _, e := range described[0].Configs {
			got[e.Name] = e.Value
		}
		return got
	}
	// A broker of Kafka answers a change when the controller has it, and may describe what was before for a moment.
	raised := func(topic, name, want string) (got map[string]string) {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if got = settings(topic); got[name] == want || time.Now().After(end) {
				return got
			}
		}
	}
	for topic, retention := range map[string]string{"a": "86400000", "b": "-1"} {
		if got := settings(topic); got["retention.ms"] != retention || got["cleanup.policy"] != "delete" || got["max.message.bytes"] != "15728640" {
			t.Errorf("%s: %v", topic, got)
		}
	}
	// Retention is raised, whoever has made the topic, and nothing else is touched.
	made := map[string]string{"kept": "172800000", "short": "3600000"}
	for topic, ms := range made {
		size := "1048588"
		err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1,
			ConfigEntries: map[string]*string{"retention.ms": &ms, "max.message.bytes": &size}}, false)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := admin.CreateTopic("default", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	const oneDay = 24 * time.Hour
	for _, test := range []struct {
		topic Topic
		want  string
	}{
		{Topic{Name: "kept", Partitions: 1, Retention: oneDay}, "172800000"},
		{Topic{Name: "short", Partitions: 1, Retention: oneDay}, "86400000"},
		{Topic{Name: "short", Partitions: 1}, "-1"},
		{Topic{Name: "short", Partitions: 1, Retention: oneDay}, "-1"},
		{Topic{Name: "default", Partitions: 1, Retention: 8 * oneDay}, "691200000"},
	} {
		mustEnsure(t, c, test.topic)
		got := raised(test.topic.Name, "retention.ms", test.want)
		if got["retention.ms"] != test.want {
			t.Errorf("%+v: retention.ms is %s, want %s", test.topic, got["retention.ms"], test.want)
		}
		if made[test.topic.Name] != "" && got["max.message.bytes"] != "1048588" {
			t.Errorf("%+v: max.message.bytes is %s", test.topic, got["max.message.bytes"])
		}
	}
	// What makes room for records is raised too: a bound in bytes would delete what is to be kept, and a small record would
	// be all that is taken.
	bound, small := "300000", "10000"
	err = admin.CreateTopic("bounded", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: map[string]*string{"retention.bytes": &bound, "max.message.bytes": &small}}, false)
	if err != nil {
		t.Fatal(err)
	}
	mustEnsure(t, c, Topic{Name: "bounded", Partitions: 1, Retention: oneDay})
	if got := raised("bounded", "max.message.bytes", "15728640"); got["retention.bytes"] != "-1" || got["max.message.bytes"] != "15728640" || got["retention.ms"] != "604800000" && got["retention.ms"] != "" {
		t.Errorf("bounded: %v", got)
	}
	// Compaction is refused, but where it is asked for.
	for _, policy := range []string{"compact", "compact,delete", "delete,compact"} {
		name := "by-" + strings.ReplaceAll(policy, ",", "-")
		err = admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"cleanup.policy": &policy}}, false)
		if err != nil {
			t.Fatal(err)
		}
		err = c.EnsureTopics(t.Context(), Topic{Name: name, Partitions: 1, Retention: oneDay})
		if !errors.Is(err, ErrCompacted) || !strings.Contains(err.Error(), "topic "+name+" has cleanup.policy="+policy) ||
			!strings.Contains(err.Error(), "--entity-name "+name+" --add-config cleanup.policy=delete") {
			t.Errorf("%s: %v", policy, err)
		}
		mustEnsure(t, c, Topic{Name: name, Partitions: 1, Retention: oneDay, Settings: map[string]string{"cleanup.policy": policy}})
	}
	err = c.EnsureTopics(t.Context(), Topic{Name: "d", Partitions: 1}, Topic{Name: "a", Partitions: 4})
	if !errors.Is(err, ErrPartitions) || !strings.Contains(err.Error(), "topic a has 3 partitions, configured are 4") {
		t.Errorf("another number of partitions: %v", err)
	}
}

// A broker that takes connections and says nothing, and one that is not there: a clear error, in
// time.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dumb := ln.Addr().String()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for _, addr := range []string{dumb, gone.Addr().String()} {
		c := &Cluster{Brokers: []string{addr}, Security: &Security{}}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		err := c.EnsureTopics(ctx, Topic{Name: "a", Partitions: 1})
		cancel()
		if err == nil || !strings.Contains(err.Error(), "connect to Kafka at "+addr) {
			t.Errorf("%v does not name %s", err, addr)
		}
		if silent := strings.Contains(fmt.Sprint(err), "takes connections and does not answer"); silent != (addr == dumb) {
			t.Errorf("%s: %v", addr, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	ln.Close()
	// What was given up on still ends in the background, within Sarama's own time-outs.
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n := runtime.Stack(stacks, true)
		if !strings.Contains(string(stacks[:n]), "(*Cluster).admin") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a connection that was given up on never ends")
		}
	}
}

func TestEnds(t *testing.T) {
	c := mustBroker(t)
	mustEnsure(t, c, Topic{Name: "a", Partitions: 2})
	mustProduce(t, c, "a", 5)
	ends, err := c.Ends(t.Context(), "a")
	if err != nil || len(ends) != 2 || ends[0] != 5 || ends[1] != 0 {
		t.Errorf("ends %v, %v", ends, err)
	}
	client, err := kgo.NewClient(c.ClientOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	before := kadm.Offsets{}
	before.Add(kadm.Offset{Topic: "a", Partition: 0, At: 3})
	if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if begins, err := c.Begins(t.Context(), "a"); err != nil || len(begins) != 2 || begins[0] != 3 || begins[1] != 0 {
		t.Errorf("begins %v, %v", begins, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Ends(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A broker that has not heard of a new topic is asked again until it has.
func TestEnsureTopicsWaits(t *testing.T) {
	f, c := mustFake(t)
	var asked atomic.Int32
	f.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		req := r.(*kmsg.MetadataRequest)
		if len(req.Topics) != 1 || asked.Add(1) > 3 {
			return nil, nil, false
		}
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = req.Topics[0].Topic, kerr.UnknownTopicOrPartition.Code
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	mustEnsure(t, c, Topic{Name: "a", Partitions: 1})
	if n := asked.Load(); n != 4 {
		t.Errorf("the broker was asked %d times", n)
	}
}

// TestSettings: a topic has its own settings, and on a broker that is too old for some it has the others.
func TestSettings(t *testing.T) {
	f, c := mustFake(t)
	refused := 0
	f.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		topic := r.(*kmsg.CreateTopicsRequest).Topics[0]
		if !slices.ContainsFunc(topic.Configs, func(e kmsg.CreateTopicsRequestTopicConfig) bool { return e.Name == "newer" }) {
			return nil, nil, false
		}
		refused++
		answer := kmsg.NewCreateTopicsResponseTopic()
		answer.Topic, answer.ErrorCode = topic.Topic, kerr.InvalidConfig.Code
		resp := r.ResponseKind().(*kmsg.CreateTopicsResponse)
		resp.Topics = append(resp.Topics, answer)
		return resp, nil, true
	})
	mustEnsure(t, c, Topic{Name: "a", Partitions: 1, Settings: map[string]string{"cleanup.policy": "compact,delete"}, Newer: map[string]string{"newer": "1"}})
	if got := f.TopicInfo("a").Configs["cleanup.policy"]; refused != 1 || got == nil || *got != "compact,delete" {
		t.Errorf("%d refused, cleanup.policy %v", refused, got)
	}
}

// Who may not alter a topic is told what to set.
func TestRetentionRefused(t *testing.T) {
	f, c := mustFake(t)
	mustEnsure(t, c, Topic{Name: "a", Partitions: 1, Retention: time.Hour})
	f.ControlKey(int16(kmsg.IncrementalAlterConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		resource := kmsg.NewIncrementalAlterConfigsResponseResource()
		resource.ResourceType, resource.ResourceName, resource.ErrorCode = kmsg.ConfigResourceTypeTopic, "a", kerr.TopicAuthorizationFailed.Code
		resp := r.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
		resp.Resources = append(resp.Resources, resource)
		return resp, nil, true
	})
	err := c.EnsureTopics(t.Context(), Topic{Name: "a", Partitions: 1, Retention: 2 * time.Hour})
	if !errors.Is(err, sarama.ErrTopicAuthorizationFailed) || !strings.Contains(err.Error(), "topic a has retention.ms=3600000") ||
		!strings.Contains(err.Error(), "--entity-name a --add-config retention.ms=7200000") {
		t.Errorf("refused: %v", err)
	}
	mustEnsure(t, c, Topic{Name: "a", Partitions: 1, Retention: time.Hour}) // needs no altering
}

// A new cluster has no coordinator of groups until it has made its topic of offsets: that is waited for.
func TestTryGroupWaits(t *testing.T) {
	t.Parallel()
	f, c := mustFake(t)
	var asked atomic.Int32
	f.ControlKey(int16(kmsg.FindCoordinator), func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		if asked.Add(1) > 4 { // more often than the client asks by itself
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.FindCoordinatorResponse)
		for _, key := range r.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
			one := kmsg.NewFindCoordinatorResponseCoordinator()
			one.Key, one.ErrorCode = key, kerr.CoordinatorNotAvailable.Code
			resp.Coordinators = append(resp.Coordinators, one)
		}
		return resp, nil, true
	})
	if err := c.TryGroup(t.Context(), testGroup, false); err != nil || asked.Load() < 5 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}
