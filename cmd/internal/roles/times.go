package roles

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"millrace/cmd/internal/stores"
	"millrace/engine"
	"millrace/engine/event"
)

// Times logs what the engine finds wrong with the times in the log: events that come later than the
// lateness, which it does not count, and a watermark that lies in the future.
type Times struct {
	log *slog.Logger

	mu      sync.Mutex       // guards what follows
	dropped map[int32]uint64 // events that have been dropped, by partition, as of the last record
	unnamed uint64           // of them, events that have not been logged
	namedAt time.Time        // when dropped events were logged last
	future  time.Time        // when the future was
}

// nameEvery is the least time between two lines about dropped events, futureEvery that between two
// about the future.
const (
	nameEvery   = time.Minute
	futureEvery = time.Hour
)

// mostAhead is how far the log's times may be ahead of this machine's clock before a line is
// logged.
const mostAhead = time.Minute

// NewTimes returns a Times that has seen nothing.
func NewTimes(log *slog.Logger) *Times {
	return &Times{log: log, dropped: map[int32]uint64{}}
}

// Observe is engine.Options.Observe.
func (w *Times) Observe(partition int32, s engine.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	before, known := w.dropped[partition]
	if w.dropped[partition] = s.Counters.Dropped; known && s.Counters.Dropped > before {
		w.unnamed += s.Counters.Dropped - before
	}
	if w.unnamed > 0 && now.Sub(w.namedAt) >= nameEvery {
		w.log.Warn("events came later than --lateness, by a sender's time or a clock that is wrong: "+
			"they are archived, and the next millrace replay counts them", "events", w.unnamed, "partition", partition)
		w.unnamed, w.namedAt = 0, now
	}
	if by := s.Watermark - event.TimeOf(now); by > event.Time(mostAhead.Milliseconds()) && now.Sub(w.future) >= futureEvery {
		w.future = now
		w.log.Error("the log has times that lie in the future: the clock of a collector is or was ahead, or that of this machine is behind; "+
			"events are late until then", "topic", engine.EventsTopic, "partition", partition, "by", time.Duration(by)*time.Millisecond, "until", s.Watermark.Std())
	}
}

// WarnOfFuture logs that the log, as far as it has been counted, lies in the future: no answer is
// complete until that time comes. A rollup store that can't be read now is no reason not to start.
func WarnOfFuture(ctx context.Context, store stores.Rollups, log *slog.Logger) {
	ps, err := store.Progress(ctx)
	if err != nil {
		return
	}
	var until event.Time
	for i := range ps {
		until = max(until, ps[i].Low)
	}
	if by := time.Until(until.Std()); by > mostAhead {
		log.Error("the log has times that lie in the future: the clock of a collector is or was ahead, or that of this machine is behind; "+
			"no answer is complete until then", "topic", engine.EventsTopic, "by", by.Round(time.Second), "until", until.Std())
	}
}
