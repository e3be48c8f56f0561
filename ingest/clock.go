package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/engine/event"
)

const (
	// leastStep is the least change of the wall clock against the monotonic one, between two looks,
	// that is a step: more than a clock that is slewed or a machine that stalls can show, and no
	// more than the grace with which minutes fire.
	leastStep = 2 * time.Second
	// doubt is how long after a step the collector is not ready: who set the clock, or a clock that
	// is set back again, shows within it.
	doubt = time.Minute
	// tolerance is how far this clock may be from the log's: events would be counted in other
	// minutes.
	tolerance = time.Minute
)

// wallClock watches the clock that stamps events. Events always have its true reading; what it
// finds wrong it logs, once, counts, and gives as the reason why the collector is not ready.
//
// The wall clock is wrong in three ways that can be seen from here. It steps: then it differs from
// the monotonic clock by more than before. It is behind what the collector has promised with its
// low watermark, after it was ahead and has been set right: until that time comes, events are late
// for the engine. Or it is not that of the log, see logClock.
type wallClock struct {
	now     func() time.Time
	elapsed func() time.Duration // the monotonic clock, from any zero
	log     *slog.Logger
	metrics *metrics

	mu       sync.Mutex // guards what follows
	seen     time.Time  // the wall clock at the last look
	seenAt   time.Duration
	stepped  time.Duration // by how much it stepped last
	stepEnds time.Duration // until when that is a reason not to be ready
	promised event.Time    // the highest low watermark that this collector has sent, in this process or before
	behind   bool          // the clock is behind promised, and that has been logged
	refused  bool          // Kafka refuses the times of records, and that has been logged
	logSkew  time.Duration // how far this clock is ahead of the log's
	logWrong error         // why this clock can't be that of the log
	compares int           // comparisons with the log so far
}

func newWallClock(o *Options, m *metrics) *wallClock {
	return &wallClock{now: o.Now, elapsed: o.Elapsed, log: o.Log, metrics: m, seen: o.Now(), seenAt: o.Elapsed()}
}

// look compares the clocks. It is called with every tick and reports whether the wall clock has
// stepped.
func (w *wallClock) look() (stepped bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wall, at := w.now().Round(0), w.elapsed()
	by := wall.Sub(w.seen) - (at - w.seenAt)
	w.seen, w.seenAt = wall, at
	if by.Abs() > leastStep {
		w.metrics.clockSteps.Inc()
		w.stepped, w.stepEnds, stepped = by, at+doubt, true
		w.log.Error("the clock of this machine was set "+aheadOrBack(by)+": events have the time that it shows",
			"by", by.Abs().Round(time.Millisecond), "now", wall.UTC())
	}
	switch behind := w.isBehind(wall); {
	case behind > leastStep && !w.behind:
		w.behind = true
		w.log.Error("the clock of this machine is behind the time that this collector has promised to the log: it was ahead, or is wrong now; "+
			"events are late until that time comes, and dropped past --lateness", "by", behind.Round(time.Millisecond), "promised", w.promised.Std())
	case behind <= 0 && w.behind:
		w.behind = false
		w.log.Info("the clock of this machine has come to the time that this collector had promised to the log")
	}
	return stepped
}

// isBehind returns how far the wall clock is behind what has been promised. REQUIRES: w.mu.
func (w *wallClock) isBehind(wall time.Time) time.Duration {
	if w.promised == 0 {
		return 0
	}
	return w.promised.Std().Sub(wall)
}

// promise notes a low watermark.
func (w *wallClock) promise(low event.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.promised = max(w.promised, low)
}

// acked notes whether Kafka takes records with the times that the client gives them, and reports
// whether err says that it does not.
func (w *wallClock) acked(err error) (refused bool) {
	refused = errors.Is(err, kerr.InvalidTimestamp)
	if err != nil && !refused {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if refused && !w.refused {
		w.log.Error("Kafka refuses records because of their time: the clock of this machine is ahead of Kafka's by more than "+
			"message.timestamp.after.max.ms of the topic allows, an hour unless configured otherwise; set it right", "now", w.now().UTC())
	}
	w.refused = refused
	return refused
}

// compared notes how far this clock is ahead of the log's, and why it can't be that of the log; nil
// if it can.
func (w *wallClock) compared(skew time.Duration, wrong error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case wrong != nil && w.logWrong == nil:
		w.log.Error("the clock of this machine is not that of the log", "err", wrong)
	case wrong == nil && w.logWrong != nil:
		w.log.Info("the clock of this machine is that of the log again")
	}
	w.logSkew, w.logWrong = skew, wrong
	w.compares++
}

// why returns the reason why events should go to another collector, nil if there is none.
func (w *wallClock) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused {
		return errors.New("the clock is ahead of Kafka's by more than Kafka takes")
	}
	if by := w.isBehind(w.now().Round(0)); by > leastStep {
		return fmt.Errorf("the clock is %s behind the time that this collector has promised to the log", by.Round(time.Millisecond))
	}
	if w.logWrong != nil {
		return w.logWrong
	}
	if left := w.stepEnds - w.elapsed(); left > 0 {
		return fmt.Errorf("the clock was set %s by %s", aheadOrBack(w.stepped), w.stepped.Abs().Round(time.Millisecond))
	}
	return nil
}

// ahead returns how far the clock is ahead of the log's, as far as that is known; below 0 it is
// behind.
func (w *wallClock) ahead() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if by := w.isBehind(w.now().Round(0)); by > leastStep {
		return -by
	}
	return w.logSkew
}

func aheadOrBack(by time.Duration) string {
	if by > 0 {
		return "ahead"
	}
	return "back"
}
