package kafka

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Records are finished in a random order: the offset that the broker has never passes one that is
// not finished, and reaches the end. A processor that is stopped in between and started again goes
// on at the prefix.
func TestCommitsPrefix(t *testing.T) {
	t.Parallel()
	testCommitsPrefix(t, mustBroker(t))
}

func testCommitsPrefix(t *testing.T, c *Cluster) {
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 1}, Topic{Name: "out", Partitions: 1})
	const n = 60
	mustProduce(t, c, testTopic, n)
	rng := rand.New(rand.NewPCG(1, 1))
	p := start(t, c, nil)
	eventually(t, "all records", func() bool { return p.count() == n })
	order := rng.Perm(n)
	const held = 20 // stays unfinished
	open := map[int64]bool{}
	for i := range int64(n) {
		open[i] = true
	}
	least := func() int64 {
		for i := range int64(n) {
			if open[i] {
				return i
			}
		}
		return n
	}
	for i, o := range order {
		if o == held {
			continue
		}
		p.finished(int64(o))
		if i%20 == 19 {
			// Ask first: what is finished while the broker answers does not count.
			if got := committed(t, c); got > held {
				t.Fatalf("committed is %d, and %d is not finished", got, held)
			}
		}
		delete(open, int64(o))
	}
	eventually(t, "the commit of the prefix", func() bool { return committed(t, c) == least() })
	if least() != held {
		t.Fatalf("the test is wrong: %d", least())
	}
	if err := p.stop(); err == nil {
		t.Error("a callback failed, and Run says nothing")
	}
	if got := committed(t, c); got != held {
		t.Fatalf("committed is %d after the stop, want %d", got, held)
	}

	p = start(t, c, nil)
	eventually(t, "the rest again", func() bool { return p.count() == n-held })
	p.mu.Lock()
	first := p.seen[0]
	p.mu.Unlock()
	if first != held {
		t.Fatalf("the next start begins at %d, want %d", first, held)
	}
	for o := int64(n - 1); o >= held; o-- {
		p.finished(o)
	}
	// Well within commitEvery: the commit at the end of the session is what is seen.
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if got := committed(t, c); got != n {
		t.Fatalf("committed is %d after a clean stop, want %d", got, n)
	}
}

// One record's output fails for good after those of later records have been acknowledged: the
// committed offset stays at that record. Plain goka marks each record when its own promises are
// kept, and Sarama keeps the largest mark: it commits behind the last acknowledged record, and the
// failed one is never seen again.
func TestFailedProduceHoldsCommit(t *testing.T) {
	t.Parallel()
	const n, bad = 30, 7
	f := func(t *testing.T, want int64, opts func(*Cluster) []goka.ProcessorOption) {
		fake, c := mustFake(t)
		mustEnsure(t, c, Topic{Name: testTopic, Partitions: 1}, Topic{Name: "out", Partitions: 2})
		mustProduce(t, c, testTopic, n)
		// Partition 1 of the output, which gets the bad record alone, can wait at first, and then
		// refuses.
		fault := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Partitions: []int32{1}, Err: kerr.NotEnoughReplicas, Count: -1}
		wait := fake.Fault(fault)
		p := start(t, c, func(_ *proc, ctx goka.Context, _ any) {
			ctx.Emit("out", keyOf(ctx.Offset() == bad), []byte("x"))
		}, opts(c)...)
		eventually(t, "the acknowledgements of all others", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.acked == n-1
		})
		eventually(t, "a commit", func() bool { return committed(t, c) >= bad })
		fault.Err = kerr.InvalidRecord
		fake.Fault(fault)
		wait.Remove()
		<-p.done
		if p.err == nil {
			t.Error("a record was refused, and Run says nothing")
		}
		if got := committed(t, c); got != want {
			t.Errorf("committed is %d, want %d", got, want)
		}
	}
	t.Run("millrace", func(t *testing.T) {
		f(t, bad, func(*Cluster) []goka.ProcessorOption { return nil })
	})
	// The proof that this test can fail.
	t.Run("plain goka", func(t *testing.T) {
		f(t, n, func(c *Cluster) []goka.ProcessorOption {
			cfg := c.Config()
			cfg.Consumer.Offsets.AutoCommit.Enable = true
			cfg.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
			return []goka.ProcessorOption{goka.WithConsumerGroupBuilder(goka.ConsumerGroupBuilderWithConfig(cfg))}
		})
	})
}

// keyOf returns a key of partition 1 of 2 for the bad record, and of 0 for the others.
func keyOf(bad bool) string {
	for i := range 100 {
		key := strconv.Itoa(i)
		h := fnv.New32a()
		h.Write([]byte(key))
		if p := int32(h.Sum32()) % 2; (p == 1 || p == -1) == bad {
			return key
		}
	}
	panic("BUG: no key")
}

// A committed offset that the topic no longer has ends the processor with an error that says so.
func TestOffsetOutOfRange(t *testing.T) {
	t.Parallel()
	f, c := mustFake(t)
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 1}, Topic{Name: "out", Partitions: 1})
	mustProduce(t, c, testTopic, 10)
	p := start(t, c, nil)
	eventually(t, "all records", func() bool { return p.count() == 10 })
	p.finished(0)
	p.finished(1)
	p.stop()
	if got := committed(t, c); got != 2 {
		t.Fatalf("committed is %d, want 2", got)
	}
	if err := f.DeleteRecords(testTopic, 0, 5); err != nil {
		t.Fatal(err)
	}
	p = start(t, c, nil)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the processor goes on without a word")
	}
	if !errors.Is(p.err, sarama.ErrOffsetOutOfRange) || !strings.Contains(p.err.Error(), testTopic) {
		t.Errorf("Run says %v", p.err)
	}
	if n := p.count(); n != 0 {
		t.Errorf("%d records were read from somewhere else: %v", n, slices.Clone(p.seen))
	}
	if got := committed(t, c); got != 2 {
		t.Errorf("committed is %d now", got)
	}
}
