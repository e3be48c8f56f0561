package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka"
)

var (
	// ErrNoTopic: nothing was ever served on this Kafka.
	ErrNoTopic = errors.New("there is no topic")
	// ErrRetried: the letter's record was put back already, or may have been.
	ErrRetried = errors.New("already retried")
	// ErrNoRecord: the letter is not of a whole record that could be put back.
	ErrNoRecord = errors.New("it has no record to put back")
	// ErrNoValue: the letter does not have the whole value.
	ErrNoValue = errors.New("the letter does not have the record's value")
)

// patience is how long a broker may be silent.
const patience = 10 * time.Second

// Box is the topic, for an operator.
type Box struct {
	topic  string
	opts   []kgo.Opt
	client *kgo.Client    // for requests and for producing
	marks  map[Coord]Mark // nil until read
}

// Entry is a letter in the topic.
type Entry struct {
	Letter
	// Place is the letter's own.
	Place Coord
	// SetAside is when it was written.
	SetAside time.Time
	// State and To are what its marks hold.
	State State
	To    int64
}

// Coord names the letter: the coordinates of its record, or its own where the record had none.
func (e *Entry) Coord() Coord {
	if !e.whole() {
		return e.Place
	}
	return Coord{e.Topic, e.Partition, e.Offset}
}

// whole reports whether the letter is of a record, and not of a part of one.
func (e *Entry) whole() bool { return e.Partition >= 0 && e.Offset >= 0 }

// Is reports whether c names the letter, in either way.
func (e *Entry) Is(c Coord) bool { return c == e.Coord() || c == e.Place }

// Filter chooses letters. The zero value takes all.
type Filter struct {
	Topic     string
	Partition *int32
	Reason    string    // a part of it, in any case
	Since     time.Time // set aside then or later
	Open      bool      // not retried
}

func (f *Filter) takes(e *Entry) bool {
	return (f.Topic == "" || e.Topic == f.Topic) && (f.Partition == nil || e.Partition == *f.Partition) &&
		strings.Contains(strings.ToLower(e.Reason), strings.ToLower(f.Reason)) && !e.SetAside.Before(f.Since) &&
		(!f.Open || e.State == Open)
}

