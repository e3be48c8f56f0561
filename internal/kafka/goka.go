package kafka

import (
	"cmp"
	"context"
	"errors"
	"hash"
	"log/slog"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// GroupOptions are how a goka processor runs on a Cluster.
type GroupOptions struct {
	// Hasher maps record keys to partitions. Required.
	Hasher func() hash.Hash32
	// Log takes what goka and the group report; goka's chatter at level debug. Required.
	Log *slog.Logger
	// OnCommit is called with the offset that the broker has taken as committed, once per partition
	// at the start of a session and after each commit. It is called from one goroutine per session.
	// May be nil.
	OnCommit func(topic string, partition int32, next int64)
	// OnOldest is called twice a second with the time when the oldest record that is not committed
	// was taken from the topic, to within 0.1 s; the zero time if all are committed. It is called
	// from one goroutine per session. May be nil.
	OnOldest func(topic string, partition int32, taken time.Time)
	// Limit, if set, returns the offset that commits of a partition must not pass yet: records that
	// are finished for goka, but that the processor holds on to. It is called from one goroutine
	// per session.
	Limit func(topic string, partition int32) int64
	// Reading learns how far the partitions are read. May be nil.
	Reading *Reading
	// Table is the topic of the processor's changelog, which Cluster.TableLinger is for. May be "".
	Table string
	// OnProduced is called with each record that the brokers have acknowledged, before goka learns
	// of it. It is called from one goroutine for all partitions of the Table, and from one for those
	// of all other topics, so it must be quick. May be nil.
	OnProduced func(m *sarama.ProducerMessage)
	// Key may replace the key, and so the partition, of a record that is about to be written. May
	// be nil.
	Key func(topic, key string, value []byte) string
}

// GokaOptions returns the options under which a processor is at-least-once and commits contiguous
// prefixes.
func (c *Cluster) GokaOptions(o GroupOptions) []goka.ProcessorOption {
	return []goka.ProcessorOption{
		goka.WithHasher(o.Hasher),
		goka.WithLogger(gokaLogger{o.Log}),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithConsumerGroupBuilder(func(_ []string, name, clientID string) (sarama.ConsumerGroup, error) {
			return c.newGroup(name, clientID, o)
		}),
		goka.WithConsumerSaramaBuilder(func(_ []string, clientID string) (sarama.Consumer, error) {
			cfg := c.configTo(ToRead)
			cfg.ClientID = clientID
			return sarama.NewConsumer(c.copyBrokers(), cfg)
		}),
		goka.WithProducerBuilder(func(_ []string, clientID string, hasher func() hash.Hash32) (goka.Producer, error) {
			return c.newProducer(clientID, hasher, o)
		}),
		goka.WithTopicManagerBuilder(func([]string) (goka.TopicManager, error) {
			tm := goka.NewTopicManagerConfig()
			tm.NoCreate = true // EnsureTopics makes them, with the right retention
			return goka.NewTopicManager(c.copyBrokers(), c.configTo(ToManage), tm)
		}),
	}
}

// producer applies Key and calls OnProduced before goka's own callbacks run.
type producer struct {
	others, table goka.Producer // the same where nothing lingers
	opts          GroupOptions
}

func (c *Cluster) newProducer(clientID string, hasher func() hash.Hash32, o GroupOptions) (*producer, error) {
	open := func(linger time.Duration) (goka.Producer, error) {
		cfg := c.configTo(ToWrite)
		cfg.ClientID = clientID
		cfg.Producer.Partitioner = sarama.NewCustomHashPartitioner(hasher)
		cfg.Producer.Flush.Frequency = cmp.Or(linger, cfg.Producer.Flush.Frequency)
		return goka.NewProducer(c.copyBrokers(), cfg)
	}
	others, err := open(0)
	if err != nil || c.TableLinger == 0 || o.Table == "" {
		return &producer{others, others, o}, err
	}
	table, err := open(c.TableLinger)
	if err != nil {
		return nil, errors.Join(err, others.Close())
	}
	return &producer{others, table, o}, nil
}

func (p *producer) to(topic string) goka.Producer {
	if topic == p.opts.Table {
		return p.table
	}
	return p.others
}

func (p *producer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.observe(p.to(topic).Emit(topic, p.key(topic, key, value), value))
}

func (p *producer) EmitWithHeaders(topic, key string, value []byte, h goka.Headers) *goka.Promise {
	return p.observe(p.to(topic).EmitWithHeaders(topic, p.key(topic, key, value), value, h))
}

func (p *producer) Close() error {
	err := p.others.Close()
	if p.table != p.others {
		err = errors.Join(err, p.table.Close())
	}
	return err
}

func (p *producer) key(topic, key string, value []byte) string {
	if p.opts.Key == nil {
		return key
	}
	return p.opts.Key(topic, key, value)
}

func (p *producer) observe(pr *goka.Promise) *goka.Promise {
	if p.opts.OnProduced == nil {
		return pr
	}
	return pr.ThenWithMessage(func(m *sarama.ProducerMessage, err error) {
		if err == nil && m != nil {
			p.opts.OnProduced(m)
		}
	})
}

// gokaLogger gives goka's lines to slog. goka has no levels beyond debug: what names an error is a
// warning.
type gokaLogger struct{ log *slog.Logger }

func (l gokaLogger) Printf(format string, args ...any) {
	level := slog.LevelDebug
	if strings.Contains(strings.ToLower(format), "error") {
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, sprintf(format, args))
	}
}

func (l gokaLogger) Print(args ...any)   { l.Printf("%s", sprint(args)) }
func (l gokaLogger) Println(args ...any) { l.Printf("%s", sprint(args)) }
