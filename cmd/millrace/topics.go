package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/engine"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// deadRetention is how long dead letters are kept: time enough to notice and look.
const deadRetention = 30 * 24 * time.Hour

// openTopics makes the topics that are missing. It is also the first word with a cluster: one that can't be reached is
// an error within connectTime.
func (n *node) openTopics(ctx context.Context) error {
	if n.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if err := n.guard.CheckCluster(ctx); err != nil {
		return err
	}
	f := n.flags
	topic := func(name string, retention time.Duration) kafka.Topic {
		return kafka.Topic{Name: name, Partitions: f.Partitions, Retention: retention}
	}
	err := bounded(ctx, func() error {
		return n.cluster.EnsureTopics(ctx,
			topic(engine.EventsTopic, f.Retention),
			topic(engine.WindowsTopic, f.Retention),
			topic(deadletter.Topic, deadRetention),
			// Rule J9: the changelog outlives three lives of state (state.Options.Life), and after a pause as long as events
			// are kept there is nothing left to go on with anyway.
			topic(kafka.TableTopic(engine.Group), max(2*f.Retention+f.Lateness, 4*time.Duration(n.stateLife())*time.Millisecond)),
		)
	})
	if errors.Is(err, kafka.ErrPartitions) {
		return fmt.Errorf("set up topics: %w; if --partitions is wrong, correct it; if partitions were added, they can't be taken away again: %s", err, n.guard.StartAnew())
	}
	if err != nil {
		return fmt.Errorf("set up topics: %w", err)
	}
	return nil
}

// bounded is f, which Sarama does not let be cancelled, until ctx ends. What it does then it does in the background of a
// process that is about to end.
func bounded(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer from Kafka: %w", ctx.Err())
	}
}
