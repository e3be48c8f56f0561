package emit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	pulseEvery = 500 * time.Millisecond
	// stoodStill is the gap from which the process may have lost its partitions without knowing: a
	// quarter of the session's time-out. A shorter one would restart the processor of a machine
	// that is merely busy.
	stoodStill = 5 * time.Second
)

// pulse finds out that the process stood still: stopped by a signal, or its machine suspended. It
// may have been declared dead in the meantime, and what it was about to write be older than what
// its successor has written.
//
// The wall clock is read, because the monotonic one does not run while a machine is suspended. A
// clock that is set forward by seconds costs one restart of the processor.
type pulse struct {
	now func() time.Time

	mu    sync.Mutex // guards what follows
	last  time.Time
	stood time.Duration
}

func newPulse() *pulse {
	p := &pulse{now: func() time.Time { return time.Now().Round(0) }}
	p.last = p.now()
	return p
}

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) {
	t := time.NewTicker(pulseEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.beat()
		case <-ctx.Done():
			return
		}
	}
}

// beat notes a gap: the ticker or the writer, which comes first after it.
func (p *pulse) beat() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if gap := now.Sub(p.last); gap >= stoodStill {
		p.stood = max(p.stood, gap)
	}
	p.last = now
	return p.stood
}

// check returns an error if the process stood still since the session began.
func (p *pulse) check() error {
	if d := p.beat(); d > 0 {
		return fmt.Errorf("the process stood still for %s: its partitions may have another owner", d.Round(time.Second))
	}
	return nil
}

// reset begins a session.
func (p *pulse) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.stood = p.now(), 0
}
