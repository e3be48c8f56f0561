package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"millrace/engine"
	"millrace/internal/broker"
	"millrace/internal/kafka"
)

// TestBounded: a function that ignores its context is not waited for.
func TestBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	release := make(chan struct{})
	defer close(release)
	if err := bounded(ctx, func() error { <-release; return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPartitionsOf: topics that are there keep the number that they have, and those of an installation
// are looked at, not those of another.
func TestPartitionsOf(t *testing.T) {
	b, err := broker.Open(broker.Options{Dir: t.TempDir(), TCP: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f := func(want int32, o KafkaOptions) {
		t.Helper()
		got, err := partitionsOf(t.Context(), o, givenCluster(o, 0, nil).Cluster)
		if err != nil || got != want {
			t.Errorf("%d partitions, %v; want %d", got, err, want)
		}
	}
	staging := kafka.Names{Prefix: "staging."}
	f(partitionsOfEmbedded, KafkaOptions{})
	f(7, KafkaOptions{Partitions: 7})
	f(partitionsOfCluster, KafkaOptions{Brokers: b.Addrs()})
	c := &kafka.Cluster{Brokers: b.Addrs(), Replication: 1}
	if err := c.EnsureTopics(t.Context(), kafka.Topic{Name: staging.Of(engine.EventsTopic), Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	f(3, KafkaOptions{Brokers: b.Addrs(), Names: staging})
	f(7, KafkaOptions{Brokers: b.Addrs(), Names: staging, Partitions: 7}) // which EnsureTopics refuses
	f(partitionsOfCluster, KafkaOptions{Brokers: b.Addrs()})
}
