package ingest

import (
	"testing"
	"time"
)

// The clock that goes on in sleep runs as fast as that of package time, which stops there.
func TestElapsedRuns(t *testing.T) {
	elapsed, start := sinceStart(), time.Now()
	first := elapsed()
	for time.Since(start) < 20*time.Millisecond {
	}
	if a, b := elapsed()-first, time.Since(start); (a - b).Abs() > 10*time.Millisecond {
		t.Errorf("%s went by, %s by the clock of package time", a, b)
	}
}
