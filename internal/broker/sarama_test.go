package broker

import (
	"context"
	"testing"

	"github.com/IBM/sarama"
	"golang.org/x/net/proxy"
)

var (
	_ proxy.Dialer        = Dialer{}
	_ proxy.ContextDialer = Dialer{}
)

func saramaConfig(b *Broker) *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Net.Proxy.Enable = true
	cfg.Net.Proxy.Dialer = b.Dialer()
	cfg.Net.MaxOpenRequests = 1
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Producer.Idempotent = true
	cfg.Producer.Return.Successes = true
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	return cfg
}

// takeN is a group handler that ends its session after n records.
type takeN struct {
	n      int
	cancel context.CancelFunc
	got    []string
}

func (*takeN) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*takeN) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *takeN) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		h.got = append(h.got, string(m.Value))
		s.MarkMessage(m, "")
		if len(h.got) == h.n {
			h.cancel()
			return nil
		}
	}
	return nil
}

// Sarama, and so goka, produces and consumes in a group without a port; the group goes on after a
// restart.
func TestSarama(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	consumed := 0
	for round := range 2 {
		b := mustOpen(t, o)
		if round == 0 {
			mustCreate(t, mustClient(t, b), testTopic, 1, nil)
		}
		producer, err := sarama.NewSyncProducer(b.Addrs(), saramaConfig(b))
		if err != nil {
			t.Fatal(err)
		}
		const n = 50
		for i := range n {
			m := &sarama.ProducerMessage{Topic: testTopic, Value: sarama.StringEncoder(value(round*n + i))}
			if _, _, err := producer.SendMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := producer.Close(); err != nil {
			t.Fatal(err)
		}
		group, err := sarama.NewConsumerGroup(b.Addrs(), "group", saramaConfig(b))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(testContext(t))
		h := &takeN{n: n, cancel: cancel}
		if err := group.Consume(ctx, []string{testTopic}, h); err != nil {
			t.Fatal(err)
		}
		for i, v := range h.got {
			if v != value(consumed+i) {
				t.Fatalf("round %d: record %d is %q", round, i, v)
			}
		}
		if consumed += len(h.got); consumed != (round+1)*n {
			t.Fatalf("round %d: %d records", round, consumed)
		}
		if err := group.Close(); err != nil {
			t.Fatal(err)
		}
		mustClose(t, b)
	}
}
