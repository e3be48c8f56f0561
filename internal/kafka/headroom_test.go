package kafka

import (
	"context"
	"math"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestHeadroom: the time until the oldest unread record is deleted, by partition, on the embedded
// broker: what is unread and young, old, past its time, read to the end, and never committed.
func TestHeadroom(t *testing.T) {
	c := mustBroker(t)
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 5, Retention: 64 * time.Hour}, Topic{Name: "kept", Partitions: 1})
	dial := func(_ context.Context, network, addr string) (net.Conn, error) { return c.Dialer.Dial(network, addr) }
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.Dialer(dial), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	now := time.Now()
	put := func(partition int32, ages ...time.Duration) {
		for _, age := range ages {
			r := &kgo.Record{Topic: testTopic, Partition: partition, Timestamp: now.Add(-age), Value: []byte("x")}
			if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(0, 50*time.Hour, 10*time.Hour+30*time.Minute, time.Minute) // one is read: the next is 10.5 h old
	put(1, 50*time.Hour, time.Minute)                              // both are read
	put(2, 40*time.Hour+30*time.Minute)                            // never committed
	put(3, 70*time.Hour)                                           // past its time
	commits := kadm.Offsets{}
	for partition, at := range map[int32]int64{0: 1, 1: 2, 3: 0} {
		commits.AddOffset(testTopic, partition, at, -1)
	}
	admin := kadm.NewClient(client)
	if err := admin.CommitAllOffsets(t.Context(), testGroup, commits); err != nil {
		t.Fatal(err)
	}
	got, err := Headroom(t.Context(), client, testGroup, testTopic, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	for partition, want := range []time.Duration{53 * time.Hour, 64 * time.Hour, 23 * time.Hour, 0, 64 * time.Hour} {
		if left, ok := got[int32(partition)]; !ok || left != want {
			t.Errorf("partition %d: %v, want %v", partition, left, want)
		}
	}
	never, err := Headroom(t.Context(), client, "never", testTopic, time.Hour, now)
	if err != nil || never[0] != 14*time.Hour || never[4] != 64*time.Hour {
		t.Errorf("a group that is not there: %v, %v", never, err)
	}
	kept, err := Headroom(t.Context(), client, testGroup, "kept", time.Hour, now)
	if err != nil || kept[0] != math.MaxInt64 {
		t.Errorf("a topic that is kept for ever: %v, %v", kept, err)
	}
	if _, err := Headroom(t.Context(), client, testGroup, "nowhere", time.Hour, now); err == nil {
		t.Error("a topic that is not there: no error")
	}
}
