package emit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"millrace/emit"
	"millrace/emit/emittest"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/testgc"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	// Sarama's metrics library keeps one goroutine for ever.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// sink is a Sink that takes everything, when it is let.
type sink struct {
	intake     emit.Intake
	entered    chan struct{} // gets a value at each write
	let        chan struct{} // closed: writes return at once
	windows    atomic.Int64
	newest     sync.Map // version that was written last, by site
	rebalances atomic.Int64
}

func newSink(finish bool) *sink {
	return &sink{
		intake:  emit.Intake{Group: "test", MaxPending: 1 << 20, Finish: finish},
		entered: make(chan struct{}, 1000), let: make(chan struct{}),
	}
}

func (s *sink) Intake() emit.Intake              { return s.intake }
func (s *sink) CheckWindow(*window.Window) error { return nil }
func (s *sink) Rebalanced(context.Context)       { s.rebalances.Add(1) }

func (s *sink) WriteBatch(ctx context.Context, b emit.Batch) (int, error) {
	s.entered <- struct{}{}
	select {
	case <-s.let:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	s.windows.Add(int64(len(b.Windows)))
	for _, w := range b.Windows {
		s.newest.Store(w.Site, w.Version)
	}
	return 0, b.Fence()
}

const written = 20

// stopWhileWriting starts a Consumer and tells it to end while its sink holds a write; it lets the
// sink go on if asked.
func stopWhileWriting(t *testing.T, s *sink, let bool) (committed int64) {
	k := emittest.NewKafka(t)
	for i := range event.Time(written) {
		k.Windows(emittest.Site("a.example", i*event.Minute, 1))
	}
	c := k.Consumer(s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	<-s.entered
	cancel()
	if let {
		close(s.let)
	}
	if err := <-done; err != nil {
		t.Errorf("Run after a stop: %v", err)
	}
	if s.rebalances.Load() == 0 {
		t.Error("the sink was not told of its partitions")
	}
	return k.Committed("test")
}

// TestFinish: a sink that finishes gets what was read when Run is told to end, and it is committed.
func TestFinish(t *testing.T) {
	s := newSink(true)
	committed := stopWhileWriting(t, s, true)
	if n := s.windows.Load(); n == 0 || committed != n {
		t.Errorf("%d windows are written, %d records committed", n, committed)
	}
}

// TestGiveUp: a sink that waits for another system ends with its partitions, and nothing is
// committed that it has not.
func TestGiveUp(t *testing.T) {
	s := newSink(false)
	committed := stopWhileWriting(t, s, false)
	if n := s.windows.Load(); n != 0 || committed != 0 {
		t.Errorf("%d windows are written, %d records committed", n, committed)
	}
}

// TestCatchUp: a sink that has fallen behind is given each window about once, however often it fired,
// in its newest version, and all records are committed.
func TestCatchUp(t *testing.T) {
	const sites, firings, batch = 10, 30, 4
	k, s := emittest.NewKafka(t), newSink(true)
	s.intake.MaxRecords = batch
	for v := range int64(firings) {
		for i := range sites {
			k.Windows(emittest.Site(fmt.Sprint(i, ".example"), 0, v+1))
		}
	}
	c := k.Consumer(s)
	k.Start(c)
	<-s.entered
	emittest.Eventually(t, "the firings that wait are joined", func() bool {
		return c.Stats().Superseded >= sites*firings-sites-batch
	})
	close(s.let)
	k.WaitCommitted("test")
	if n := s.windows.Load(); n > sites+batch {
		t.Errorf("%d windows are written, want at most %d", n, sites+batch)
	}
	for i := range sites {
		if v, _ := s.newest.Load(fmt.Sprint(i, ".example")); v != int64(firings) {
			t.Errorf("site %d: version %v is the last that was written, want %d", i, v, firings)
		}
	}
}

// TestBefore: its error ends Run, which reads nothing.
func TestBefore(t *testing.T) {
	k, s := emittest.NewKafka(t), newSink(true)
	k.Windows(emittest.Site("a.example", 0, 1))
	down := errors.New("down")
	c, err := emit.New(emit.Options{
		Sink: s, Brokers: k.Brokers, Goka: k.Goka(), Log: emittest.Logger(t),
		Before: func(context.Context) error { return down },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); !errors.Is(err, down) || len(s.entered) != 0 {
		t.Errorf("Run: %v after %d writes", err, len(s.entered))
	}
}

func TestNewRefuses(t *testing.T) {
	f := func(change func(*emit.Options, *sink), want string) {
		t.Helper()
		s := newSink(false)
		o := emit.Options{Sink: s, Brokers: []string{"127.0.0.1:1"}, Log: emittest.Logger(t)}
		change(&o, s)
		_, err := emit.New(o)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
	f(func(*emit.Options, *sink) {}, "")
	f(func(o *emit.Options, _ *sink) { o.Sink = nil }, "no sink")
	f(func(o *emit.Options, _ *sink) { o.Brokers = nil }, "no brokers")
	f(func(o *emit.Options, _ *sink) { o.Log = nil }, "no log")
	f(func(_ *emit.Options, s *sink) { s.intake.Group = "" }, "intake")
	f(func(_ *emit.Options, s *sink) { s.intake.MaxPending = 0 }, "intake")
}
