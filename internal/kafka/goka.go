package kafka

import (
	"context"
	"hash"
	"log/slog"
	"strings"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// GroupOptions say how a goka processor runs on a Cluster.
type GroupOptions struct {
	// Hasher maps record keys to partitions. Required.
	Hasher func() hash.Hash32
	// Log takes what goka and the group say; goka's chatter at level debug. Required.
	Log *slog.Logger
	// OnCommit is told the offset that the broker has taken as committed, once per partition at the start
	// of a session and after each commit. It is called from one goroutine per session. May be nil.
	OnCommit func(topic string, partition int32, next int64)
	// OnProduced is told each record that the brokers have acknowledged, before goka is told. It is called
	// from one goroutine for all partitions, so it must be quick. May be nil.
	OnProduced func(m *sarama.ProducerMessage)
}

// GokaOptions returns the options under which a processor is at-least-once and commits contiguous prefixes.
func (c *Cluster) GokaOptions(o GroupOptions) []goka.ProcessorOption {
	return []goka.ProcessorOption{
		goka.WithHasher(o.Hasher),
		goka.WithLogger(gokaLogger{o.Log}),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithConsumerGroupBuilder(func(_ []string, name, clientID string) (sarama.ConsumerGroup, error) {
			return c.newGroup(name, clientID, o.Log, o.OnCommit)
		}),
		goka.WithConsumerSaramaBuilder(func(_ []string, clientID string) (sarama.Consumer, error) {
			cfg := c.Config()
			cfg.ClientID = clientID
			return sarama.NewConsumer(c.copyBrokers(), cfg)
		}),
		goka.WithProducerBuilder(func(_ []string, clientID string, hasher func() hash.Hash32) (goka.Producer, error) {
			cfg := c.Config()
			cfg.ClientID = clientID
			cfg.Producer.Partitioner = sarama.NewCustomHashPartitioner(hasher)
			p, err := goka.NewProducer(c.copyBrokers(), cfg)
			if err != nil || o.OnProduced == nil {
				return p, err
			}
			return &observedProducer{p, o.OnProduced}, nil
		}),
		goka.WithTopicManagerBuilder(func([]string) (goka.TopicManager, error) {
			tm := goka.NewTopicManagerConfig()
			tm.NoCreate = true // EnsureTopics makes them, with the right retention
			return goka.NewTopicManager(c.copyBrokers(), c.Config(), tm)
		}),
	}
}

// observedProducer tells of each acknowledged record before goka's own callbacks run.
type observedProducer struct {
	goka.Producer
	fn func(*sarama.ProducerMessage)
}

func (p *observedProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.observe(p.Producer.Emit(topic, key, value))
}

func (p *observedProducer) EmitWithHeaders(topic, key string, value []byte, h goka.Headers) *goka.Promise {
	return p.observe(p.Producer.EmitWithHeaders(topic, key, value, h))
}

func (p *observedProducer) observe(pr *goka.Promise) *goka.Promise {
	return pr.ThenWithMessage(func(m *sarama.ProducerMessage, err error) {
		if err == nil && m != nil {
			p.fn(m)
		}
	})
}

// gokaLogger gives goka's lines to slog. goka has no levels beyond debug: what names an error is a warning.
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
