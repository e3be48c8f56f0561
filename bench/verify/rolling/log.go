package rolling

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
)

// logReader reads topics from their beginning to their present end.
type logReader struct{ brokers []string }

// each calls fn for each record that a topic has now, those of a partition in their order.
func (l *logReader) each(ctx context.Context, topic string, fn func(*kgo.Record) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("list offsets of %s: %w", topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("list offsets of %s: %w", topic, err)
	}
	left := map[int32]int64{}
	from := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if start, ok := starts.Lookup(topic, o.Partition); ok && o.Offset > start.Offset {
			left[o.Partition], from[o.Partition] = o.Offset, kgo.NewOffset().At(start.Offset)
		}
	})
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		var bad error
		fetches.EachRecord(func(rec *kgo.Record) {
			end, reading := left[rec.Partition]
			if !reading || bad != nil {
				return
			}
			if rec.Offset < end {
				bad = fn(rec)
			}
			if rec.Offset >= end-1 {
				delete(left, rec.Partition)
			}
		})
		if bad != nil {
			return bad
		}
	}
	return nil
}

// logged is an event of the log.
type logged struct {
	place
	event.Event
}

// place is where an event is.
type place struct {
	partition int32
	offset    int64
	index     int32
}

// record is one of the log.
type record struct {
	partition int32
	collector string
	low       event.Time
	events    []logged
}

// records returns the log.
func (l *logReader) records(ctx context.Context) ([]record, error) {
	var all []record
	var dec event.Decoder
	var env event.Envelope
	err := l.each(ctx, event.Topic, func(r *kgo.Record) error {
		if err := dec.Decode(r.Value, &env); err != nil {
			return fmt.Errorf("record %d of %s/%d: %w", r.Offset, r.Topic, r.Partition, err)
		}
		rec := record{partition: r.Partition, collector: strings.Clone(env.Collector), low: env.Low}
		for i, e := range env.Events {
			e.ID, e.Site, e.URL, e.Props = strings.Clone(e.ID), strings.Clone(e.Site), strings.Clone(e.URL), nil
			rec.events = append(rec.events, logged{place{r.Partition, r.Offset, int32(i)}, e})
		}
		all = append(all, rec)
		return nil
	})
	return all, err
}

// pause is how long a partition stood still.
type pause struct {
	partition int32
	until     time.Time
	long      time.Duration
}

// pauses returns the times between the records of a topic, by the clocks of their producers.
func (l *logReader) pauses(ctx context.Context, topic string) ([]pause, error) {
	var all []pause
	last := map[int32]time.Time{}
	err := l.each(ctx, topic, func(r *kgo.Record) error {
		if before, ok := last[r.Partition]; ok && r.Timestamp.After(before) {
			all = append(all, pause{r.Partition, r.Timestamp, r.Timestamp.Sub(before)})
		}
		last[r.Partition] = r.Timestamp
		return nil
	})
	return all, err
}
