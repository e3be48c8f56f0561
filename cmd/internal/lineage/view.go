package lineage

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine"
	"millrace/internal/kafka"
)

// view is what a cluster reports of itself, the topics and the groups.
type view struct {
	cluster string                     // its id, "" if it has none
	topics  map[string]topicView       // by name; a topic that is not there is not in it
	groups  map[string]map[int32]int64 // committed offset by group and partition
}

// topicView is a topic as it is now. Its id is another one once it has been deleted and made
// again (KIP-516); "" if the brokers are older than that.
type topicView struct {
	id           string
	starts, ends map[int32]int64 // first offset, and the one behind the last
}

// What topics and the engine's group are called in the cluster.
func (g *Guard) events() string  { return g.opts.Names.Of(engine.EventsTopic) }
func (g *Guard) windows() string { return g.opts.Names.Of(engine.WindowsTopic) }
func (g *Guard) engine() string  { return g.opts.Names.Of(engine.Group) }
func (g *Guard) table() string   { return kafka.TableTopic(g.engine()) }

// logTopics are the topics whose identity matters to what is kept outside of them.
func (g *Guard) logTopics() []string {
	return []string{g.events(), g.windows(), g.table()}
}

// viewLog reads everything that is compared. All of it ends with ctx.
func (g *Guard) viewLog(ctx context.Context, client *kgo.Client) (*view, error) {
	v := &view{topics: map[string]topicView{}, groups: map[string]map[int32]int64{}}
	if err := v.describe(ctx, client, g.logTopics()); err != nil {
		return nil, err
	}
	// Before the ends: a log that runs may grow in between, and what is committed of that would look as if it were behind the end.
	for group, topic := range g.opts.Groups {
		var err error
		if v.groups[group], err = fetchCommitted(ctx, client, group, topic); err != nil {
			return nil, err
		}
	}
	for name, t := range v.topics {
		var err error
		if t.starts, t.ends, err = kafka.Bounds(ctx, client, name); err != nil {
			return nil, fmt.Errorf("ask Kafka for the %w", err)
		}
		v.topics[name] = t
	}
	return v, nil
}

// describe fills in the ids of the cluster and of those of the topics that are there.
//
// The request is made here and not by kadm, which may return what the client knew some seconds ago
// and gives up after three tries: a guard has to see a topic that has just been made anew, and to
// wait for a broker that is starting.
func (v *view) describe(ctx context.Context, client *kgo.Client, topics []string) error {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("ask Kafka for the topics: %w", err)
	}
	if res.ClusterID != nil {
		v.cluster = *res.ClusterID
	}
	for _, t := range res.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) || t.Topic == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("ask Kafka for topic %s: %w", *t.Topic, err)
		}
		var found topicView
		if t.TopicID != [16]byte{} {
			found.id = hex.EncodeToString(t.TopicID[:])
		}
		v.topics[*t.Topic] = found
	}
	return nil
}

// fetchCommitted returns a group's committed offsets in a topic. A group that is not there has
// none.
func fetchCommitted(ctx context.Context, client *kgo.Client, group, topic string) (map[int32]int64, error) {
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the offsets of group %s: %w", group, err)
	}
	committed := map[int32]int64{}
	for p, offset := range offsets[topic] {
		if offset.Err == nil && offset.At >= 0 {
			committed[p] = offset.At
		}
	}
	return committed, nil
}

// readTail calls fn for the last records of partitions, from an offset each, up to ends. Records
// come in order within a partition.
func (g *Guard) readTail(ctx context.Context, topic string, from, ends map[int32]int64, fn func(*kgo.Record)) error {
	left := map[int32]kgo.Offset{}
	for p, offset := range from {
		if offset < ends[p] {
			left[p] = kgo.NewOffset().At(offset)
		}
	}
	if len(left) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(slices.Clone(g.opts.Kafka), kgo.DisableClientMetrics(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: left}))...)
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset >= ends[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if r.Offset < ends[r.Partition] {
				fn(r)
			}
		}
	}
	return nil
}
