package kafka

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestReading: a partition whose records don't come is found, with what Kafka answers; one that has
// been read to its end, or whose processor is busy, is not.
func TestReading(t *testing.T) {
	t.Parallel()
	fake, c := mustFake(t)
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 2}, Topic{Name: "out", Partitions: 1})
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var r Reading
	check := func() error { return r.Check(t.Context(), client) }
	reading := goka.WithConsumerGroupBuilder(func(_ []string, name, clientID string) (sarama.ConsumerGroup, error) {
		return c.newGroup(name, clientID, GroupOptions{Log: quiet, Reading: &r})
	})

	mustProduce(t, c, testTopic, 5)
	p := start(t, c, nil, reading)
	eventually(t, "the records", func() bool { return p.count() == 5 })
	for range 3 {
		if err := check(); err != nil {
			t.Fatalf("all has been read: %v", err)
		}
	}
	fault := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: testTopic, Err: kerr.UnknownServerError, Count: -1})
	// A fetch that was sent before may bring the first records still.
	mustProduce(t, c, testTopic, 5)
	eventually(t, "an answer that is an error", func() bool {
		return fault.Hits() > 0 && r.why(topicPartition{testTopic, 0}) != nil
	})
	mustProduce(t, c, testTopic, 5)
	eventually(t, "the finding", func() bool {
		first := check()
		return first != nil && check() != nil
	})
	err = check()
	for _, want := range []string{testTopic + "/0: its records can't be read: none has come since offset ", "and it ends at 15: ", "server error"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	fault.Remove()
	eventually(t, "the rest", func() bool { return p.count() == 15 })
	if err := check(); err != nil {
		t.Errorf("all has been read again: %v", err)
	}
	p.stop()
	mustProduce(t, c, testTopic, 5)
	for range 3 {
		if err := check(); err != nil {
			t.Errorf("no partition is read: %v", err)
		}
	}

	f := func(next int64, busy bool, want string) {
		t.Helper()
		var r Reading
		at := r.enter(topicPartition{testTopic, 0}, next)
		at.busy.Store(busy)
		if err := r.Check(t.Context(), client); err != nil {
			t.Errorf("the first look: %v", err)
		}
		err := r.Check(t.Context(), client)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
		at.next.Store(19)
		if err := r.Check(t.Context(), client); err != nil {
			t.Errorf("it goes on: %v", err)
		}
	}
	f(7, false, "since offset 7, and it ends at 20")
	f(sarama.OffsetOldest, false, "since offset 0, and it ends at 20")
	f(7, true, "")
	f(20, false, "")
}
