package emit

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulse()
		ctx, cancel := context.WithCancel(t.Context())
		go p.run(ctx)
		time.Sleep(time.Minute)
		if err := p.check(); err != nil {
			t.Errorf("a process that ran: %v", err)
		}
		offset := 7 * time.Second // what a stopped process finds on its clock
		now := p.now
		p.mu.Lock()
		p.now = func() time.Time { return now().Add(offset) }
		p.mu.Unlock()
		if err := p.check(); err == nil {
			t.Error("a process that stood still, before its ticker: no error")
		}
		time.Sleep(time.Minute)
		if err := p.check(); err == nil || !strings.Contains(err.Error(), "7s") {
			t.Errorf("a process that stood still, later: %v", err)
		}
		p.reset()
		if err := p.check(); err != nil {
			t.Errorf("a new session: %v", err)
		}
		cancel()
		synctest.Wait()
	})
}
