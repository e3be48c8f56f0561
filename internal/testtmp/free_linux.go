package testtmp

import "syscall"

// tmpfs is what statfs(2) calls a file system in memory.
const tmpfs = 0x01021994

// free returns how many bytes fit into a folder that lies in memory, 0 for any other, and for one whose programs can't be run:
// some tests build one.
func free(dir string) uint64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil || s.Type != tmpfs || s.Flags&syscall.MS_NOEXEC != 0 {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
