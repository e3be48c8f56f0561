package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine/event"
)

const (
	// compareEvery is the time between two comparisons with the log. Each reads what comes into one
	// partition within two ticks.
	compareEvery = time.Minute
	// settleTicks is how many ticks after the start the log is read first.
	settleTicks = 8
	// compareTime bounds a comparison, the wait for ticks included.
	compareTime = 30 * time.Second
	// tailRecords is how many records a comparison reads at most.
	tailRecords = 64
	// comparedPartition is the partition that is read: ticks go to all.
	comparedPartition = 0
)

// logClock compares the collector's clock with the log's. The log's time is that of the brokers
// where the topic is configured with LogAppendTime, and else what other collectors say with their
// ticks: no request of the protocol asks a broker for its time, and whether a collector may make a
// topic for it is not known.
//
// Two collectors that differ do not show which of them is right. So one that has just been started
// is taken for wrong, and one that has been right goes on; of three or more the most are right. A
// collector that may only write to the topic compares nothing.
type logClock struct {
	c      *Collector
	client *kgo.Client // see reader
	right  bool        // this clock has been found right, or there was nothing to compare it with
	// past is the highest low watermark that was in the log at the start, by other collectors.
	past event.Time
}

// heard is what the log has of one collector.
type heard struct {
	low   event.Time
	ticks int
	moves bool          // low is not the same in all records
	ahead time.Duration // of the broker's time, if that is known
	known bool
}

// stands reports whether the low of a collector says nothing of its clock: it was ahead and has been
// set right, or low is held back to the first event of its spool.
func (h *heard) stands() bool { return h.ticks > 1 && !h.moves }

// run compares at the start, every compareEvery, and soon after the clock has stepped, until ctx
// ends.
func (l *logClock) run(ctx context.Context, stepped <-chan struct{}) {
	defer func() {
		if l.client != nil {
			l.client.Close()
		}
	}()
	select { // while all starts there is enough to do
	case <-time.After(settleTicks * l.c.opts.TickEvery):
	case <-ctx.Done():
		return
	}
	l.begin(ctx)
	t := time.NewTicker(compareEvery)
	defer t.Stop()
	for {
		l.compare(ctx)
		select {
		case <-t.C:
		case <-stepped:
		case <-ctx.Done():
			return
		}
	}
}

// begin reads what the log ends with.
func (l *logClock) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, compareTime)
	defer cancel()
	from, to, err := l.bounds(ctx)
	var all map[string]*heard
	if err == nil {
		all, err = l.read(ctx, max(from, to-tailRecords), to)
	}
	if err != nil {
		l.c.opts.Log.Debug("the clock can't be compared with the log", "err", err)
		return
	}
	for id, h := range all {
		if id == l.c.opts.CollectorID {
			l.c.clock.promise(h.low)
		} else {
			l.past = max(l.past, h.low)
		}
	}
	if by := l.past.Std().Sub(l.c.now()); l.past > 0 && by > tolerance {
		l.c.opts.Log.Error("the log has times that lie in the future: the clock of another collector is or was ahead, or that of this machine is behind",
			"topic", l.c.opts.Topic, "by", by.Round(time.Second), "until", l.past.Std(), "now", l.c.now().UTC())
	}
}

// compare reads what comes into the log now.
func (l *logClock) compare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, compareTime)
	defer cancel()
	_, from, err := l.bounds(ctx)
	if err == nil {
		select {
		case <-time.After(2 * l.c.opts.TickEvery):
		case <-ctx.Done():
			return
		}
		var to int64
		if _, to, err = l.bounds(ctx); err == nil {
			var all map[string]*heard
			if all, err = l.read(ctx, max(from, to-tailRecords), to); err == nil {
				l.c.clock.compared(l.judge(all, l.c.now()))
			}
		}
	}
	if err != nil && ctx.Err() == nil {
		l.c.opts.Log.Debug("the clock can't be compared with the log", "err", err)
	}
}

