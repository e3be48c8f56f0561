package roles

import (
	"context"
	"log/slog"
	"time"

	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/ingest/salt"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// The roles of a process. Process, Emit and Archive run in the background, as tasks.
const (
	Collect = "collect" // takes beacons
	Process = "process" // counts them
	Emit    = "emit"    // writes the numbers to the rollup store
	Archive = "archive" // keeps the events
	Query   = "query"   // answers queries
)

// All returns all roles.
func All() []string { return []string{Collect, Process, Emit, Archive, Query} }

// Task is a role that is ready to run in the background.
type Task struct {
	Role string
	// Group is the consumer group of the role, and Topic what it reads.
	Group, Topic string
	// Probe tries the rights that Run uses, and returns what is wrong.
	Probe func(context.Context) error
	// Waiting returns since when Run has waited for something outside, and why; the zero time if
	// it does not wait. May be nil.
	Waiting func() (since time.Time, why error)
	// Ready returns why a role that runs is not ready. May be nil.
	Ready func() error
	// Run does the work until the context ends. It may be called again.
	Run func(context.Context) error
	// Close frees what Run uses, once it is called no more. May be nil.
	Close func() error
}

// Common is what every task uses. All fields are required.
type Common struct {
	Cluster    *kafka.Cluster
	Prober     *kgo.Client    // tries rights
	Partitions int32          // of each topic
	Reading    *kafka.Reading // learns how far the role reads
	Metrics    prometheus.Registerer
	Log        *slog.Logger
}

// task returns a Task of a role that reads a topic as a group, by what they are called in the cluster.
func (c *Common) task(role, group, topic string) Task {
	return Task{Role: role, Group: c.Cluster.Names.Of(group), Topic: c.Cluster.Names.Of(topic)}
}

// goka returns the options of a processor without a table.
func (c *Common) goka() []goka.ProcessorOption { return c.gokaWith(nil) }

// gokaWith returns them with a limit of what is read, which may be nil.
func (c *Common) gokaWith(limit func(topic string, partition int32) int64) []goka.ProcessorOption {
	return c.Cluster.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: c.Log, Limit: limit, Reading: c.Reading})
}

// probe tries what a role does with topics.
func (c *Common) probe(ctx context.Context, role string) error {
	return kafka.CheckUses(ctx, c.Prober, Uses(role, c.Cluster.Names)...)
}

// Uses returns what a role does with topics, by what they are called in the cluster; none of query,
// which uses none.
func Uses(role string, names kafka.Names) []kafka.Use {
	events := kafka.Use{Topic: names.Of(engine.EventsTopic), Read: true}
	windows, table := names.Of(engine.WindowsTopic), kafka.TableTopic(names.Of(engine.Group))
	letters := kafka.Use{Topic: names.Of(deadletter.Topic), Write: true}
	switch role {
	case Collect:
		return []kafka.Use{{Topic: events.Topic, Write: true}, {Topic: names.Of(salt.Topic), Read: true, Write: true}}
	case Process:
		return []kafka.Use{events, {Topic: windows, Write: true}, {Topic: table, Read: true, Write: true}, letters}
	case Emit:
		return []kafka.Use{{Topic: windows, Read: true}, letters}
	case Archive:
		return []kafka.Use{events, {Topic: names.Of(commits.Topic), Read: true, Write: true}}
	}
	return nil
}
