package deadletters

import (
	"context"
	"errors"
	"fmt"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// Retry puts records back into their topics.
type Retry struct {
	Box *deadletter.Box
	// Names are what topics are called in the cluster.
	Names kafka.Names
	// Force also puts back what was retried before, and what this build can't read.
	Force bool
	// Done is called for each record that is put back.
	Done func(from, to deadletter.Coord)
}

// Named retries letters that are named, with a value in place of their own unless it is nil.
// Nothing is done unless all can be.
func (r *Retry) Named(ctx context.Context, coords []deadletter.Coord, value []byte) error {
	found, err := Find(ctx, r.Box, coords)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range found {
		errs = append(errs, r.check(e, value))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, e := range found {
		if err := r.retry(ctx, e, value); err != nil {
			return err
		}
	}
	return nil
}

// All retries what a filter takes, is open and can be read by now. Left is called with the reason
// for each that is left. All returns how many were put back and left, also beside an error.
func (r *Retry) All(ctx context.Context, f deadletter.Filter, left func(error)) (done, kept int, err error) {
	f.Open = !r.Force
	seen := map[deadletter.Coord]bool{}
	err = r.Box.Each(ctx, f, func(e *deadletter.Entry) error {
		if seen[e.Coord()] {
			return nil
		}
		seen[e.Coord()] = true
		if err := r.check(e, nil); err != nil {
			kept++
			left(err)
			return nil
		}
		done++
		return r.retry(ctx, e, nil)
	})
	return done, kept, err
}

// check returns why a letter is not to be retried, and what can be done.
func (r *Retry) check(e *deadletter.Entry, value []byte) error {
	name := Printable(e.Coord().String(), 300)
	err := e.Check(value, r.Force)
	switch {
	case errors.Is(err, deadletter.ErrRetried):
		return fmt.Errorf("%s: %w; --force puts it back once more", name, err)
	case errors.Is(err, deadletter.ErrNoRecord):
		return fmt.Errorf(`%s: %w: it is a point that InfluxDB refused; "millrace replay" writes its window again once the cause is gone`, name, err)
	case errors.Is(err, deadletter.ErrNoValue):
		return fmt.Errorf("%s: %w; give one with --value FILE", name, err)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	if value == nil {
		value = e.Value
	}
	if err := r.readable(e.Topic, value); err != nil && !r.Force {
		return fmt.Errorf("%s: it can't be read by this build either: %s; repair it (millrace dead show --raw) and give it with --value FILE",
			name, Printable(err.Error(), 300))
	}
	return nil
}

// readable returns what is wrong with a record, as far as that shows here.
func (r *Retry) readable(topic string, value []byte) error {
	switch topic {
	case r.Names.Of(engine.EventsTopic):
		var dec event.Decoder
		var env event.Envelope
		return dec.Decode(value, &env)
	case r.Names.Of(engine.WindowsTopic):
		_, err := window.Decode(value)
		return err
	}
	return nil
}

func (r *Retry) retry(ctx context.Context, e *deadletter.Entry, value []byte) error {
	key := e.Key
	if e.Topic == r.Names.Of(engine.EventsTopic) {
		key = event.Key(e.Partition) // what a collector writes, whatever this one has
	}
	from := e.Coord()
	to, err := r.Box.Retry(ctx, e, key, value, r.Force)
	if err != nil {
		return err
	}
	r.Done(from, to)
	return nil
}
