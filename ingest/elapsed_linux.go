package ingest

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceStart returns a monotonic clock that begins now. Unlike that of package time it goes on while
// the machine sleeps, so that a laptop that wakes up has not had its clock set.
func sinceStart() func() time.Duration {
	start, err := bootTime()
	if err != nil {
		begun := time.Now()
		return func() time.Duration { return time.Since(begun) }
	}
	return func() time.Duration {
		now, _ := bootTime() // it worked once
		return now - start
	}
}

func bootTime() (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Duration(ts.Nano()), err
}
