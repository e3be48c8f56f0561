package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/brokersocket"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/lineage"
	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/ingest/salt"
	"millrace/internal/broker"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// connectTime bounds how long a start waits for Kafka.
const connectTime = 8 * time.Second

// makeTime bounds how long a start waits for topics of so many partitions, which brokers make one by
// one: half a second for each on brokers that are busy, of all topics together.
func makeTime(partitions int32) time.Duration {
	return connectTime + min(time.Duration(partitions)*time.Second/2, 2*time.Minute)
}

// cluster is how this process reaches Kafka. Nil is a process without.
type cluster struct {
	*kafka.Cluster
	clients  []kgo.Opt
	collects []kgo.Opt    // of the collector's client
	remember func() error // is called after topics were made; nil for a cluster that is given
	// check looks at the log's files; nil for a cluster that is given.
	check func(context.Context) error
}

// clientOptions are how franz-go clients reach the cluster, none without one.
func (c *cluster) clientOptions() []kgo.Opt {
	if c == nil {
		return nil
	}
	return c.clients
}

// givenCluster is that of --kafka. Log may be nil.
func givenCluster(o KafkaOptions, sessionTimeout time.Duration, log *slog.Logger) *cluster {
	c := &kafka.Cluster{
		Brokers: o.Brokers, Security: o.Security, Rack: o.Rack, Names: o.Names, Replication: o.Replication, SessionTimeout: sessionTimeout,
		Throttles: &kafka.Throttles{Log: log},
	}
	return &cluster{Cluster: c, clients: c.ClientOptions(), collects: c.ClientOptionsTo(kafka.ToCollect)}
}

// embedded are the settings of the embedded broker.
type embedded struct {
	dir        *datadir.Dir
	syncWrites bool
	bucket     bool // the archive is elsewhere, and so survives damage of the data folder
	log        *slog.Logger
}

// embeddedLinger is how long a record of the changelog waits for others. The broker keeps some 70
// bytes in memory for each batch of its log, and the changelog is the longest of its topics: so it has
// two batches a second and partition, however many requests there are. A clean stop takes as much
// longer, and so much more is counted again after another one.
const embeddedLinger = 500 * time.Millisecond

// embeddedCluster opens the broker in the data folder, and the socket by which commands reach it.
func embeddedCluster(e embedded, closers *closers) (*cluster, error) {
	b, err := broker.Open(broker.Options{Dir: e.dir.Broker(), SyncWrites: e.syncWrites, Logger: e.log})
	var damage *broker.DamageError
	if errors.As(err, &damage) {
		hints := lineage.New(lineage.Options{Embedded: true, Dir: e.dir, Bucket: e.bucket})
		return nil, fmt.Errorf("start embedded broker: %w; %s", err, hints.DamagedLog(damage.Topic, damage.Path))
	}
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	closers.add("broker", b.Close)
	dial := func(ctx context.Context) (net.Conn, error) { return b.DialContext(ctx, "", b.Addrs()[0]) }
	socket, err := brokersocket.Listen(e.dir.Path(), dial)
	if err != nil {
		return nil, err
	}
	if socket != nil {
		closers.add("broker's socket", socket.Close)
	}
	clients := []kgo.Opt{kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext)}
	return &cluster{
		Cluster:  &kafka.Cluster{Brokers: b.Addrs(), Dialer: b.Dialer(), Replication: 1, TableLinger: embeddedLinger},
		clients:  clients,
		collects: clients,
		remember: b.Remember,
		check: func(ctx context.Context) error {
			err := b.Check(ctx)
			if errors.Is(err, broker.ErrDamaged) {
				return fmt.Errorf("%w; what is taken in now may be lost: stop the process, which archives what it can; the next start says what can be done", err)
			}
			return err
		},
	}, nil
}

// The number of partitions where none is given and no topic has one. It can't be changed later, and is
// the most processors that can ever count; a partition that has little to do costs some memory and
// a tick a second. The embedded broker has one process.
const (
	partitionsOfCluster  = 64
	partitionsOfEmbedded = 4
)

// partitionsOf returns how many partitions topics have, or are to have: those that are given, or those
// of the topic of events, since what was made by another default goes on as it is. It makes a request
// in any case, and so finds brokers that can't be reached.
func partitionsOf(ctx context.Context, o KafkaOptions, c *kafka.Cluster) (int32, error) {
	if len(o.Brokers) == 0 {
		return cmp.Or(o.Partitions, partitionsOfEmbedded), nil
	}
	var found int32
	err := bounded(ctx, func() (err error) { found, err = c.Partitions(ctx, o.Names.Of(engine.EventsTopic)); return err })
	if err != nil {
		return 0, fmt.Errorf("set up topics: %w", err)
	}
	return cmp.Or(o.Partitions, found, partitionsOfCluster), nil
}

// deadRetention is how long dead letters are kept: time enough to notice and look.
const deadRetention = 30 * 24 * time.Hour

// topics returns the topics of a server, and how long each is kept. Life is how long a record can
// matter to the state.
func topics(o KafkaOptions, lateness time.Duration, life event.Time) []kafka.Topic {
	topic := func(name string, retention time.Duration) kafka.Topic {
		return kafka.Topic{Name: o.Names.Of(name), Partitions: o.Partitions, Retention: retention}
	}
	all := []kafka.Topic{
		topic(engine.EventsTopic, o.Retention),
		topic(engine.WindowsTopic, o.Retention),
		topic(deadletter.Topic, deadRetention),
		topic(commits.Topic, 0), // the chain is as long as the archive's hits; who writes it deletes what is folded
		// Rule J9: the changelog outlives three lives of state (state.Options.Life), and after a
		// pause as long as events are kept there is nothing left to go on with anyway.
		topic(kafka.TableTopic(engine.Group), max(2*o.Retention+lateness, 4*time.Duration(life)*time.Millisecond)),
	}
	if len(o.Brokers) > 0 { // else one collector, which has a file
		all = append(all, kafka.Topic{Name: o.Names.Of(salt.Topic), Partitions: 1, Retention: salt.Retention,
			Settings: salt.Settings(), Newer: salt.NewerSettings()})
	}
	return all
}

// ensure makes the topics that are missing. StartAnew is how an operator begins with an empty log.
func (c *cluster) ensure(ctx context.Context, topics []kafka.Topic, startAnew func() string) error {
	err := bounded(ctx, func() error { return c.EnsureTopics(ctx, topics...) })
	if errors.Is(err, kafka.ErrPartitions) {
		return fmt.Errorf("set up topics: %w; if --partitions is wrong, correct it; "+
			"if partitions were added, they can't be taken away again: %s", err, startAnew())
	}
	if err != nil {
		return fmt.Errorf("set up topics: %w", err)
	}
	if c.remember != nil {
		return c.remember()
	}
	return nil
}

// bounded calls f, which Sarama does not let be cancelled, and waits for it until ctx ends. What
// f does then it does in the background of a process that is about to end. An f that knows of ctx has
// a moment to say why it did not get on.
func bounded(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(time.Second):
		return fmt.Errorf("no answer from Kafka: %w", ctx.Err())
	}
}
