package ingest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// silence is how long Kafka may acknowledge nothing until the collector is not healthy. Each partition gets a tick a second,
// so that even an idle collector knows; an election of leaders takes less.
const silence = 15 * time.Second

// health knows when Kafka last took a record. All of its clock is the process's own, not Options.Now.
type health struct {
	opened time.Time
	last   atomic.Int64          // when a record was acknowledged, ns since opened; 0 before the first
	why    atomic.Pointer[error] // of the last record that failed
}

func (h *health) acknowledged() {
	h.last.Store(int64(time.Since(h.opened)))
}

func (h *health) failed(err error) { h.why.Store(&err) }

// quiet returns for how long no record has been acknowledged.
func (h *health) quiet() time.Duration { return time.Since(h.opened) - time.Duration(h.last.Load()) }

// Health returns nil while Kafka acknowledges the collector's records and its clock is right, and
// else why events should go to another collector: none has been acknowledged yet, or none for 15 s,
// or the clock is wrong (wallClock), in which case it takes events all the same. A collector with a
// spool that takes events stays healthy without Kafka: clients that never send again would lose
// theirs at balancers that find no collector; see Note.
func (c *Collector) Health() error {
	if err := c.clock.why(); err != nil {
		return err
	}
	h := &c.health
	var spool error
	if s := c.spooler; s != nil {
		spool = s.health()
	}
	last, quiet := h.last.Load(), h.quiet()
	if last > 0 && (quiet < silence || c.spooler != nil && spool == nil) {
		return nil
	}
	why := errors.New("no answer")
	if p := h.why.Load(); p != nil {
		why = *p
	}
	if last == 0 {
		return fmt.Errorf("kafka has not acknowledged a record yet: %w", why)
	}
	err := fmt.Errorf("kafka has acknowledged no record for %v: %w", quiet.Round(time.Second), why)
	if spool != nil {
		err = fmt.Errorf("%w; the spool takes no events: %w", err, spool)
	}
	return err
}
