package commits

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"millrace/internal/blob"
)

// ReaderOptions are those of a Reader.
type ReaderOptions struct {
	Store blob.Store
	// Topic is the topic of events, by the name that the archive has of it, and Partitions how many it has.
	Topic      string
	Partitions int32
	// MaxAge is how old a snapshot may be that Snapshot returns without a request; 0 is 2 s. Commits come each minute.
	MaxAge time.Duration
	// Keep is how old a snapshot may be that Snapshot returns while the store does not answer; 0 is a minute.
	Keep time.Duration
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time

	reuse bool // takes rule L4 out; tests set it
}

// recheckEvery is after how long without an entry a Reader looks whether it has missed some: it may have slept for longer than old
// entries stay.
const recheckEvery = time.Minute

// loadsAtOnce bounds the requests of a Reader.
const loadsAtOnce = 16

// Reader reads the published form of all partitions' chains. It needs the store alone. Any number of goroutines may use it.
type Reader struct {
	o ReaderOptions

	turn chan struct{} // holds a value while nobody refreshes; guards what follows
	last *Snapshot     // nil before the first
	seen []time.Time   // by partition: when it was known to be the newest by more than the lack of an entry
}

// NewReader returns a Reader; it makes no request.
func NewReader(o ReaderOptions) *Reader {
	o.MaxAge, o.Keep = cmp.Or(o.MaxAge, 2*time.Second), cmp.Or(o.Keep, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Reader{o: o, turn: make(chan struct{}, 1), seen: make([]time.Time, o.Partitions)}
	r.turn <- struct{}{}
	return r
}

// Snapshot is what a query reads: the state of each partition at one commit of it. It is never changed.
type Snapshot struct {
	// Taken is when it was known to be the newest.
	Taken time.Time
	// Partitions are the states, by partition. One that nothing has been committed of has Version -1 and no files.
	Partitions []*State
}

// Snapshot returns the newest snapshot, or one of MaxAge. Nothing that it names is deleted before it is older than
// SweepOptions.Grace. It costs a request for each partition if there is nothing new. No partition goes back from one snapshot to the
// next, unless the archive was put back.
func (r *Reader) Snapshot(ctx context.Context) (*Snapshot, error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	now := r.o.Now()
	if r.last != nil && now.Sub(r.last.Taken) < r.o.MaxAge {
		return r.last, nil
	}
	next := &Snapshot{Taken: now, Partitions: make([]*State, r.o.Partitions)}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(loadsAtOnce)
	for p := range r.o.Partitions {
		g.Go(func() (err error) {
			next.Partitions[p], err = r.partition(within, p, now)
			if err != nil {
				return fmt.Errorf("read which files of hits there are of %s/%d: %w", r.o.Topic, p, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		if r.last != nil && ctx.Err() == nil && now.Sub(r.last.Taken) < r.o.Keep {
			return r.last, nil
		}
		return nil, err
	}
	r.last = next
	return next, nil
}

// partition returns the newest state of a partition.
func (r *Reader) partition(ctx context.Context, p int32, now time.Time) (*State, error) {
	at := place{r.o.Store, r.o.Topic, p, r.o.reuse}
	if r.last == nil {
		s, err := at.load(ctx)
		if err != nil {
			return nil, err
		}
		r.seen[p] = now
		return s.State, nil
	}
	old := r.last.Partitions[p]
	last, err := at.follow(ctx, old)
	switch {
	case errors.Is(err, ErrPublished) || err == nil && last == nil && now.Sub(r.seen[p]) >= recheckEvery:
		s, err := at.load(ctx)
		if err != nil {
			return nil, err
		}
		r.seen[p] = now
		if s.Sum == old.Sum {
			return old, nil
		}
		return s.State, nil
	case err != nil:
		return nil, err
	case last == nil:
		return old, nil
	}
	r.seen[p] = now
	return last.after, nil
}
