package lake

import "millrace/engine/event"

// low is what a collector's envelopes in one partition have reported.
type low struct {
	// Low is the latest low watermark.
	Low event.Time `json:"low"`
	// Seen is the clock of the log when that was: how far any collector had come.
	Seen event.Time `json:"seen"`
}

// lows is the watermark of a partition's log: the minimum of the collectors' latest low watermarks.
// A collector that was silent for longer than silent of the log's own time no longer holds it
// back, and is forgotten. It is a pure function of the envelopes in order.
//
// It is not the engine's watermark, which says when a window fires, and must therefore neither stand
// nor go back: that one goes on by a beat while the lows stand, and takes no account of a collector
// that is new and behind. This one is how far the archive is complete, on which replay and import
// rely: it may stand for as long as a collector was ahead, goes back for one that is behind, and
// waits a minute for a silent one, where the engine waits 10 s. Its state is in each progress object.
type lows struct {
	byCollector map[string]low
	clock       event.Time // the highest low watermark so far
	silent      event.Time
}

func newLows(byCollector map[string]low, silent event.Time) *lows {
	l := &lows{byCollector: map[string]low{}, silent: silent}
	for name, c := range byCollector {
		l.byCollector[name] = c
		l.clock = max(l.clock, c.Low, c.Seen)
	}
	return l
}

func (l *lows) observe(collector string, t event.Time) {
	l.clock = max(l.clock, t)
	l.byCollector[collector] = low{Low: t, Seen: l.clock}
}

// watermark forgets silent collectors and returns the minimum of the others; 0 if there is none.
func (l *lows) watermark() event.Time {
	w, first := event.Time(0), true
	for name, c := range l.byCollector {
		switch {
		case l.clock-c.Seen > l.silent:
			delete(l.byCollector, name)
		case first || c.Low < w:
			w, first = c.Low, false
		}
	}
	return w
}
