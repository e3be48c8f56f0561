package main

import (
	"errors"
	"fmt"
	"io"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/offline"
	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/engine/replay"
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
	if err := c.print(w, r); !errors.Is(err, offline.ErrDiffers) {
		return err
	}
	return nil
}

// print prints what was done, differences first.
func (c *replayCommand) print(w io.Writer, r *replay.Report) error {
	return offline.PrintReplay(w, r, offline.PrintOptions{Mode: c.mode(), JSON: c.JSON, Site: c.Site})
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
