package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/importfile"
	"millrace/emit/parquet"
	"millrace/engine/event"
	"millrace/engine/facts"
	"millrace/engine/replay"
	"millrace/engine/window"
	"millrace/ingest/enrich"
	"millrace/internal/progress"
)

// importCommand reads files into the archive and counts what they hold.
type importCommand struct {
	Format string   `required:"" enum:"combined,events" placeholder:"combined|events" group:"Input" help:"combined: an access log of Apache or nginx; each page somebody looked at is a pageview. events: a JSON object a line, as for POST /v1/events, with ts."`
	Site   string   `placeholder:"SITE" group:"Input" help:"The site of an access log, required there. Of events: take this site's only."`
	Secret string   `placeholder:"HEX" group:"Input" help:"Secret for visitor ids, the one that serve has. Default: that of the data folder."`
	JSON   bool     `name:"json" group:"Output" help:"Print the summary as JSON."`
	Files  []string `arg:"" name:"file" help:"Files to read, also gzipped; - is the standard input."`

	storeFlags `embed:""`
}

// Help is the text behind the list of flags.
func (importCommand) Help() string {
	return `Writes the events into the archive and then counts their range again from there, so importing a file twice changes
nothing, and an import that was cut short is completed by repeating it.

Examples:

  millrace import --format combined --site www.example.com access.log access.log.1.gz
  zcat events-*.ndjson.gz | millrace import --format events --json -

With a local store or archive serve must not run on the same folder.`
}

