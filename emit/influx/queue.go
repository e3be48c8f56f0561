package influx

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"millrace/engine/window"
)

// item is a record on its way.
type item struct {
	// ctx ends when the record's partition is taken away.
	ctx context.Context
	// done finishes the record: nil lets it be committed, an error stops the processor.
	done     func(error)
	size     int64
	window   *window.Window
	progress *window.Progress
}

// queue holds items between goka's goroutines and the writer: in order, and bounded in bytes.
type queue struct {
	room  *semaphore.Weighted
	max   int64
	items chan *item
	// closed ends when nobody takes items any more.
	closed chan struct{}
}

// minItem is what an item costs at least, so that bytes bound the number too.
const minItem = 512

func newQueue(maxBytes int64) *queue {
	return &queue{
		room:   semaphore.NewWeighted(maxBytes),
		max:    maxBytes,
		items:  make(chan *item, maxBytes/minItem+1),
		closed: make(chan struct{}),
	}
}

func (q *queue) weight(it *item) int64 { return min(max(it.size, minItem), q.max) }

// put waits for room. It returns false if the item's context ends first, or nobody takes items.
func (q *queue) put(it *item) bool {
	if q.room.Acquire(it.ctx, q.weight(it)) != nil {
		return false
	}
	// There is room in the channel for as many items as there can be weights. It is left behind when the queue
	// closes, which is when no partition runs.
	select {
	case <-q.closed:
		return false
	case q.items <- it:
		return true
	}
}

// take returns the items that come within linger of the first, up to maxBytes; none when ctx ends.
func (q *queue) take(ctx context.Context, linger time.Duration, maxBytes int64) []*item {
	var batch []*item
	var size int64
	select {
	case it := <-q.items:
		batch, size = append(batch, it), it.size
	case <-ctx.Done():
		return nil
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for size < maxBytes {
		select {
		case it := <-q.items:
			batch = append(batch, it)
			size += it.size
		case <-timer.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// release makes the room of a batch free again.
func (q *queue) release(batch []*item) {
	var n int64
	for _, it := range batch {
		n += q.weight(it)
	}
	q.room.Release(n)
}

// close gives up what nobody will take.
func (q *queue) close() {
	close(q.closed)
	for {
		select {
		case it := <-q.items:
			it.done(errGivenUp)
		default:
			return
		}
	}
}

// dropDead gives up the items whose partition was taken away.
func dropDead(batch []*item) []*item {
	var alive []*item
	for _, it := range batch {
		if it.ctx.Err() != nil {
			it.done(errGivenUp)
			continue
		}
		alive = append(alive, it)
	}
	return alive
}

// whileAll returns a context that ends as soon as that of one of the items does.
func whileAll(batch []*item) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	seen := map[context.Context]bool{}
	var stops []func() bool
	for _, it := range batch {
		if !seen[it.ctx] { // a partition has one
			seen[it.ctx] = true
			stops = append(stops, context.AfterFunc(it.ctx, cancel))
		}
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
