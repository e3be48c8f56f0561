package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrDeleted is wrapped by the error of Records for records that the log does not have any more.
var ErrDeleted = errors.New("the log begins later: Kafka has deleted these records")

// Records calls f with the records of a partition from an offset up to another, which is not read, in their order, outside of any
// group. It waits for those that are written and can't be read yet. An error of f ends it and is returned. A value is valid
// during the call. REQUIRES: the log reaches up to to.
func (c *Cluster) Records(ctx context.Context, topic string, partition int32, from, to int64, f func(offset int64, value []byte) error) error {
	if from >= to {
		return nil
	}
	wrap := func(err error) error { return fmt.Errorf("read %s/%d from offset %d: %w", topic, partition, from, err) }
	client, err := kgo.NewClient(append(c.ClientOptionsTo(ToRead), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.DisableFetchSessions(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}))...)
	if err != nil {
		return wrap(err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, kerr.OffsetOutOfRange) {
				return wrap(ErrDeleted)
			}
			return wrap(e.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset < to {
				if err := f(r.Offset, r.Value); err != nil {
					return err
				}
			}
			if r.Offset >= to-1 {
				return nil
			}
		}
	}
}
