//go:build linux || darwin || freebsd

package server

import "golang.org/x/sys/unix"

// freeSpace returns how many bytes a user may still write on the disk of a folder.
func freeSpace(dir string) (bytes uint64, known bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil || s.Bavail < 0 {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}
