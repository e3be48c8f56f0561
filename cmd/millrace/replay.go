package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/offline"
	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
)

// replayCommand recomputes windows from the archive.
type replayCommand struct {
	From       string `placeholder:"TIME" group:"Range" help:"First day or instant, 2026-03-01 or 2026-03-01T13:00:00Z. Default: where the archive begins, or 14 hours later if it began in the midst of the log."`
	To         string `placeholder:"TIME" group:"Range" help:"Last day, or the instant it ends before. Default: as far as the archive is complete."`
	Site       string `placeholder:"SITE" group:"Range" help:"Only this site."`
	Incomplete bool   `group:"Range" help:"Let the range begin before the archive does, where that began in the midst of the log: what was counted there of events that are not archived is lost. Also count where the archive has lost events."`
	LogLost    bool   `group:"Range" help:"The log that the archive was made of is gone, and serve has begun another: count the last hours and visits of the archive too, which nothing else will finish. It is so by itself where --s3 names an archive and the data folder has had no log yet."`
	DryRun     bool   `xor:"mode" group:"Mode" help:"Change nothing, print what would change."`
	Verify     bool   `xor:"mode" group:"Mode" help:"Change nothing, print each difference, and exit with 1 if there is one, with 3 if there was nothing to compare."`
	JSON       bool   `name:"json" group:"Mode" help:"Print the summary as JSON."`

	storeFlags    `embed:""`
	countingFlags `embed:""`
}

// Help is the text behind the list of flags.
func (replayCommand) Help() string {
	return `Counts the archived events again with the engine's own code, and makes the rollup store hold just that.
Use it after a bug was fixed, for events that came too late, or when the store is lost.

Examples:

  millrace replay --verify
      prove that the store is right; exit code 0: it is, 1: it differs, 3: there was nothing to compare

  millrace replay --from 2026-03-01 --to 2026-03-31 --site shop.example.com
      compute March of one site again

Days are UTC. serve may run on the same folder. Windows that
have fired since the archive was written last are left as they are: they may hold late events that are not archived yet. In InfluxDB those are
all that ended in the last hour.`
}

// errDiffers ends replay --verify with exit code 1.
var errDiffers = errors.New("the rollup store differs from the archive")

// errNothing ends replay --verify with exit code 3: a mistyped site or range, or an archive that is
// not complete yet, has not been found right.
var errNothing = errors.New("nothing was verified: neither the archive nor the rollup store has anything complete in this range")

func (c *replayCommand) Run(p *process, logs *logFlags) (err error) {
	if err := c.storeFlags.validate(); err != nil {
		return err
	}
	from, to, err := c.instants()
	if err != nil {
		return err
	}
	sites, err := c.sites("")
	if err != nil {
		return err
	}
	log := logs.open(p.stderr)
	s, err := offline.Open(c.storeFlags.offline(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	report, err := s.Replay(p.ctx, offline.ReplayOptions{
		From: from, To: to, Site: c.Site, Incomplete: c.Incomplete, LogLost: c.LogLost, Mode: c.mode(),
		NewDeriver: deriverOf(sites), KeptFrom: keptFrom(sites), NoGoals: c.Goals == "" && c.SitesFile == "", Steps: steps(p.stderr), Log: log,
	})
	if errors.Is(err, replay.ErrBegan) {
		return fmt.Errorf("%w; --incomplete counts what it has, and what the store has of the rest is lost", err)
	}
	if errors.Is(err, lake.ErrLost) {
		return errors.Join(c.printLost(p.stdout, &report), fmt.Errorf("%w; their numbers are in the rollup store and stay there. "+
			"Put the objects back from a copy of the archive; or --incomplete counts what it has, and what the store has of the rest is lost", err))
	}
	if err != nil {
		return err
	}
	return c.print(p.stdout, &report)
}

func (c *replayCommand) mode() replay.Mode {
	switch {
	case c.Verify:
		return replay.Verify
	case c.DryRun:
		return replay.DryRun
	}
	return replay.Write
}

// printLost prints what was compared of an archive that has lost events.
func (c *replayCommand) printLost(w io.Writer, r *replay.Report) error {
	if c.mode() == replay.Write {
		return nil // nothing was done
	}
	if err := c.print(w, r); !errors.Is(err, errDiffers) {
		return err
	}
	return nil
}

// print prints what was done, differences first.
func (c *replayCommand) print(w io.Writer, r *replay.Report) error {
	if c.Verify || c.DryRun {
		for i := range r.Differences {
			fmt.Fprintln(w, r.Differences[i])
		}
		if more := r.Differing - int64(len(r.Differences)); more > 0 {
			fmt.Fprintf(w, "… and %d more\n", more)
		}
	}
	if c.JSON {
		if err := json.NewEncoder(w).Encode(replaySummary{
			From: r.From.Std(), To: r.To.Std(), Events: r.Events, Bots: r.Bots, Duplicates: r.Duplicates, Pings: r.Pings, Visits: allVisits(r),
			windowCounts: countsOf(r.Total()), Differences: r.Differing, Kinds: kindCounts(r),
		}); err != nil {
			return err
		}
	} else {
		c.say(w, r)
	}
	if c.Verify && r.Differing > 0 {
		return errDiffers
	}
	if c.Verify && r.Total().Windows == 0 {
		if c.Site != "" {
			return fmt.Errorf("%w of site %s", errNothing, c.Site)
		}
		return errNothing
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

func (c *replayCommand) say(w io.Writer, r *replay.Report) {
	if r.From == r.To {
		what := "nothing to do"
		if c.Verify {
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
	case c.Verify:
		fmt.Fprintf(w, "%d differences\n", r.Differing)
	case c.DryRun:
		fmt.Fprintf(w, "%d windows would change\n", r.Total().Changed)
	default:
		fmt.Fprintf(w, "%d windows changed\n", r.Total().Changed)
	}
}

// instants reads --from and --to.
func (c *replayCommand) instants() (from, to event.Time, err error) {
	if from, to, err = cli.Range(c.From, c.To); err == nil && c.Site != "" {
		if err = event.ValidSite(c.Site); err != nil {
			err = usagef("--site: %w", err)
		}
	}
	return from, to, err
}
