package clients

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Job is what a script sends, and where to.
type Job struct {
	URL    string // of the collector or a Proxy
	Token  string // the tracker's id of the site
	Site   string // the host of the pages
	Events string // names of node/job.cjs, with commas
}

// Outcome is what a script has printed of its client, and how it ended.
type Outcome struct {
	Lines []string // "success", "failure WHY", "idle", in the order in which they came
	Exit  int      // of the process
	Text  string   // all of its output
}

// Run runs a script of a folder until it ends by itself.
func Run(ctx context.Context, folder, script string, j Job) (*Outcome, error) {
	cmd := exec.CommandContext(ctx, "node", filepath.Join(folder, script),
		"--url", j.URL, "--token", j.Token, "--site", j.Site, "--events", j.Events)
	cmd.Env = plainEnv()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s did not end: %w\n%s%s", script, context.Cause(ctx), out.String(), errs.String())
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("run %s: %w", script, err)
	}
	o := &Outcome{Exit: cmd.ProcessState.ExitCode(), Text: out.String() + errs.String()}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		switch word, _, _ := strings.Cut(lines.Text(), " "); word {
		case "success", "failure", "idle":
			o.Lines = append(o.Lines, lines.Text())
		}
	}
	return o, nil
}

// plainEnv returns the environment without what would change a client or Millrace.
func plainEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if upper := strings.ToUpper(name); strings.HasPrefix(upper, "MILLRACE_") || strings.HasSuffix(upper, "_PROXY") || strings.HasPrefix(upper, "NODE_") {
			continue
		}
		env = append(env, v)
	}
	return env
}

// Does returns what the client did after the first answer. Requests is how many it made, of one
// event.
func (o *Outcome) Does(answer Answer, requests int) Does {
	switch {
	case answer == Accepted && requests == 1:
		return Done
	case requests < 2:
		return Final
	}
	for _, line := range o.Lines {
		if line == "idle" {
			return Kept
		}
	}
	return Again
}

// Sees returns what the client told its caller last.
func (o *Outcome) Sees() Sees {
	if o.Exit != 0 {
		return Crash
	}
	sees := Nothing
	for _, line := range o.Lines {
		switch word, _, _ := strings.Cut(line, " "); word {
		case "success":
			sees = Success
		case "failure":
			sees = Failure
		}
	}
	return sees
}
