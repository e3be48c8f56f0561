package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/spool"
)

const (
	// drainBytes is about what is in flight while the spool is drained: new events go beside it, and
	// must not wait for it.
	drainBytes = 1 << 20
	// stopTime is how long a drain that is under way may go on when the collector closes.
	stopTime = 2 * time.Second
	// unreadTime is how long a collector that may not read the topic drains without a look until it
	// tries again.
	unreadTime = time.Minute
)

// drainer hands what is in the spool to Kafka, oldest first, one step after the other. Its only
// goroutine is that of spooler.run.
type drainer struct {
	*spooler
	events   int       // since the spool had none
	unread   time.Time // when Kafka did not let this collector read the topic
	complain time.Time
}

// drain takes a step, and reports whether there may be another.
func (d *drainer) drain(ctx context.Context) (more bool) {
	st := d.log.Stats()
	if st.Entries == 0 {
		return false
	}
	n, err := d.step(ctx)
	if err != nil && ctx.Err() == nil && time.Since(d.complain) > time.Minute {
		d.complain = time.Now()
		d.c.opts.Log.Error("the spool can't be drained", "events", st.Events, "err", err)
	}
	d.events += n
	if n > 0 && d.log.Stats().Entries == 0 {
		d.c.opts.Log.Info("the spool is drained", "events", d.events)
		d.events = 0
	}
	return err == nil && n > 0
}

// step drains the oldest entries, as far as their partitions are there, and returns how many events
// that were.
func (d *drainer) step(ctx context.Context) (n int, err error) {
	entries, err := d.log.Peek(spool.MostDrained, drainBytes)
	if err != nil {
		return 0, err
	}
	after := map[int32]int64{}
	for i := range entries {
		p := d.c.partitions[entries[i].Partition]
		if p.away.Load() || p.acked.Load() == spool.Start {
			entries = entries[:i] // in order: what comes behind waits
			break
		}
		after[p.id] = p.acked.Load()
	}
	if len(entries) == 0 {
		return 0, nil
	}
	there, err := d.copies(ctx, entries)
	if err != nil {
		return 0, err
	}
	if err := d.log.Begin(entries, after); err != nil {
		return 0, err
	}
	if err := d.produce(ctx, entries, there); err != nil {
		return 0, err
	}
	err = d.log.Done(entries)
	for i := range entries {
		n += entries[i].N
	}
	d.c.metrics.drained.Add(float64(n))
	if err == nil {
		d.trouble.Store(nil) // there is room again
	}
	for i := range entries {
		d.c.partitions[entries[i].Partition].letGo(entries[i].N)
	}
	return n, err
}

// suspects are what is looked for in a partition: behind an offset, some ids of a site.
type suspects struct {
	after int64
	ids   map[siteID]*bool // true: it is there
}

type siteID struct{ site, id string }

