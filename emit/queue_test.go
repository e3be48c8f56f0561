package emit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func mkItem(ctx context.Context, size int64, done func(error)) *item {
	return &item{ctx: ctx, size: size, done: done}
}

// TestQueueBlocks: a queue that is full holds back who puts, until there is room or the partition
// is taken away.
func TestQueueBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Intake{MaxPending: 2000, Linger: time.Millisecond, MaxBytes: 1 << 20})
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
		q := newQueue(Intake{MaxPending: 1000, Finish: true})
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
			q := newQueue(i)
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
