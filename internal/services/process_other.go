//go:build !unix

package services

import (
	"errors"
	"os"
	"os/exec"
)

const exeSuffix = ".exe"

func detach(*exec.Cmd) {}

func terminate(p *os.Process) { _ = p.Kill() }

func pause(*os.Process) error {
	return errors.New("processes can't be paused on this system")
}

func resume(*os.Process) error { return nil }

func (Running) argument(string) bool { return true }

// alive says whether there is a process of that id.
func (r Running) alive() bool {
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
