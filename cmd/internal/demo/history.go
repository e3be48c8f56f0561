package demo

import (
	"bufio"
	"io"
	"time"
)

// WriteDay writes the traffic of a UTC day that happened before until as NDJSON, at so many events a second, and returns the
// number of events. The same day and rate give the same events, ids included; one that is cut earlier gives the first of them.
func WriteDay(w io.Writer, day time.Time, until time.Time, rate float64) (events int, err error) {
	day = day.UTC().Truncate(24 * time.Hour)
	if end := day.AddDate(0, 0, 1); end.Before(until) {
		until = end
	}
	out := bufio.NewWriter(w)
	t := newTraffic(uint64(day.Unix()), rate, day)
	for {
		due, b := t.next()
		if !due.Before(until) {
			return events, out.Flush()
		}
		b.Time = due.UnixMilli()
		if _, err := out.Write(append(b.body(), '\n')); err != nil {
			return events, err
		}
		events++
	}
}
