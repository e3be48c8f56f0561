package emit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

func mkItem(ctx context.Context, size int64, done func(error)) *item {
	it := &item{ctx: ctx, size: size, progress: &window.Progress{}}
	if done != nil {
		it.done = append(it.done, done)
	}
	return it
}

// TestQueueBlocks: a queue that is full holds back who puts, until there is room or the partition
// is taken away.
func TestQueueBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Intake{MaxPending: 2000, Linger: time.Millisecond, MaxBytes: 1 << 20}, new(counts))
		ctx, cancel := context.WithCancel(t.Context())
		if !q.put(mkItem(ctx, 1500, nil)) {
			t.Fatal("no room in an empty queue")
		}
		result := make(chan bool, 1)
		go func() { result <- q.put(mkItem(ctx, 1500, nil)) }()
		synctest.Wait()
		if len(result) != 0 {
			t.Fatal("a second item found room")
		}
		batch := q.take()
		q.release(batch)
		if !<-result || len(batch) != 1 {
			t.Fatal("the second item was given up")
		}
		go func() { result <- q.put(mkItem(ctx, 1<<40, nil)) }() // larger than the queue: waits for all of it
		synctest.Wait()
		cancel()
		if <-result {
			t.Fatal("an item of a partition that was taken away found room")
		}
		q.close()
		if len(q.take()) != 1 || len(q.take()) != 0 {
			t.Error("a closed queue gives what was left in it, and then nothing")
		}
	})
}

// TestQueueOfFinish: where the sink finishes, an item waits for room although its partition was
// taken away.
func TestQueueOfFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Intake{MaxPending: 1000, Finish: true}, new(counts))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if !q.put(mkItem(ctx, 1000, nil)) {
			t.Fatal("no room in an empty queue")
		}
		result := make(chan bool, 1)
		go func() { result <- q.put(mkItem(ctx, 1000, nil)) }()
		synctest.Wait()
		if len(result) != 0 {
			t.Fatal("a second item did not wait")
		}
		q.release(q.take())
		if !<-result {
			t.Error("the second item was given up")
		}
	})
}

// TestTake: a batch ends where its bounds say.
func TestTake(t *testing.T) {
	f := func(i Intake, late time.Duration, want ...int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			i.MaxPending = 1 << 20
			q := newQueue(i, new(counts))
			for range 5 {
				q.put(mkItem(t.Context(), 1000, nil))
			}
			time.AfterFunc(late, func() { q.put(mkItem(t.Context(), 1000, nil)) })
			var got []int
			for range want {
				got = append(got, len(q.take()))
			}
			for n := range want {
				if got[n] != want[n] {
					t.Errorf("%+v: batches of %d, want %d", i, got, want)
					break
				}
			}
		})
	}
	f(Intake{}, time.Hour, 5, 1)
	f(Intake{MaxRecords: 2}, time.Hour, 2, 2, 1, 1)
	f(Intake{MaxBytes: 2500}, time.Hour, 3, 2, 1)
	f(Intake{Linger: time.Second}, time.Minute, 5, 1)
	f(Intake{Linger: time.Second}, time.Millisecond, 6)
	f(Intake{Linger: time.Second, MaxRecords: 5}, time.Millisecond, 5, 1)
}

// firing is an item of a window of one event a minute.
func firing(ctx context.Context, start event.Time, version, size int64, done func(error)) *item {
	it := mkItem(ctx, size, done)
	it.progress, it.windows = nil, []*window.Window{{Site: "a.example", Start: start, Version: version}}
	return it
}

// TestQueueJoins: of the firings of a window that wait the newest is left, with all its parts, in the
// place of the first, and its item finishes the records of all.
func TestQueueJoins(t *testing.T) {
	f := func(want string, versions ...int64) {
		t.Helper()
		var c counts
		q := newQueue(Intake{MaxPending: 1 << 20}, &c)
		finished := 0
		done := func(error) { finished++ }
		for _, v := range versions {
			q.put(firing(t.Context(), 0, v, 1000, done))
			q.put(firing(t.Context(), event.Minute, 1, 1000, nil))
		}
		batch := q.take()
		var got []int64
		for _, w := range batch[0].windows {
			got = append(got, w.Version)
		}
		batch[0].finish(nil)
		text := fmt.Sprintf("%d, %d bytes, %d stale, %d superseded", got, batch[0].size, c.stale.Load(), c.superseded.Load())
		if text != want || len(batch) != 2 || finished != len(versions) {
			t.Errorf("%d: %s in %d items, %d records are finished; want %s in 2", versions, text, len(batch), finished, want)
		}
		q.release(batch)
		if !q.room.TryAcquire(q.intake.MaxPending) {
			t.Errorf("%d: room is not free again", versions)
		}
	}
	f("[1], 1000 bytes, 0 stale, 0 superseded", 1)
	f("[3], 1000 bytes, 0 stale, 2 superseded", 1, 2, 3)
	f("[3], 1000 bytes, 1 stale, 1 superseded", 1, 3, 2)
	f("[2 2], 2000 bytes, 0 stale, 1 superseded", 1, 2, 2)
	f("[3], 1000 bytes, 0 stale, 3 superseded", 1, 2, 2, 3)
	f("[2 2], 2000 bytes, 1 stale, 0 superseded", 2, 1, 2)
}

// TestQueueJoinsNoOther: windows of other starts, kinds, sites, shards and sessions are others, and
// one that has been taken is joined no more.
func TestQueueJoinsNoOther(t *testing.T) {
	q := newQueue(Intake{MaxPending: 1 << 20}, new(counts))
	put := func(ctx context.Context, w window.Window) {
		it := mkItem(ctx, 1000, nil)
		it.progress, it.windows = nil, []*window.Window{&w}
		q.put(it)
	}
	other, cancel := context.WithCancel(t.Context())
	defer cancel()
	put(t.Context(), window.Window{Site: "a.example"})
	put(t.Context(), window.Window{Site: "a.example", Start: event.Minute})
	put(t.Context(), window.Window{Site: "a.example", Kind: window.Hour})
	put(t.Context(), window.Window{Site: "a.example", Shard: 1})
	put(t.Context(), window.Window{Site: "b.example"})
	put(other, window.Window{Site: "a.example"})
	if n := len(q.take()); n != 6 {
		t.Errorf("%d items, want 6", n)
	}
	put(t.Context(), window.Window{Site: "a.example", Version: 1})
	if n := len(q.take()); n != 1 {
		t.Errorf("%d items after the first were taken, want 1", n)
	}
}

// TestQueueHoldsFirings: a queue that is full of one window's firings has room for many more, since
// those that are left out cost next to nothing.
func TestQueueHoldsFirings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Intake{MaxPending: 100_000}, new(counts))
		put := make(chan struct{})
		go func() {
			defer close(put)
			for v := range int64(100) {
				q.put(firing(t.Context(), 0, v, 20_000, nil))
			}
		}()
		synctest.Wait()
		select {
		case <-put:
		default:
			t.Error("a hundred firings of a window don't fit where five windows do")
		}
		q.release(q.take())
		<-put
	})
}

// TestDropDead: items of a partition that was taken away are given up, the others stay.
func TestDropDead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var given error
	alive := mkItem(t.Context(), 1, nil)
	left := dropDead([]*item{mkItem(ctx, 1, func(err error) { given = err }), alive})
	if len(left) != 1 || left[0] != alive || !errors.Is(given, errGivenUp) {
		t.Errorf("left %v, given up with %v", left, given)
	}
}
