package parquet

import "millrace/engine/event"

// low is what a collector's envelopes in one partition have said.
type low struct {
	// Low is the latest low watermark.
	Low event.Time `json:"low"`
	// Seen is the clock of the log when that was: how far any collector had come.
	Seen event.Time `json:"seen"`
}

// lows is the watermark of a partition's log: the minimum of the collectors' latest low watermarks. A
// collector that has said nothing for longer than silent of the log's own time no longer holds it back, and is
// forgotten. It is a pure function of the envelopes in order.
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
