//go:build unix

package front

import (
	"math"
	"syscall"
)

// Descriptors returns how many file descriptors the process may have, 0 if that is not known.
func Descriptors() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int(min(uint64(r.Cur), math.MaxInt32)) // "unlimited" is the largest number
}
