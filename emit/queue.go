package emit

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/semaphore"

	"millrace/engine/window"
)

// errGivenUp finishes a record that was not written.
var errGivenUp = errors.New("given up unwritten, to be read again")

// item is a record on its way.
type item struct {
	// ctx ends when the record's partition is taken away.
	ctx context.Context
	// done finishes the record: nil lets it be committed, an error stops the processor.
	done func(error)
	size int64
	rec  window.Record
}

// queue holds items between goka's goroutines and the writer: in order, and bounded in bytes.
type queue struct {
	intake Intake
	room   *semaphore.Weighted
	items  chan *item
	// closed ends when no partition runs any more.
	closed chan struct{}
}

// minItem is what an item costs at least, so that bytes bound the number too.
const minItem = 512

func newQueue(i Intake) *queue {
	return &queue{
		intake: i,
		room:   semaphore.NewWeighted(i.MaxPending),
		items:  make(chan *item, i.MaxPending/minItem+1),
		closed: make(chan struct{}),
	}
}

func (q *queue) weight(it *item) int64 { return min(max(it.size, minItem), q.intake.MaxPending) }

// put waits for room. It returns false if the item's context ends first, unless the sink wants to
// finish, or if the queue is closed.
func (q *queue) put(it *item) bool {
	ctx := it.ctx
	if q.intake.Finish {
		ctx = context.Background() // the writer makes room until the partitions have ended
	}
	if q.room.Acquire(ctx, q.weight(it)) != nil {
		return false
	}
	// There is room in the channel for as many items as there can be weights.
	select {
	case <-q.closed:
		return false
	case q.items <- it:
		return true
	}
}

// take waits for an item and returns it with those that come within Linger of it, up to the bounds
// of a batch. It returns none when the queue is closed and empty.
func (q *queue) take() []*item {
	var batch []*item
	select {
	case it := <-q.items:
		batch = append(batch, it)
	case <-q.closed:
		select {
		case it := <-q.items:
			batch = append(batch, it)
		default:
			return nil
		}
	}
	timer := time.NewTimer(q.intake.Linger)
	defer timer.Stop()
	for size := batch[0].size; q.fits(len(batch), size); {
		it := q.next(timer)
		if it == nil {
			break
		}
		batch = append(batch, it)
		size += it.size
	}
	return batch
}

// fits reports whether a batch of so many records and bytes takes another one.
func (q *queue) fits(records int, size int64) bool {
	return (q.intake.MaxRecords == 0 || records < q.intake.MaxRecords) && (q.intake.MaxBytes == 0 || size < q.intake.MaxBytes)
}

// next returns the next item, nil if none comes before the timer fires or the queue closes.
func (q *queue) next(timer *time.Timer) *item {
	if q.intake.Linger == 0 {
		select {
		case it := <-q.items:
			return it
		default:
			return nil
		}
	}
	select {
	case it := <-q.items:
		return it
	case <-timer.C:
	case <-q.closed:
	}
	return nil
}

// release makes the room of a batch free again.
func (q *queue) release(batch []*item) {
	var n int64
	for _, it := range batch {
		n += q.weight(it)
	}
	q.room.Release(n)
}

// close ends take when all items have been taken.
func (q *queue) close() { close(q.closed) }
