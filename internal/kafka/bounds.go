package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds returns the first offset of each partition of a topic, and the one behind the last. A
// partition that has none is an error: "bounds of TOPIC/PARTITION: why".
//
// The partitions are those that the client knew within the last seconds (kgo.MetadataMinAge). A
// caller that must not miss a new one requests the topic's metadata first, which renews them.
func Bounds(ctx context.Context, client *kgo.Client, topic string) (starts, ends map[int32]int64, err error) {
	admin := kadm.NewClient(client)
	if starts, err = listOffsets(ctx, topic, admin.ListStartOffsets); err == nil {
		ends, err = listOffsets(ctx, topic, admin.ListEndOffsets)
	}
	return starts, ends, err
}

// Committed returns the offset that a group has committed of each partition of a topic, -1 where it
// has none.
func Committed(ctx context.Context, client *kgo.Client, group, topic string) (map[int32]int64, error) {
	all, err := kadm.NewClient(client).FetchOffsetsForTopics(ctx, group, topic)
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	offsets := map[int32]int64{}
	for p, at := range all[topic] {
		offsets[p] = at.At
	}
	return offsets, nil
}

func listOffsets(ctx context.Context, topic string, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	listed, err := list(ctx, topic)
	if shards, ok := errors.AsType[*kadm.ShardErrors](err); ok {
		err = shards.Errs[0].Err // as the client itself reports requests to several brokers
	}
	if err != nil {
		return nil, fmt.Errorf("bounds of %s: %w", topic, err)
	}
	offsets := make(map[int32]int64, len(listed[topic]))
	for p, at := range listed[topic] {
		if at.Err != nil && p < 0 { // of the topic
			return nil, fmt.Errorf("bounds of %s: %w", topic, at.Err)
		}
		if at.Err != nil {
			return nil, fmt.Errorf("bounds of %s/%d: %w", topic, p, at.Err)
		}
		offsets[p] = at.Offset
	}
	return offsets, nil
}
