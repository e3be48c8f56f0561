package kafka

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestPrefix(t *testing.T) {
	p := NewPrefix(10)
	want := func(next int64) {
		t.Helper()
		if got := p.Position(); got != next {
			t.Fatalf("position %d, want %d", got, next)
		}
	}
	want(10)
	for _, o := range []int64{10, 11, 15, 16} { // offsets have gaps
		p.Deliver(o)
	}
	want(10)
	p.Finish(11)
	p.Finish(16)
	want(10)
	p.Finish(99) // never delivered
	p.Finish(12)
	want(10)
	p.Finish(10)
	want(12)
	p.Finish(10) // twice
	want(12)
	p.Finish(15)
	want(17)
	p.Deliver(20)
	want(17)
	p.Finish(20)
	want(21)
}

// Nothing has been committed yet: the position stays below 0 until a record is finished, whatever
// the first offset is.
func TestPrefixFromOldest(t *testing.T) {
	p := NewPrefix(-2)
	p.Deliver(7)
	p.Deliver(8)
	p.Finish(8)
	if got := p.Position(); got != -2 {
		t.Fatalf("position %d", got)
	}
	p.Finish(7)
	if got := p.Position(); got != 9 {
		t.Fatalf("position %d, want 9", got)
	}
}

// The age of what is not committed is told, also of what is finished; of thousands of records
// little is remembered.
func TestPrefixOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := NewPrefix(0)
		want := func(committed int64, at time.Duration) {
			t.Helper()
			if got := p.Oldest(committed); at < 0 && !got.IsZero() || at >= 0 && got.Sub(began) != at {
				t.Errorf("committed %d: oldest is %v after the beginning, want %v", committed, got.Sub(began), at)
			}
		}
		want(0, -1)
		for o := range int64(2000) { // a record each ms
			p.Deliver(o)
			p.Finish(o)
			time.Sleep(time.Millisecond)
		}
		if n := len(p.marks); n != 20 {
			t.Errorf("%d marks for 2 s", n)
		}
		want(0, 0)
		want(99, 0)
		want(100, 100*time.Millisecond)
		want(1950, 1900*time.Millisecond)
		want(2000, -1)
		time.Sleep(time.Hour)
		want(2000, -1)
		p.Deliver(2000)
		time.Sleep(time.Second)
		want(2000, time.Hour+2*time.Second)
	})
}

// In whatever order records are delivered and finished, the position never passes one that is not
// finished, never goes back, and reaches the end when all are finished.
func TestPrefixProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := int64(rapid.IntRange(0, 5).Draw(t, "start"))
		p := NewPrefix(start)
		next := start
		var unfinished []int64
		at := start
		check := func() {
			got := p.Position()
			least := next
			for _, o := range unfinished {
				least = min(least, o)
			}
			if got > least || got < at {
				t.Fatalf("position %d after %d, unfinished are %v", got, at, unfinished)
			}
			at = got
		}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			if len(unfinished) == 0 || rapid.Bool().Draw(t, "deliver") {
				o := next + int64(rapid.IntRange(0, 2).Draw(t, "gap"))
				p.Deliver(o)
				unfinished = append(unfinished, o)
				next = o + 1
			} else {
				i := rapid.IntRange(0, len(unfinished)-1).Draw(t, "finish")
				p.Finish(unfinished[i])
				unfinished = append(unfinished[:i], unfinished[i+1:]...)
			}
			check()
		}
		for _, o := range unfinished {
			p.Finish(o)
		}
		if got := p.Position(); got != next {
			t.Fatalf("position %d with all finished, want %d", got, next)
		}
	})
}
