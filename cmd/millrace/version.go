package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the release this tree is becoming; CHANGELOG.md has the same.
const version = "0.1.0-dev"

type versionCommand struct{}

func (versionCommand) Run(p *process) error {
	_, err := fmt.Fprint(p.stdout, versionLine())
	return err
}

// versionLine is what the command and the flag print.
func versionLine() string {
	return fmt.Sprintf("millrace %s%s %s %s/%s\n", version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// revision is the commit the binary was built from, " (1234abcd)", or "" where the build did not
// note it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = ", changed"
			}
		}
	}
	if commit == "" {
		return ""
	}
	return " (" + commit + dirty + ")"
}
