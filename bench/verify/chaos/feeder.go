package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine"
	"millrace/engine/event"
)

// feeder writes a log.
type feeder struct {
	client *kgo.Client
	counts *counts
	next   func() (*record, bool)
	stop   func()
	ahead  *record // read from next, not yet written
	// wrote, if set, is told each record that has been counted and is about to be sent.
	wrote func(rec *record, offset int64)

	mu  sync.Mutex // guards err
	err error
}

// errEnd is returned by a feeder at the end of its log.
var errEnd = errors.New("end of the log")

// send writes the next record. Records of a partition are written in order, whatever the broker
// does: the producer is idempotent.
func (f *feeder) send(ctx context.Context) error {
	rec, err := f.peek()
	if err != nil {
		return err
	}
	f.ahead = nil
	offset := f.counts.ends[rec.partition]
	f.counts.add(rec)
	if f.wrote != nil {
		f.wrote(rec, offset)
	}
	r := &kgo.Record{Topic: engine.EventsTopic, Partition: rec.partition, Key: []byte(event.Key(rec.partition)), Value: rec.value}
	f.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err == nil && r.Offset == offset {
			return
		}
		if err == nil {
			err = fmt.Errorf("the log has record %d of partition %d at offset %d", offset, r.Partition, r.Offset)
		}
		f.mu.Lock()
		f.err = errors.Join(f.err, err)
		f.mu.Unlock()
	})
	return nil
}

// peek returns the next record without writing it.
func (f *feeder) peek() (*record, error) {
	if f.ahead != nil {
		return f.ahead, nil
	}
	rec, ok := f.next()
	if !ok {
		return nil, errEnd
	}
	f.ahead = rec
	return rec, nil
}

// flush waits until all that was sent is written.
func (f *feeder) flush(ctx context.Context) error {
	if err := f.client.Flush(ctx); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return fmt.Errorf("write the log: %w", f.err)
	}
	return nil
}

// until writes the log up to a log time; the end of the log is no error.
func (f *feeder) until(ctx context.Context, at event.Time) error {
	for ctx.Err() == nil {
		rec, err := f.peek()
		if errors.Is(err, errEnd) || err == nil && rec.now > at {
			break
		}
		if err == nil {
			err = f.send(ctx)
		}
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.flush(ctx)
}

// live writes the log at the pace of the clock times speed, to its end, until a log time, or until
// quit is closed.
func (f *feeder) live(ctx context.Context, from event.Time, speed float64, to event.Time, quit <-chan struct{}) error {
	began := time.Now()
	for {
		rec, err := f.peek()
		if errors.Is(err, errEnd) || err == nil && rec.now > to {
			return f.flush(ctx)
		}
		due := began.Add(time.Duration(float64(rec.now-from) / speed * float64(time.Millisecond)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return ctx.Err()
		case <-quit:
			return f.flush(ctx)
		}
		if err := f.send(ctx); err != nil {
			return err
		}
	}
}

// sleep waits for a time, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
