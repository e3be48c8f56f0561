package commits

import (
	"context"
	"time"
)

// SweepOptions are those of a Sweeper.
type SweepOptions struct {
	// Grace is how long what was removed stays for readers whose snapshot has it: the longest time from taking a snapshot to the
	// end of a query. 0 is an hour.
	Grace time.Duration
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
}

// Sweeper deletes what nobody can need any more of a partition (rules L5 and L6). It belongs to the Chain's goroutine.
type Sweeper struct {
	c *Chain
	o SweepOptions
}

// NewSweeper returns a Sweeper. What was removed before it was made counts as removed when it first sees it.
func NewSweeper(c *Chain, o SweepOptions) *Sweeper { return &Sweeper{c, o} }

// Sweep deletes objects of Due, and returns the keys that are deleted: the caller puts them into Change.Deleted of its next
// commit, whenever that is.
func (s *Sweeper) Sweep(ctx context.Context) (deleted []string, err error) { return nil, nil }

// Orphans deletes objects that no commit can name any more. It lists the partition's folders, so it is for once at the start of
// an owner, and for once a day.
func (s *Sweeper) Orphans(ctx context.Context) (deleted int, err error) { return 0, nil }
