package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// headroomSteps is into how many parts Headroom divides the retention: its answers are to within one.
const headroomSteps = 64

// Headroom returns for how long Kafka still holds the oldest record of each partition that a group
// has not committed: the retention of the topic less the age of that record, rounded down to a 64th
// of it. It is the whole retention where nothing is unread, 0 where records are gone unread, and
// math.MaxInt64 where they are kept for ever. Least is the retention of a topic that the caller may
// not describe.
//
// The ages come from the brokers' index of times, since reading a record takes a client of its own.
// Retention by size is left out: a full log is cut sooner than this reports.
func Headroom(ctx context.Context, client *kgo.Client, group, topic string, least time.Duration, now time.Time) (map[int32]time.Duration, error) {
	admin := kadm.NewClient(client)
	committed, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // that has never committed
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	starts, ends, err := Bounds(ctx, client, topic)
	if err != nil {
		return nil, err
	}
	retention := retentionOf(ctx, admin, topic, least)
	left := make(map[int32]time.Duration, len(ends))
	unread := map[int32]int64{} // the first offset of each partition that has no answer yet
	for p, end := range ends {
		at, ok := committed.Lookup(topic, p)
		if ok && at.Err != nil {
			return nil, fmt.Errorf("offset of group %s in %s/%d: %w", group, topic, p, at.Err)
		}
		next := starts[p]
		if ok && at.At >= 0 {
			next = at.At
		}
		switch {
		case retention == math.MaxInt64 || next >= end:
			left[p] = retention
		case next < starts[p]:
			left[p] = 0
		default:
			unread[p] = next
		}
	}
	for step := 1; step <= headroomSteps && len(unread) > 0; step++ {
		age := retention / headroomSteps * time.Duration(step)
		firsts, err := listOffsets(ctx, topic, func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, now.Add(-age).UnixMilli(), topics...)
		})
		if err != nil {
			return nil, err
		}
		for p, next := range unread {
			if first, ok := firsts[p]; ok && first <= next { // the record is not older than that
				left[p] = retention - age
				delete(unread, p)
			}
		}
	}
	for p := range unread { // older than its retention, in a segment that is not deleted yet
		left[p] = 0
	}
	return left, nil
}

// retentionOf returns the retention.ms of a topic, or least if that can't be known.
func retentionOf(ctx context.Context, admin *kadm.Client, topic string, least time.Duration) time.Duration {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return least
	}
	config, err := configs.On(topic, nil)
	if err = errors.Join(err, config.Err); err != nil {
		return least
	}
	for _, c := range config.Configs {
		if c.Key != "retention.ms" || c.Value == nil {
			continue
		}
		switch ms, err := strconv.ParseInt(*c.Value, 10, 64); {
		case err != nil:
			return least
		case ms < 0 || ms > math.MaxInt64/int64(time.Millisecond):
			return math.MaxInt64
		default:
			return time.Duration(ms) * time.Millisecond
		}
	}
	return least
}
