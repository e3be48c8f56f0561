//go:build unix

package support

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// disk returns size and free space in bytes of the file system that a folder is on.
func disk(folder string) (size, free uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, 0, err
	}
	return s.Blocks * uint64(s.Bsize), uint64(s.Bavail) * uint64(s.Bsize), nil
}

// limits returns the limits of the process, and the kernel's name.
func limits() map[string]any {
	all := map[string]any{}
	for name, which := range map[string]int{
		"open_files": unix.RLIMIT_NOFILE, "address_space": unix.RLIMIT_AS, "data": unix.RLIMIT_DATA, "stack": unix.RLIMIT_STACK,
		"core": unix.RLIMIT_CORE, "file_size": unix.RLIMIT_FSIZE,
	} {
		var l unix.Rlimit
		if unix.Getrlimit(which, &l) == nil {
			all[name] = []uint64{uint64(l.Cur), uint64(l.Max)}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		all["kernel"] = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	for name, file := range map[string]string{
		"cgroup_memory_max": "/sys/fs/cgroup/memory.max", "cgroup_cpu_max": "/sys/fs/cgroup/cpu.max", "cgroup_pids_max": "/sys/fs/cgroup/pids.max",
	} {
		if text, err := os.ReadFile(file); err == nil {
			all[name] = strings.TrimSpace(string(text))
		}
	}
	return all
}