// copies returns the events of entries in doubt that are in the log already.
func (d *drainer) copies(ctx context.Context, entries []spool.Entry) (map[int32]*suspects, error) {
	all := map[int32]*suspects{}
	for i := range entries {
		e := &entries[i]
		if e.After == spool.None {
			continue
		}
		q := all[e.Partition]
		if q == nil {
			q = &suspects{after: e.After, ids: map[siteID]*bool{}}
			all[e.Partition] = q
		}
		q.after = min(q.after, e.After)
		err := d.eachEvent(e, func(ev *event.Event) {
			q.ids[siteID{strings.Clone(ev.Site), strings.Clone(ev.ID)}] = new(bool)
		})
		if err != nil {
			return nil, err
		}
	}
	for id, q := range all {
		to, err := d.c.partitions[id].fence(ctx)
		if err != nil {
			return nil, err
		}
		if q.after >= to { // of a topic of that name which is no more
			q.after = spool.Start
		}
		if err := d.look(ctx, id, to, q); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fence sends a tick and returns its offset. What was handed over before it is in front of it in the
// log, or never will be in it.
func (p *partition) fence(ctx context.Context) (offset int64, err error) {
	type ack struct {
		offset int64
		err    error
	}
	done := make(chan ack, 1)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return 0, errClosed
	}
	p.produce(event.AppendEnvelope(nil, p.c.opts.CollectorID, p.low(), nil), func(r *kgo.Record, err error) { done <- ack{r.Offset, err} })
	p.mu.Unlock()
	select {
	case a := <-done:
		return a.offset, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// look reads the records of a partition between two offsets, and marks the events that are there.
func (d *drainer) look(ctx context.Context, partition int32, to int64, q *suspects) error {
	topic := d.c.opts.Topic
	if q.after+1 >= to || !d.unread.IsZero() && time.Since(d.unread) < unreadTime {
		return nil
	}
	client, err := kgo.NewClient(append(slices.Clone(d.c.opts.Kafka), kgo.ClientID("millrace-spool"), kgo.DisableClientMetrics(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(q.after + 1)}}))...)
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	defer client.Close()
	var dec event.Decoder
	var env event.Envelope
	for next := q.after + 1; next < to; {
		fetches := client.PollFetches(ctx)
		switch err := fetches.Err(); {
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			if d.unread.IsZero() {
				d.c.opts.Log.Warn("this collector may not read the topic: what is in the spool and may be in Kafka already is sent again", "topic", topic)
			}
			d.unread = time.Now()
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", topic, err)
		}
		d.unread = time.Time{}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if next > to || dec.Decode(r.Value, &env) != nil || env.Collector != d.c.opts.CollectorID {
				return
			}
			for i := range env.Events {
				if there := q.ids[siteID{env.Events[i].Site, env.Events[i].ID}]; there != nil {
					*there = true
				}
			}
		})
	}
	return nil
}

// eachEvent decodes the events of an entry.
func (d *drainer) eachEvent(e *spool.Entry, fn func(*event.Event)) error {
	var dec event.Decoder
	var env event.Envelope
	if err := dec.Decode(event.AppendEnvelope(nil, d.c.opts.CollectorID, max(e.From, 1), e.Events), &env); err != nil {
		return fmt.Errorf("read events of the spool: %w", err)
	}
	for i := range env.Events {
		fn(&env.Events[i])
	}
	return nil
}

// produce hands entries to Kafka, without what is there, and waits until they are acknowledged.
func (d *drainer) produce(ctx context.Context, entries []spool.Entry, there map[int32]*suspects) error {
	open := map[int32][]byte{} // events of a record to be
	errs := make(chan error, len(entries))
	sent := 0
	send := func(id int32) {
		if len(open[id]) > 0 {
			d.c.partitions[id].resend(open[id], errs)
			sent++
		}
		open[id] = nil
	}
	for i := range entries {
		e := &entries[i]
		events, err := d.missing(e, there[e.Partition])
		if err != nil {
			return err
		}
		have := open[e.Partition]
		if len(have) > 0 && len(have)+len(events) > d.c.opts.MaxRecordBytes {
			send(e.Partition)
			have = nil
		}
		if len(have) > 0 && len(events) > 0 {
			have = append(have, ',')
		}
		open[e.Partition] = append(have, events...)
	}
	for id := range open {
		send(id)
	}
	if ctx.Err() == nil { // a stop leaves time for what is under way
		var cancel context.CancelFunc
		ctx, cancel = lingering(ctx, stopTime)
		defer cancel()
	}
	var failed error
	for range sent {
		select {
		case err := <-errs:
			failed = errors.Join(failed, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return failed
}

// lingering returns a context that ends some time after another does.
func lingering(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return later, func() { stop(); cancel() }
}

// missing returns the events of an entry that are not in the log, as JSON joined by commas.
func (d *drainer) missing(e *spool.Entry, q *suspects) ([]byte, error) {
	if q == nil || e.After == spool.None {
		return e.Events, nil
	}
	var out []byte
	err := d.eachEvent(e, func(ev *event.Event) {
		if *q.ids[siteID{ev.Site, ev.ID}] {
			d.c.metrics.spoolCopies.Inc()
			return
		}
		if len(out) > 0 {
			out = append(out, ',')
		}
		out = ev.Append(out)
	})
	return out, err
}

// resend hands a record of events of the spool to the client.
func (p *partition) resend(events []byte, errs chan<- error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		errs <- errClosed
		return
	}
	value := event.AppendEnvelope(nil, p.c.opts.CollectorID, p.low(), events)
	p.produce(value, func(_ *kgo.Record, err error) { errs <- err })
}
