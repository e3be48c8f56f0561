package salt

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/identity"
)

// Topic is the topic in which collectors agree on salts. It has one partition.
const Topic = "millrace.salts"

// Retention is the retention.ms of the topic: longer than a salt is in Window, 62 hours, and the end
// of what compaction has left.
const Retention = 72 * time.Hour

// Settings are those of the topic. Compaction deletes a value behind its tombstone. A broker
// compacts closed segments only, so they are closed after an hour, at the next record, and compacted
// within another one whatever they hold.
func Settings() map[string]string {
	const hour = "3600000"
	return map[string]string{
		"cleanup.policy":            "compact,delete",
		"segment.ms":                hour,
		"delete.retention.ms":       hour,
		"min.compaction.lag.ms":     "0",
		"max.compaction.lag.ms":     hour,
		"min.cleanable.dirty.ratio": "0.01",
	}
}

// NewerSettings are those that Kafka knows from 3.6 on. Records may not be ahead of the broker's
// clock by more than an hour: they could be tombstones of what is in use.
func NewerSettings() map[string]string {
	return map[string]string{"message.timestamp.after.max.ms": "3600000"}
}

// overdue is how long after a date the broker may keep its salt until that is worth a warning.
const overdue = 24 * event.Hour

// agree goes through the topic once and returns the salts of the dates in Window. REQUIRES: k.mu.
func (k *Keeper) agree(ctx context.Context, now event.Time) (map[identity.Day]key, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	t, err := openTopic(&k.o)
	if err != nil {
		return nil, err
	}
	defer t.client.Close()
	// A record of its own behind all there are: a tombstone of a key that has no value.
	if err := t.write(ctx, record{key: "read/" + k.o.Collector}); err != nil {
		return nil, err
	}
	agreed := t.agreed()
	var proposals []record
	for day := Window(now).First; day <= Window(now).Last; day++ {
		if _, ok := agreed[day]; ok {
			continue
		}
		is, known := k.keys[day] // the topic may be a new one
		if !known {
			is = newKey()
		}
		proposals = append(proposals, record{key: day.String() + "/" + k.o.Collector + "-" + rand.Text()[:8], value: is[:]})
	}
	if err := t.write(ctx, proposals...); err != nil {
		return nil, err
	}
	agreed = t.agreed()
	var over []record
	for name, p := range t.proposals {
		if p.day >= Window(now).First {
			continue
		}
		over = append(over, record{key: name})
		if dayOf(now-behind-overdue) > p.day {
			k.o.Log.Warn("Kafka still has a salt that was deleted a day ago: see that the topic has cleanup.policy=compact,delete and "+
				"segment.ms=3600000, and that the brokers' log cleaner runs", "topic", k.o.Topic, "date", p.day.String())
		}
	}
	return agreed, t.write(ctx, over...)
}

// topic is one reading of the topic.
type topic struct {
	client *kgo.Client
	name   string
	now    func() time.Time

	read      int64 // the offset behind the last record
	proposals map[string]proposal
}

// record is a record that is written; without a value it is a tombstone.
type record struct {
	key   string
	value []byte
}

// proposal is one whose value the broker still has.
type proposal struct {
	day    identity.Day
	offset int64
	key    key
	over   bool // there is a tombstone behind it
}

func openTopic(o *Options) (*topic, error) {
	opts := append([]kgo.Opt{kgo.ClientID("millrace-salts")}, o.Kafka...)
	client, err := kgo.NewClient(append(opts,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.Topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.AllowIdempotentProduceCancellation(),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.DisableClientMetrics(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return &topic{client: client, name: o.Topic, now: o.Now, proposals: map[string]proposal{}}, nil
}

// write writes records, and reads all that stands before the last of them.
func (t *topic) write(ctx context.Context, records ...record) error {
	if len(records) == 0 {
		return nil
	}
	var all []*kgo.Record
	for _, r := range records {
		all = append(all, &kgo.Record{Topic: t.name, Key: []byte(r.key), Value: r.value, Timestamp: t.now()})
	}
	end := int64(0)
	for _, r := range t.client.ProduceSync(ctx, all...) {
		if r.Err != nil {
			return fmt.Errorf("write to topic %s: %w", t.name, r.Err)
		}
		end = max(end, r.Record.Offset)
	}
	for t.read <= end {
		fetches := t.client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read topic %s: %w", t.name, err)
		}
		for _, f := range fetches.Errors() {
			return fmt.Errorf("read topic %s: %w", t.name, f.Err)
		}
		fetches.EachRecord(t.take)
	}
	return nil
}

// take takes a record in. What is not one of ours is passed over.
func (t *topic) take(r *kgo.Record) {
	t.read = r.Offset + 1
	name := string(r.Key)
	date, _, named := strings.Cut(name, "/")
	day, err := identity.ParseDay(date)
	if !named || err != nil {
		return
	}
	if p, ok := t.proposals[name]; ok && len(r.Value) == 0 {
		p.over = true
		t.proposals[name] = p
	}
	if len(r.Value) == len(key{}) {
		t.proposals[name] = proposal{day: day, offset: r.Offset, key: key(r.Value)}
	}
}

// agreed returns the salts of all dates that have one.
func (t *topic) agreed() map[identity.Day]key {
	first := map[identity.Day]proposal{}
	for _, p := range t.proposals {
		if before, ok := first[p.day]; !p.over && (!ok || p.offset < before.offset) {
			first[p.day] = p
		}
	}
	keys := make(map[identity.Day]key, len(first))
	for day, p := range first {
		keys[day] = p.key
	}
	return keys
}
