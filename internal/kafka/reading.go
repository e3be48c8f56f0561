package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Reading finds partitions whose records a processor wants and does not get: the log ends behind
// where it is, and nothing arrives. Neither Sarama nor goka reports that, they request the same
// records for ever. A damaged log and a partition without a leader look like this; a processor that
// is busy, or waits for its store, does not. GroupOptions.Reading fills it. The zero value is ready.
//
// Millrace's topics hold no transactions, whose marks are offsets without a record.
type Reading struct {
	mu     sync.Mutex // guards what follows
	claims map[*place]struct{}
	behind map[topicPartition]int64 // where the log was ahead at the last Check: the offset that was wanted
	errs   map[topicPartition]error // the last of each
}

// place is where the reader of a claim stands.
type place struct {
	topicPartition
	next atomic.Int64 // the offset that it wants; negative: the oldest
	busy atomic.Bool  // it has records that the processor has not taken yet
}

func (r *Reading) enter(tp topicPartition, next int64) *place {
	p := &place{topicPartition: tp}
	p.next.Store(next)
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.claims == nil {
			r.claims = map[*place]struct{}{}
		}
		r.claims[p] = struct{}{}
		delete(r.errs, tp)
	}
	return p
}

// failed keeps what Kafka answered instead of records.
func (r *Reading) failed(err error) {
	of, ok := errors.AsType[*sarama.ConsumerError](err)
	if r == nil || !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.errs == nil {
		r.errs = map[topicPartition]error{}
	}
	r.errs[topicPartition{of.Topic, of.Partition}] = of.Err
}

// why is the error that came last, nil if none has.
func (r *Reading) why(tp topicPartition) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errs[tp]
}

func (r *Reading) leave(p *place) {
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.claims, p)
	}
}

// waiting returns the offset that is wanted of each partition whose reader has nothing in hand.
func (r *Reading) waiting() map[topicPartition]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[topicPartition]int64{}
	for p := range r.claims {
		if !p.busy.Load() {
			next[p.topicPartition] = p.next.Load()
		}
	}
	return next
}

// Check returns an error if a partition stands at the offset where it stood at the Check before, and
// the log was ahead of it then. Or if where the log of such a partition ends can't be known. It is
// for one goroutine at a time, every few seconds.
func (r *Reading) Check(ctx context.Context, client *kgo.Client) error {
	next := r.waiting()
	before := r.behind
	r.behind = map[topicPartition]int64{}
	if len(next) == 0 {
		return nil
	}
	var topics []string
	oldest := false
	for tp, n := range next {
		topics = append(topics, tp.topic)
		oldest = oldest || n < 0
	}
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(ctx, topics...)
	starts := kadm.ListedOffsets{}
	if err == nil && oldest {
		starts, err = admin.ListStartOffsets(ctx, topics...)
	}
	var stands error
	for tp, n := range next {
		end, ok := ends.Lookup(tp.topic, tp.partition)
		switch {
		case !ok && err != nil:
			return fmt.Errorf("%s/%d: where it ends is not known: %w", tp.topic, tp.partition, err)
		case !ok:
			continue
		case end.Err != nil:
			return fmt.Errorf("%s/%d: where it ends is not known: %w", tp.topic, tp.partition, end.Err)
		}
		if n < 0 {
			start, _ := starts.Lookup(tp.topic, tp.partition)
			n = start.Offset
		}
		if end.Offset <= n {
			continue
		}
		r.behind[tp] = n
		if was, ok := before[tp]; ok && was == n && stands == nil {
			stands = fmt.Errorf("%s/%d: its records can't be read: none has come since offset %d, and it ends at %d", tp.topic, tp.partition, n, end.Offset)
			if why := r.why(tp); why != nil {
				stands = fmt.Errorf("%w: %w", stands, why)
			}
		}
	}
	return stands
}
