package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// within is how long one probe may take.
const within = 20 * time.Second

// Probe is one thing that is tried.
type Probe struct {
	// Name is what is tried, in a few words, each once in a list.
	Name string
	// Needs is the name of a probe before this one; where that fails this one is not tried. "" is
	// none.
	Needs string
	// Run tries it, and returns what was found, in a few words, or what is wrong and how to mend it.
	// A Warning is no failure. It ends with its context.
	Run func(context.Context) (found string, err error)
}

// Warning is the error of a probe that has found what to look at, and what keeps nothing from
// working.
type Warning string

func (w Warning) Error() string { return string(w) }

// Run tries all, prints a line for each, and returns how many failed, and how many were not tried.
func Run(ctx context.Context, w io.Writer, probes []Probe) (failed, untried int) {
	width := 0
	for _, p := range probes {
		width = max(width, len(p.Name))
	}
	bad := map[string]bool{}
	for _, p := range probes {
		result, text := "ok", ""
		if p.Needs != "" && bad[p.Needs] {
			result, text = "-", "not tried, it needs "+p.Needs
			untried++
		} else {
			var err error
			var warning Warning
			if text, err = try(ctx, p); errors.As(err, &warning) {
				result, text = "warn", string(warning)
			} else if err != nil {
				result, text = "FAIL", err.Error()
				failed++
			}
		}
		bad[p.Name] = result == "FAIL" || result == "-"
		text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+strings.Repeat(" ", 6))
		fmt.Fprintln(w, strings.TrimSpace(fmt.Sprintf("%-4s  %-*s  %s", result, width, p.Name, text)))
	}
	return failed, untried
}

func try(ctx context.Context, p Probe) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	found, err := p.Run(ctx)
	if err != nil && ctx.Err() != nil {
		return "", fmt.Errorf("no answer within %v: %w", within, err)
	}
	return found, err
}