func (c *importCommand) Run(p *process, logs *logFlags) (err error) {
	if c.Format == importfile.Combined && c.Site == "" {
		return usagef("--site: an access log does not say which site it is of; name it")
	}
	if c.Site != "" {
		if err := event.ValidSite(c.Site); err != nil {
			return usagef("--site: %w", err)
		}
	}
	log := logs.open(p.stderr)
	off, err := openOffline(&c.storeFlags, true, c.Secret == "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	id, err := c.identity(off)
	if err != nil {
		return err
	}
	i := &imported{
		command: c, process: p, log: log, off: off, id: id,
		facts: facts.New(facts.Options{}),
		sum:   importSummary{Skipped: map[string]int64{}},
		sites: map[string]bool{},
	}
	for _, path := range c.Files {
		if err := i.file(path); err != nil {
			return err
		}
	}
	if err := i.count(); err != nil {
		return fmt.Errorf("%w; the events are in the archive: millrace replay counts them", err)
	}
	return i.print()
}

func (c *importCommand) identity(off *offline) (*enrich.Identity, error) {
	if c.Secret != "" {
		secret, err := datadir.ParseSecret(c.Secret)
		if err != nil {
			return nil, usagef("--secret: %w", err)
		}
		return enrich.New(secret)
	}
	secret, err := off.dir.Secret()
	if err != nil {
		return nil, err
	}
	return enrich.New(secret)
}

// importSummary is the output of import --json. Lines = Events + the sum of Skipped + Malformed; Bots are among Events.
type importSummary struct {
	Lines     int64            `json:"lines"`
	Events    int64            `json:"events"`
	Bots      int64            `json:"bots"`
	Skipped   map[string]int64 `json:"skipped"`
	Malformed int64            `json:"malformed"`
}

// imported is one run of the command.
type imported struct {
	command *importCommand
	process *process
	log     *slog.Logger
	off     *offline
	id      *enrich.Identity
	facts   *facts.Deriver

	sum      importSummary
	sites    map[string]bool
	from, to event.Time // of the events: the first, and just behind the last
}

// file writes one file into the archive.
func (i *imported) file(path string) error {
	ctx := i.process.ctx
	f, err := importfile.Open(ctx, path, i.process.stdin)
	if err != nil {
		return err
	}
	defer f.Close()
	topic, err := parquet.ImportTopic(f.Digest(i.command.Format, i.command.Site))
	if err != nil {
		return err
	}
	r, err := f.Read(i.command.Format, i.command.Site, i.id)
	if err != nil {
		return err
	}
	if err := i.archive(ctx, parquet.NewImporter(i.off.stores.lake, topic), f, r); err != nil {
		return fmt.Errorf("import %s: %w", f.Name, err)
	}
	for _, m := range r.Malformed() {
		fmt.Fprintf(i.process.stderr, "%s:%d: malformed: %s\n", f.Name, m.Line, m.Reason)
	}
	s := r.Summary()
	if more := s.Malformed - int64(len(r.Malformed())); more > 0 {
		fmt.Fprintf(i.process.stderr, "%s: %d more malformed lines\n", f.Name, more)
	}
	i.sum.Lines += s.Lines
	i.sum.Events += s.Events
	i.sum.Malformed += s.Malformed
	for reason, n := range s.Skipped {
		i.sum.Skipped[reason] += n
	}
	return nil
}

func (i *imported) archive(ctx context.Context, to *parquet.Importer, f *importfile.File, r *importfile.Reader) error {
	const barEvery = 1024
	bar := progress.Start(i.process.stderr, "import")
	defer bar.Finish()
	for r.Scan() {
		e := r.Event()
		if err := to.Add(ctx, e, r.Line()-1); err != nil {
			return err
		}
		i.note(e)
		if r.Line()%barEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			bar.Set(r.Read(), f.Bytes, r.Line())
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	return to.Close(ctx)
}

// note keeps what the summary and the counting need of an event.
func (i *imported) note(e *event.Event) {
	var row window.Row
	i.facts.Row(e, &row)
	if row.Flags&window.BotRow != 0 {
		i.sum.Bots++
	}
	if !i.sites[e.Site] {
		i.sites[strings.Clone(e.Site)] = true
	}
	if i.to == 0 || e.Time < i.from {
		i.from = e.Time
	}
	i.to = max(i.to, e.Time+1)
}

// count makes the rollup store hold the archive's windows of the imported range.
func (i *imported) count() error {
	if len(i.sites) == 0 {
		return nil
	}
	ctx := i.process.ctx
	l := lake{parquet.NewLake(i.off.stores.lake)}
	o := replay.Options{
		Lake: l, Reader: i.off.stores.rollups(), Sink: i.off.stores.rollups(), Limit: valuesPerFamily,
		From: i.from.Floor(event.Minute), To: (i.to + event.Minute - 1).Floor(event.Minute),
	}
	if len(i.sites) == 1 {
		for site := range i.sites {
			o.Site = site
		}
	}
	// Where a stream is archived too, minutes that it is not done with can't be counted yet.
	until, streams, err := l.CompleteUntil(ctx)
	if err != nil {
		return err
	}
	if streams && o.To > until {
		o.To = max(until.Floor(event.Minute), o.From)
		i.log.Warn("events behind the end of the archived stream are counted by a later replay", "end", until)
	}
	if o.To <= o.From {
		return nil
	}
	bar := progress.Start(i.process.stderr, "count")
	defer bar.Finish()
	o.Progress = func(p replay.Progress) { bar.Set(int64(p.Hours), int64(p.HoursTotal), p.Events) }
	_, err = replay.Run(ctx, o)
	return err
}

func (i *imported) print() error {
	if i.command.JSON {
		return json.NewEncoder(i.process.stdout).Encode(i.sum)
	}
	w := i.process.stdout
	fmt.Fprintf(w, "%d lines: %d events (%d of bots)", i.sum.Lines, i.sum.Events, i.sum.Bots)
	for _, reason := range slices.Sorted(maps.Keys(i.sum.Skipped)) {
		fmt.Fprintf(w, ", %d skipped (%s)", i.sum.Skipped[reason], reason)
	}
	fmt.Fprintf(w, ", %d malformed\n", i.sum.Malformed)
	return nil
}