// NewBox prepares a Box for the Kafka that opts reach, in which Topic is called by names. It makes
// no request.
func NewBox(names kafka.Names, opts ...kgo.Opt) (*Box, error) {
	client, err := kgo.NewClient(append(opts[:len(opts):len(opts)],
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(kafka.MaxRecordBytes),
		kgo.RecordDeliveryTimeout(patience),
		kgo.RetryTimeout(patience),
		kgo.DisableClientMetrics(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return &Box{topic: names.Of(Topic), opts: opts, client: client}, nil
}

// Close disconnects.
func (b *Box) Close() { b.client.Close() }

// Each calls fn for each letter that the filter takes, in order within a partition, among those
// that are there when it is called. The entry is fn's. It reads the topic twice the first time,
// because a letter's marks come behind it.
func (b *Box) Each(ctx context.Context, f Filter, fn func(*Entry) error) error {
	if b.marks == nil {
		marks := map[Coord]Mark{}
		err := b.scan(ctx, func(r *kgo.Record) error {
			if m, ok := ParseMark(r.Value); ok {
				if m.State == Retried || marks[m.Of].State == "" {
					marks[m.Of] = m
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		b.marks = marks
	}
	return b.scan(ctx, func(r *kgo.Record) error {
		if _, ok := ParseMark(r.Value); ok {
			return nil
		}
		e := b.entry(r)
		if !f.takes(e) {
			return nil
		}
		return fn(e)
	})
}

// entry reads a letter. What is none is shown as one about itself, so that it is seen.
func (b *Box) entry(r *kgo.Record) *Entry {
	e := &Entry{Place: Coord{b.topic, r.Partition, r.Offset}, SetAside: r.Timestamp.UTC()}
	var err error
	if e.Letter, err = Parse(r.Value); err != nil {
		e.Letter = Letter{Topic: b.topic, Partition: -1, Offset: -1, Reason: err.Error(), Key: string(r.Key), Value: r.Value, Size: len(r.Value)}
	}
	m := b.marks[e.Coord()]
	e.State, e.To = cmp.Or(m.State, Open), m.To
	return e
}

// scan calls fn for each record of the topic, up to its end as it is now.
func (b *Box) scan(ctx context.Context, fn func(*kgo.Record) error) error {
	starts, ends, err := b.bounds(ctx)
	if err != nil {
		return err
	}
	from := map[int32]kgo.Offset{}
	for p, end := range ends {
		if starts[p] < end {
			from[p] = kgo.NewOffset().At(starts[p])
		}
	}
	if len(from) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(b.opts[:len(b.opts):len(b.opts)],
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{b.topic: from}), kgo.DisableClientMetrics())...)
	if err != nil {
		return fmt.Errorf("read %s: %w", b.topic, err)
	}
	defer client.Close()
	for len(from) > 0 {
		if err := b.poll(ctx, client, func(r *kgo.Record) error {
			if r.Offset >= ends[r.Partition] {
				return nil
			}
			if r.Offset == ends[r.Partition]-1 {
				delete(from, r.Partition)
			}
			return fn(r)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (b *Box) poll(ctx context.Context, client *kgo.Client, fn func(*kgo.Record) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing came for %v", patience))
	defer cancel()
	fetches := client.PollFetches(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("read %s: %w", b.topic, context.Cause(ctx))
	}
	if err := fetches.Err(); err != nil {
		return fmt.Errorf("read %s: %w", b.topic, err)
	}
	for it := fetches.RecordIter(); !it.Done(); {
		if err := fn(it.Next()); err != nil {
			return err
		}
	}
	return nil
}

// bounds returns the first offset of each partition and the one behind the last. It requests the
// metadata itself, since kadm's gives up after three tries, well before patience is over.
func (b *Box) bounds(ctx context.Context) (starts, ends map[int32]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(b.topic)
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(ctx, b.client)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	if len(res.Topics) != 1 || res.Topics[0].ErrorCode == kerr.UnknownTopicOrPartition.Code {
		return nil, nil, fmt.Errorf("%w %s", ErrNoTopic, b.topic)
	}
	if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil {
		return nil, nil, fmt.Errorf("topic %s: %w", b.topic, err)
	}
	return kafka.Bounds(ctx, b.client, b.topic)
}

// Check reports why a letter can't be retried, with its own value or, if value is not nil, with
// that: ErrRetried, which force overrules, ErrNoRecord or ErrNoValue.
func (e *Entry) Check(value []byte, force bool) error {
	switch {
	case !e.whole():
		return ErrNoRecord
	case e.State == Retried && !force:
		return fmt.Errorf("%w: it is at %s", ErrRetried, Coord{e.Topic, e.Partition, e.To})
	case e.State == Begun && !force:
		return fmt.Errorf("%w, but cut short: it may be back or not", ErrRetried)
	case value == nil && e.Value == nil:
		return fmt.Errorf("%w: it had none", ErrNoValue)
	case value == nil && e.Size > len(e.Value):
		return fmt.Errorf("%w: it has %d of %d bytes", ErrNoValue, len(e.Value), e.Size)
	}
	return nil
}

// Retry puts the letter's record, or the same with another value if that is not nil, back into its
// partition under the given key, and returns where it is now. Errors are those of Check and of
// Kafka.
func (b *Box) Retry(ctx context.Context, e *Entry, key string, value []byte, force bool) (Coord, error) {
	// Another letter about the same record may have been retried since.
	if m, ok := b.marks[e.Coord()]; ok {
		e.State, e.To = m.State, m.To
	}
	if err := e.Check(value, force); err != nil {
		return Coord{}, err
	}
	if value == nil {
		value = e.Value
	}
	if err := b.mark(ctx, e, Mark{Of: e.Coord(), State: Begun}); err != nil {
		return Coord{}, err
	}
	r := &kgo.Record{Topic: e.Topic, Partition: e.Partition, Key: []byte(key), Value: value}
	if err := b.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return Coord{}, fmt.Errorf("put %s back: %w", e.Coord(), err)
	}
	to := Coord{e.Topic, e.Partition, r.Offset}
	if err := b.mark(ctx, e, Mark{Of: e.Coord(), State: Retried, To: r.Offset}); err != nil {
		return Coord{}, fmt.Errorf("%s is back as %s, but: %w", e.Coord(), to, err)
	}
	return to, nil
}

// mark writes a mark behind its letter.
func (b *Box) mark(ctx context.Context, e *Entry, m Mark) error {
	r := &kgo.Record{Topic: b.topic, Partition: e.Place.Partition, Key: []byte(m.Of.String()), Value: m.Append(nil)}
	if err := b.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("mark %s as retried: %w", m.Of, err)
	}
	b.marks[m.Of] = m
	e.State, e.To = m.State, m.To
	return nil
}
