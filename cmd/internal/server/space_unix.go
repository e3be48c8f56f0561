//go:build linux || darwin || freebsd

package server

import "golang.org/x/sys/unix"

// freeSpace returns how many bytes a user may still write on the disk of a folder.
func freeSpace(dir string) (bytes uint64, known bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0, false
	}
	free := int64(s.Bavail) // FreeBSD's is below 0 where root has taken from what is kept for it
	return uint64(max(free, 0)) * uint64(s.Bsize), true
}