// judge returns how far this clock is ahead of the log's, and why it can't be that of the log.
func (l *logClock) judge(all map[string]*heard, now time.Time) (skew time.Duration, wrong error) {
	if own := all[l.c.opts.CollectorID]; own != nil && own.known && !own.stands() {
		if l.right = own.ahead.Abs() <= tolerance; !l.right {
			wrong = fmt.Errorf("the clock is %s Kafka's", apart(own.ahead))
		}
		return own.ahead, wrong
	}
	var skews []time.Duration
	agree := 0
	for id, h := range all {
		if id == l.c.opts.CollectorID || h.stands() {
			continue
		}
		by := now.Sub(h.low.Std())
		skews = append(skews, by)
		if by.Abs() <= tolerance {
			agree++
		}
	}
	slices.Sort(skews)
	if n := len(skews); n > 0 {
		skew = skews[n/2]
	}
	differ := len(skews) - agree
	switch {
	case agree > 0 && differ > agree+1, agree == 0 && differ > 1, agree == 0 && differ == 1 && !l.right:
		return skew, fmt.Errorf("the clock is %s those of %d of %d other collectors", apart(skew), differ, len(skews))
	case agree == 0 && differ == 1:
		l.c.opts.Log.Warn("the clocks of two collectors are apart: one is wrong", "by", skew.Abs().Round(time.Second))
	case len(skews) == 0 && l.past.Std().Sub(now) > tolerance:
		// The others are gone: this clock is behind, or theirs was ahead.
		skew = now.Sub(l.past.Std())
		return skew, fmt.Errorf("the clock is %s the times that are in the log", apart(skew))
	}
	l.right = true
	return skew, nil
}

func apart(skew time.Duration) string {
	if skew < 0 {
		return (-skew).Round(time.Second).String() + " behind"
	}
	return skew.Round(time.Second).String() + " ahead of"
}

// bounds returns the first offset of the partition and the one behind the last. It does not use
// kafka.Bounds, which lists all partitions of a topic: a broker that is away would keep the clocks
// from being compared although it does not lead this one.
func (l *logClock) bounds(ctx context.Context) (from, to int64, err error) {
	for _, at := range []struct {
		timestamp int64
		offset    *int64
	}{{-2, &from}, {-1, &to}} {
		req := kmsg.NewPtrListOffsetsRequest()
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = l.c.opts.Topic
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = comparedPartition, at.timestamp
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
		res, err := req.RequestWith(ctx, l.c.client)
		if err != nil {
			return 0, 0, fmt.Errorf("ask kafka for the bounds of %s: %w", l.c.opts.Topic, err)
		}
		if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
			return 0, 0, fmt.Errorf("ask kafka for the bounds of %s: no answer", l.c.opts.Topic)
		}
		if err := kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode); err != nil {
			return 0, 0, fmt.Errorf("ask kafka for the bounds of %s: %w", l.c.opts.Topic, err)
		}
		*at.offset = res.Topics[0].Partitions[0].Offset
	}
	return from, to, nil
}

// reader returns the client that reads. It is one for good, whose connections stay: to open and
// close some once a minute would take descriptors from others just when there are none left.
func (l *logClock) reader() (*kgo.Client, error) {
	if l.client != nil {
		return l.client, nil
	}
	var err error
	l.client, err = kgo.NewClient(append(slices.Clone(l.c.opts.Kafka), kgo.ClientID("millrace-clock"), kgo.DisableClientMetrics(),
		kgo.FetchMaxPartitionBytes(1<<20), kgo.ConnIdleTimeout(10*compareEvery))...)
	return l.client, err
}

// read returns what each collector has said in the records of [from, to).
func (l *logClock) read(ctx context.Context, from, to int64) (map[string]*heard, error) {
	all := map[string]*heard{}
	if from >= to {
		return all, nil
	}
	client, err := l.reader()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.c.opts.Topic, err)
	}
	topic := l.c.opts.Topic
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {comparedPartition: kgo.NewOffset().At(from)}})
	defer client.RemoveConsumePartitions(map[string][]int32{topic: {comparedPartition}})
	var dec event.Decoder
	var env event.Envelope
	for next := from; next < to; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", l.c.opts.Topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < from {
				return // left over from the last time
			}
			if next = r.Offset + 1; next > to || dec.Decode(r.Value, &env) != nil {
				return
			}
			h := all[env.Collector]
			if h == nil {
				h = &heard{low: env.Low}
				all[strings.Clone(env.Collector)] = h
			}
			h.ticks++
			h.moves = h.moves || env.Low != h.low
			h.low = max(h.low, env.Low)
			if h.known = r.Attrs.TimestampType() == 1; h.known {
				h.ahead = env.Low.Std().Sub(r.Timestamp)
			}
		})
	}
	return all, nil
}
