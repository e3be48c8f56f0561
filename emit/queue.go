package emit

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"millrace/engine/event"
	"millrace/engine/window"
)

// errGivenUp finishes a record that was not written.
var errGivenUp = errors.New("given up unwritten, to be read again")

// item is a record on its way, or what is left to write of several: the newest firing of their
// window.
type item struct {
	// ctx ends when the record's partition is taken away.
	ctx context.Context
	// done finishes a record: nil lets it be committed, an error stops the processor. There is one
	// for each record that the item stands for.
	done []func(error)
	// windows are the parts of a firing, or there are none and the record has progress.
	windows  []*window.Window
	progress *window.Progress
	size     int64 // bytes of the records that windows or progress are of
	room     int64 // of the queue, that it takes
}

// finish finishes all records of it.
func (it *item) finish(err error) {
	for _, done := range it.done {
		done(err)
	}
}

// windowKey names a window that waits, of one session of a partition.
type windowKey struct {
	ctx   context.Context
	kind  window.Kind
	site  string
	start event.Time
	shard uint16
}

func (it *item) key() windowKey {
	w := it.windows[0]
	return windowKey{it.ctx, w.Kind, w.Site, w.Start, w.Shard}
}

// queue holds items between goka's goroutines and the writer: in order, and bounded in bytes.
//
// A window that fires again while its last firing waits takes that one's place: only the newest
// counts (rule J10). So the work of a writer that is behind does not grow with the number of firings,
// but with that of windows. What comes earlier than it was fired does no harm: progress speaks of
// windows that came before it, and says nothing about later firings.
type queue struct {
	intake Intake
	room   *semaphore.Weighted
	// arrived gets a value when there is an item more than take knew of.
	arrived chan struct{}
	// closed ends when no partition runs any more.
	closed chan struct{}

	counts *counts

	mu      sync.Mutex // guards what follows
	items   []*item
	windows map[windowKey]*item // of items
}

// minItem is what a record costs at least, so that bytes bound the number too.
const minItem = 512

func newQueue(i Intake, c *counts) *queue {
	return &queue{
		counts:  c,
		intake:  i,
		room:    semaphore.NewWeighted(i.MaxPending),
		arrived: make(chan struct{}, 1),
		closed:  make(chan struct{}),
		windows: map[windowKey]*item{},
	}
}

// put waits for room. It returns false if the item's context ends first, unless the sink wants to
// finish, or if the queue is closed.
func (q *queue) put(it *item) bool {
	ctx := it.ctx
	if q.intake.Finish {
		ctx = context.Background() // the writer makes room until the partitions have ended
	}
	it.room = min(max(it.size, minItem), q.intake.MaxPending)
	if q.room.Acquire(ctx, it.room) != nil {
		return false
	}
	select {
	case <-q.closed:
		return false
	default:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(it.windows) > 0 {
		if waits := q.windows[it.key()]; waits != nil {
			q.join(waits, it)
			return true
		}
		q.windows[it.key()] = it
	}
	q.items = append(q.items, it)
	select {
	case q.arrived <- struct{}{}:
	default:
	}
	return true
}

// join adds a firing to one of the same window that waits. What it leaves out costs no more than
// minItem.
func (q *queue) join(waits, it *item) {
	was, is := waits.windows[0].Version, it.windows[0].Version
	room, free := waits.room+it.room, int64(0)
	switch {
	case is == was: // another part of the firing, or the same one again
		waits.windows = append(waits.windows, it.windows...)
		waits.size += it.size
	case is < was:
		q.counts.stale.Add(1)
		free = it.room - minItem
	default:
		q.counts.superseded.Add(uint64(len(waits.windows)))
		free = waits.room - minItem*int64(len(waits.done))
		waits.windows, waits.size = it.windows, it.size
	}
	waits.done = append(waits.done, it.done...)
	free = max(free, 0)
	waits.room = room - free
	q.room.Release(free)
}

// take waits for an item and returns it with those that come within Linger of it, up to the bounds
// of a batch. It returns none when the queue is closed and empty.
func (q *queue) take() []*item {
	var batch []*item
	var size int64
	for {
		if batch, size = q.gather(batch, size); len(batch) > 0 {
			break
		}
		select {
		case <-q.arrived:
		case <-q.closed:
			batch, _ = q.gather(nil, 0) // what came before it was closed
			return batch
		}
	}
	if q.intake.Linger == 0 {
		return batch
	}
	timer := time.NewTimer(q.intake.Linger)
	defer timer.Stop()
	for q.fits(len(batch), size) {
		select {
		case <-q.arrived:
			batch, size = q.gather(batch, size)
		case <-timer.C:
			return batch
		case <-q.closed:
			return batch
		}
	}
	return batch
}

// gather adds what waits to a batch of so many bytes, as far as it takes it.
func (q *queue) gather(batch []*item, size int64) ([]*item, int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for ; n < len(q.items) && q.fits(len(batch), size); n++ {
		it := q.items[n]
		if len(it.windows) > 0 {
			delete(q.windows, it.key())
		}
		batch = append(batch, it)
		size += it.size
	}
	clear(q.items[:n])
	if q.items = q.items[n:]; len(q.items) == 0 {
		q.items = nil // the array is free to go, whatever it had grown to
	}
	return batch, size
}

// fits reports whether a batch of so many items and bytes takes another one.
func (q *queue) fits(items int, size int64) bool {
	return items == 0 || (q.intake.MaxRecords == 0 || items < q.intake.MaxRecords) && (q.intake.MaxBytes == 0 || size < q.intake.MaxBytes)
}

// release makes the room of a batch free again.
func (q *queue) release(batch []*item) {
	var n int64
	for _, it := range batch {
		n += it.room
	}
	q.room.Release(n)
}

// close ends take when all items have been taken.
func (q *queue) close() { close(q.closed) }
