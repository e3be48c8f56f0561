//go:build !unix

package services

import (
	"os"
	"os/exec"
)

const exeSuffix = ".exe"

func detach(*exec.Cmd) {}

func terminate(p *os.Process) { _ = p.Kill() }

// alive says whether there is a process of that id.
func (r Running) alive() bool {
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
