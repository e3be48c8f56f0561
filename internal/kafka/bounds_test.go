package kafka

import (
	"errors"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestBounds: partitions of several brokers, some of them empty; one that fails is named.
func TestBounds(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(3, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, p := range []int32{1, 1, 1, 2} {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "log", Partition: p}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var below kadm.Offsets
	below.AddOffset("log", 1, 2, -1)
	if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), below); err != nil {
		t.Fatal(err)
	}
	starts, ends, err := Bounds(t.Context(), client, "log")
	if err != nil || !maps.Equal(starts, map[int32]int64{0: 0, 1: 2, 2: 0}) || !maps.Equal(ends, map[int32]int64{0: 0, 1: 3, 2: 1}) {
		t.Errorf("from %v to %v, %v", starts, ends, err)
	}
	f := func(topic, want string, is error) {
		t.Helper()
		if _, _, err := Bounds(t.Context(), client, topic); !errors.Is(err, is) || err.Error() != want+": "+is.Error() {
			t.Errorf("%s: %v, want %s", topic, err, want)
		}
	}
	f("none", "bounds of none", kerr.UnknownTopicOrPartition)
	cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "log", Partitions: []int32{2}, Err: kerr.InvalidRequest, Count: -1,
	})
	f("log", "bounds of log/2", kerr.InvalidRequest)
}

// TestCommitted: what a group has committed, and which partitions it has not.
func TestCommitted(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var at kadm.Offsets
	at.AddOffset("log", 1, 7, -1)
	if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), "g", at); err != nil {
		t.Fatal(err)
	}
	got, err := Committed(t.Context(), client, "g", "log")
	if err != nil || !maps.Equal(got, map[int32]int64{0: -1, 1: 7, 2: -1}) {
		t.Errorf("%v, %v", got, err)
	}
}
