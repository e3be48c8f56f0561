//go:build unix

package services

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const exeSuffix = ""

// detach puts a server into a session of its own: it outlives us, and a Ctrl-C at the terminal is not for it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func terminate(p *os.Process) { _ = p.Signal(syscall.SIGTERM) }

func pause(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

// argument says whether the process was given an argument, which tells two of the same program apart. Where the system does not
// say what it was given, the answer is yes.
func (r Running) argument(arg string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.PID))
	if err != nil {
		_, statErr := os.Stat("/proc/self/cmdline")
		return statErr != nil
	}
	return len(b) == 0 || slices.Contains(strings.Split(string(b), "\x00"), arg) // nothing is left of one that is ending
}

// alive says whether the process runs and still is what was started: ids are used again. Where the system does not
// say what a process runs, its id has to do.
func (r Running) alive() bool {
	if err := syscall.Kill(r.PID, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.PID))
	if errors.Is(err, os.ErrNotExist) && r.ending() {
		return true
	}
	if err != nil {
		_, statErr := os.Stat("/proc/self/exe")
		return statErr != nil // no /proc here; with one, it is gone, a zombie, or not ours
	}
	return exe == r.Binary || exe == r.Binary+" (deleted)"
}

// ending says whether a process whose program is gone still holds its files and ports: it has not come to closing them, or
// its first thread has ended and others have not. The fields are those of proc(5).
func (r Running) ending() bool {
	const exiting = 0x4 // PF_EXITING; a thread of the kernel has no program either, but not this
	dir := fmt.Sprintf("/proc/%d/", r.PID)
	text, err := os.ReadFile(dir + "stat")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 7 {
		return false
	}
	if state := fields[0]; state == "Z" {
		threads, _ := os.ReadDir(dir + "task")
		return len(threads) > 1
	}
	flags, _ := strconv.ParseUint(fields[6], 10, 64)
	return flags&exiting != 0
}
