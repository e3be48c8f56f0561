package bench

import (
	"math"
	"sync"

	"millrace/state"
)

// watchedTable tells a countdown what has been committed.
type watchedTable struct {
	*state.Table
	done *countdown
}

// Committed implements engine's table. A commit is the last that happens to a record, so that its
// time is in the measurement.
func (t watchedTable) Committed(partition int32, next int64) {
	t.Table.Committed(partition, next)
	t.done.reached(partition, next)
}

// countdown waits for every partition to be committed to its end.
type countdown struct {
	zero chan struct{}
	mu   sync.Mutex // guards what follows
	ends []int64
	at   []int64
	once sync.Once
}

// newCountdown returns one that waits for these ends, by partition.
func newCountdown(ends []int64) *countdown {
	return &countdown{zero: make(chan struct{}), ends: ends, at: make([]int64, len(ends))}
}

// reached notes a commit, and closes zero with the last.
func (c *countdown) reached(p int32, next int64) {
	c.mu.Lock()
	c.at[p] = max(c.at[p], next)
	c.mu.Unlock()
	if c.left() == 0 {
		c.once.Do(func() { close(c.zero) })
	}
}

// left returns how many records are not committed.
func (c *countdown) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(0)
	for p := range c.ends {
		n += c.ends[p] - c.at[p]
	}
	return int(min(n, math.MaxInt32))
}
