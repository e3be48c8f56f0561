package kafka

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// slowly is a handler that works off partition 0 record by record, a little later each, and tells
// when partition 1 has one.
type slowly struct {
	first, other chan struct{} // closed at the first record of partition 0 and of partition 1
}

func (slowly) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (slowly) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h slowly) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	if c.Partition() == 1 {
		if _, ok := <-c.Messages(); ok {
			close(h.other)
		}
		return nil
	}
	if _, ok := <-c.Messages(); !ok {
		return nil
	}
	close(h.first)
	work := time.NewTicker(20 * time.Millisecond)
	defer work.Stop()
	for {
		select {
		case <-work.C:
		case <-s.Context().Done():
			return nil
		}
		select {
		case <-c.Messages():
		case <-s.Context().Done():
			return nil
		}
	}
}

// TestBehindKeepsNoOther: while a partition that is far behind is worked off slowly, records of
// another arrive. The soak of 2026-11-30 found partitions that stood still until the one that was
// behind had worked off a whole answer: here two minutes.
func TestBehindKeepsNoOther(t *testing.T) {
	t.Parallel()
	c := mustBroker(t)
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 2})
	mustProduce(t, c, testTopic, 6000)
	g, err := c.newGroup(testGroup, "test", GroupOptions{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h := slowly{make(chan struct{}), make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- g.Consume(ctx, []string{testTopic}, h) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	<-h.first
	client := mustClient(t, c)
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: testTopic, Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record of the other partition", func() bool {
		select {
		case <-h.other:
			return true
		default:
			return false
		}
	})
}

// fed is a claim of Sarama's that a test feeds.
type fed struct {
	sarama.ConsumerGroupClaim
	in chan *sarama.ConsumerMessage
}

func (f fed) Messages() <-chan *sarama.ConsumerMessage { return f.in }

// TestClaimHolds: what comes is taken at once, until enough is held; then the partition is fetched no
// more until half of it is worked off. The order stays, and a claim that ends lets the partition be
// fetched again.
func TestClaimHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fed{in: make(chan *sarama.ConsumerMessage)}
		fetched := true
		c := &claim{
			ConsumerGroupClaim: f, out: make(chan *sarama.ConsumerMessage), most: 1 << 10,
			pause: func() { fetched = false }, resume: func() { fetched = true },
		}
		p, at := NewPrefix(0), &place{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.forward(ctx, p, at); close(ended) }()
		const n = 8
		state := func(held int) string {
			synctest.Wait()
			return fmt.Sprintf("%d: fetched %t, busy %t, wants %d", held, fetched, at.busy.Load(), at.next.Load())
		}
		expect := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s; want %s", got, want)
			}
		}
		feed := func(from, to int) {
			for i := from; i < to; i++ {
				f.in <- &sarama.ConsumerMessage{Offset: int64(i), Value: make([]byte, 1<<10/n)}
			}
		}
		take := func(from, to int) {
			for i := from; i < to; i++ {
				if m := <-c.out; m.Offset != int64(i) {
					t.Errorf("offset %d comes, want %d", m.Offset, i)
				}
			}
		}
		expect(state(0), "0: fetched true, busy false, wants 0")
		feed(0, n-1)
		expect(state(7), "7: fetched true, busy true, wants 7")
		feed(n-1, n+2) // what was under way still comes
		expect(state(10), "10: fetched false, busy true, wants 10")
		take(0, 5)
		expect(state(5), "5: fetched false, busy true, wants 10")
		take(5, 6)
		expect(state(4), "4: fetched true, busy true, wants 10")
		take(6, 10)
		expect(state(0), "0: fetched true, busy false, wants 10")
		feed(10, 10+n)
		expect(state(8), "8: fetched false, busy true, wants 18")
		cancel()
		<-ended
		expect(state(8), "8: fetched true, busy true, wants 18")
		if _, ok := <-c.out; ok {
			t.Error("a claim that has ended has records")
		}
	})
}

// TestHoldOf: the claims of a session share what they hold.
func TestHoldOf(t *testing.T) {
	for claims, want := range map[int]int{0: 4 << 20, 1: 4 << 20, 4: 4 << 20, 64: 1 << 20, 10_000: 256 << 10} {
		if got := holdOf(claims); got != want {
			t.Errorf("%d claims hold %d each, want %d", claims, got, want)
		}
	}
}
