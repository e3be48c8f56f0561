//go:build !linux

package audit

import "time"

var began = time.Now()

// threadTime returns the time that has passed, which is no less than what the thread has used.
func threadTime() time.Duration { return time.Since(began) }
