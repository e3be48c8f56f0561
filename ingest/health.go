package ingest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
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

// cause returns why the last record that failed did, nil if none has.
func (h *health) cause() error {
	if p := h.why.Load(); p != nil {
		return *p
	}
	return nil
}

// denial is how long Kafka may refuse each record for want of a right. It is short: waiting does not
// mend it. A change of rights reaches all brokers in less.
const denial = 5 * time.Second

// isDenied reports an error by which Kafka refuses the user's right to write.
func isDenied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// quiet returns for how long no record has been acknowledged.
func (h *health) quiet() time.Duration { return time.Since(h.opened) - time.Duration(h.last.Load()) }

// Health returns nil while Kafka acknowledges the collector's records and its clock is right, and
// else why events should go to another collector: none has been acknowledged yet, or none for 15 s,
// or the clock is wrong (wallClock), in which case it takes events all the same. A collector with a
// spool that takes events stays healthy without Kafka: clients that never send again would lose
// theirs at balancers that find no collector; see Note. But one that Kafka refuses the right to write
// is not healthy after 5 s: Kafka is there, another collector may have the right, and the spool
// would only fill.
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
	if cause := h.cause(); isDenied(cause) && quiet >= denial {
		return fmt.Errorf("kafka refuses its records: this user may not write topic %s; give the user Write on it: %w", c.opts.Topic, cause)
	}
	if last > 0 && (quiet < silence || c.spooler != nil && spool == nil) {
		return nil
	}
	why := errors.New("no answer")
	if cause := h.cause(); cause != nil {
		why = cause
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
