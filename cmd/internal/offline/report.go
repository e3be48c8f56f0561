package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"millrace/engine/replay"
	"millrace/engine/window"
)

// ErrDiffers ends replay --verify with exit code 1.
var ErrDiffers = errors.New("the rollup store differs from the archive")

// ErrNothing ends replay --verify with exit code 3: a mistyped site or range, or an archive that is
// not complete yet, has not been found right.
var ErrNothing = errors.New("nothing was verified: neither the archive nor the rollup store has anything complete in this range")

// PrintOptions say how PrintReplay prints.
type PrintOptions struct {
	Mode replay.Mode
	JSON bool
	Site string // the only one
}

// PrintReplay prints what a replay has done, differences first. The error is that of a verification.
func PrintReplay(w io.Writer, r *replay.Report, o PrintOptions) error {
	if o.Mode != replay.Write {
		for i := range r.Differences {
			fmt.Fprintln(w, r.Differences[i])
		}
		if more := r.Differing - int64(len(r.Differences)); more > 0 {
			fmt.Fprintf(w, "… and %d more\n", more)
		}
	}
	if o.JSON {
		if err := json.NewEncoder(w).Encode(replaySummary{
			From: r.From.Std(), To: r.To.Std(), Events: r.Events, Bots: r.Bots, Duplicates: r.Duplicates, Pings: r.Pings, Visits: allVisits(r),
			windowCounts: countsOf(r.Total()), Differences: r.Differing, Kinds: kindCounts(r),
		}); err != nil {
			return err
		}
	} else {
		say(w, r, o.Mode)
	}
	if o.Mode == replay.Verify && r.Differing > 0 {
		return ErrDiffers
	}
	if o.Mode == replay.Verify && r.Total().Windows == 0 {
		if o.Site != "" {
			return fmt.Errorf("%w of site %s", ErrNothing, o.Site)
		}
		return ErrNothing
	}
	return nil
}

// replaySummary is the output of replay --json. Its windows are those of all kinds.
type replaySummary struct {
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Events     int64     `json:"events"`
	Bots       int64     `json:"bots"`
	Duplicates int64     `json:"duplicates"`
	Pings      int64     `json:"pings"`
	Visits     int64     `json:"visits"`
	windowCounts
	Differences int64                   `json:"differences"`
	Kinds       map[string]windowCounts `json:"kinds"`
}

type windowCounts struct {
	Windows int64 `json:"windows"`
	Changed int64 `json:"changed"`
	Written int64 `json:"written"`
}

func countsOf(c replay.Counts) windowCounts { return windowCounts{c.Windows, c.Changed, c.Written} }

func kindCounts(r *replay.Report) map[string]windowCounts {
	m := make(map[string]windowCounts, len(r.Kinds))
	for k, c := range r.Kinds {
		m[window.Kind(k).String()] = countsOf(c)
	}
	return m
}

// allVisits returns how many visits began in the range.
func allVisits(r *replay.Report) (n int64) {
	for _, v := range r.Visits {
		n += v
	}
	return n
}

func say(w io.Writer, r *replay.Report, mode replay.Mode) {
	if r.From == r.To {
		what := "nothing to do"
		if mode == replay.Verify {
			what = "nothing was verified"
		}
		fmt.Fprintf(w, "The archive has nothing complete in this range: %s.\n", what)
		return
	}
	const minute = "2006-01-02 15:04"
	fmt.Fprintf(w, "%s to %s UTC: %d events (%d of bots), %d visits, in %d minutes, %d hours and %d quarters of visits: ",
		r.From.Std().Format(minute), r.To.Std().Format(minute), r.Events, r.Bots, allVisits(r),
		r.Kinds[window.Minute].Windows, r.Kinds[window.Hour].Windows, r.Kinds[window.Visits].Windows)
	switch {
	case mode == replay.Verify:
		fmt.Fprintf(w, "%d differences\n", r.Differing)
	case mode == replay.DryRun:
		fmt.Fprintf(w, "%d windows would change\n", r.Total().Changed)
	default:
		fmt.Fprintf(w, "%d windows changed\n", r.Total().Changed)
	}
}
