//go:build unix

package services

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const exeSuffix = ""

// detach puts a server into a session of its own: it outlives us, and a Ctrl-C at the terminal is not for it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func terminate(p *os.Process) { _ = p.Signal(syscall.SIGTERM) }

// alive says whether the process runs and still is what was started: ids are used again. Where the system does not
// say what a process runs, its id has to do.
func (r Running) alive() bool {
	if err := syscall.Kill(r.PID, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.PID))
	if err != nil {
		_, statErr := os.Stat("/proc/self/exe")
		return statErr != nil // no /proc here; with one, it is gone, a zombie, or not ours
	}
	return exe == r.Binary || exe == r.Binary+" (deleted)"
}
