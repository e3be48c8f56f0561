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
	"strconv"
	"strings"
	"time"
)

// Job is what a script sends, and where to.
type Job struct {
	URL    string // of the collector or a Proxy
	Token  string // the tracker's id of the site
	Site   string // the host of the pages
	Events string // names of node/job.cjs, with commas
}

// Outcome is what a script or a page has printed of its client, and how it ended.
type Outcome struct {
	Lines  []string  // "success", "failure WHY", in the order in which they came
	Errors []string  // of a page: exceptions, and what the browser says about its requests
	Idle   time.Time // from when on the client would do nothing by itself, zero if it ended before
	Exit   int       // of the process, 0 for a page
	Text   string    // all of its output
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
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "success", "failure":
			o.Lines = append(o.Lines, lines.Text())
		case "idle":
			msec, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", script, err)
			}
			o.Idle = time.UnixMilli(msec)
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

// Does returns what the client did after the first answer: how many requests it made of one event,
// and how many of them before it was idle.
func (o *Outcome) Does(answer Answer, requests, before int) Does {
	switch {
	case answer == Accepted && requests == 1:
		return Done
	case requests < 2:
		return Final
	case before < 2:
		return Kept
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
