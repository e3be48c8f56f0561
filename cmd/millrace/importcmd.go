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
	"time"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/importfile"
	"millrace/emit/parquet"
	"millrace/engine"
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

	storeFlags    `embed:""`
	countingFlags `embed:""`
}

// Help is the text behind the list of flags.
func (importCommand) Help() string {
	return `Writes the events into the archive and then counts their range again from there, so importing a file twice changes
nothing, and an import that was cut short is completed by repeating it. A file that can't be opened stops everything before
anything is done; one of which no line can be read is told at the end, with exit code 1.

Events of the last hour, seen from the end of the archived stream, may be taken out of the numbers again when serve counts
their minute once more for a late event: import says how many there are, and "millrace replay" an hour later puts them in.

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
	newDeriver, err := c.newDeriver()
	if err != nil {
		return err
	}
	log := logs.open(p.stderr)
	files, err := c.open(p) // before there is a data folder with a secret of its own
	defer func() { err = errors.Join(err, closeFiles(files)) }()
	if err != nil {
		return fmt.Errorf("nothing was imported: %w", err)
	}
	off, err := openOffline(&c.storeFlags, true, c.Secret == "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	id, err := c.identity(off)
	if err != nil {
		return err
	}
	i := newImported(c, p, log, off, id)
	i.newDeriver = newDeriver
	if err := i.findEnd(); err != nil {
		return err
	}
	return i.all(files)
}

// open opens all files, so that a wrong name is told before anything is done. The error names each that can't be read.
func (c *importCommand) open(p *process) (files []*importfile.File, err error) {
	var errs []error
	for _, path := range c.Files {
		f, err := importfile.Open(p.ctx, path, p.stdin)
		if err != nil {
			errs = append(errs, err)
			if p.ctx.Err() != nil {
				break
			}
			continue
		}
		files = append(files, f)
	}
	return files, errors.Join(errs...)
}

func closeFiles(files []*importfile.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
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
// Visits is how many the imported sites have in the range of time of the events.
type importSummary struct {
	Lines     int64            `json:"lines"`
	Events    int64            `json:"events"`
	Bots      int64            `json:"bots"`
	Visits    int64            `json:"visits"`
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

	newDeriver func() engine.Deriver

	sum      importSummary
	sites    map[string]bool
	from, to event.Time // of the events: the first, and just behind the last

	end     event.Time // of the archived stream
	streams bool       // whether there is one
	recent  int64      // events of minutes before the end that may change
	behind  int64      // events behind the end of the stream
}

func newImported(c *importCommand, p *process, log *slog.Logger, off *offline, id *enrich.Identity) *imported {
	return &imported{
		command: c, process: p, log: log, off: off, id: id,
		facts: facts.New(facts.Options{}),
		sum:   importSummary{Skipped: map[string]int64{}},
		sites: map[string]bool{},
	}
}

// unsettled is how long before the end of the stream minutes begin that the engine may fire again: the default of serve's
// --lateness, which is not known here.
const unsettled = event.Hour

// findEnd asks where the archived stream ends. Where there is none, serve can begin one now.
func (i *imported) findEnd() (err error) {
	i.end, i.streams, err = lake{parquet.NewLake(i.off.stores.lake)}.CompleteUntil(i.process.ctx)
	if err != nil {
		return fmt.Errorf("ask the archive where its stream ends: %w", err)
	}
	if !i.streams {
		i.end = event.TimeOf(time.Now())
	}
	return nil
}

// all imports the files and counts what got into the archive, also if one of them fails on the way.
func (i *imported) all(files []*importfile.File) error {
	var errs []error
	for _, f := range files {
		err := i.file(f)
		if err == nil {
			continue
		}
		errs = append(errs, err)
		if !errors.Is(err, errNoLine) {
			errs = append(errs, errors.New("repeat the import to complete it"))
			if i.process.ctx.Err() != nil {
				return errors.Join(errs...) // told to stop: nothing can be counted now, and the repetition will
			}
			break
		}
	}
	if err := i.count(); err != nil {
		errs = append(errs, fmt.Errorf("%w; the events are in the archive: millrace replay counts them", err))
		return errors.Join(errs...)
	}
	i.warn()
	return errors.Join(append(errs, i.print())...)
}

// warn tells of events that the numbers lack, or may lack again.
func (i *imported) warn() {
	if i.recent > 0 {
		i.log.Warn("events are so recent that serve may yet count their minutes without them: run \"millrace replay\" in an hour",
			"events", i.recent, "since", i.end-unsettled)
	}
	if i.behind > 0 {
		i.log.Warn("events are behind the end of the archived stream and not counted: run \"millrace replay\" once serve has passed them, an hour later",
			"events", i.behind, "end", i.end)
	}
}

// errNoLine is wrapped by the error about a file whose lines are all malformed.
var errNoLine = errors.New("not one line could be read")

// file writes one file into the archive.
func (i *imported) file(f *importfile.File) error {
	ctx := i.process.ctx
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
	if s.Malformed > 0 && s.Malformed == s.Lines-s.Skipped[importfile.SkipEmpty] {
		return fmt.Errorf("%s: %w as --format %s: is it a text file of that format?", f.Name, errNoLine, i.command.Format)
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
	switch {
	case i.streams && e.Time >= i.end.Floor(event.Minute):
		i.behind++
	case e.Time >= i.end-unsettled:
		i.recent++
	}
}

// count makes the rollup store hold the archive's windows of the imported range.
func (i *imported) count() error {
	if len(i.sites) == 0 {
		return nil
	}
	ctx := i.process.ctx
	l := lake{parquet.NewLake(i.off.stores.lake)}
	o := replay.Options{
		Lake: l, Reader: i.off.stores.rollups(), Sink: i.off.stores.replaySink(), Limit: valuesPerFamily, MaxDifferences: 1, NewDeriver: i.newDeriver,
		From: i.from.Floor(event.Minute), To: (i.to + event.Minute - 1).Floor(event.Minute),
	}
	if len(i.sites) == 1 {
		for site := range i.sites {
			o.Site = site
		}
	}
	a, err := readArchived(ctx, l.Lake)
	if err != nil {
		return err
	}
	o.Partitions, o.Version = a.partitions, a.version
	// Where a stream is archived too, minutes that it is not done with can't be counted yet.
	if i.streams {
		o.To = max(min(o.To, i.end.Floor(event.Minute)), o.From)
	}
	if err := i.keepUnarchived(ctx, &o); err != nil {
		return err
	}
	if o.To <= o.From {
		return nil
	}
	bar := progress.Start(i.process.stderr, "count")
	defer bar.Finish()
	o.Progress = func(p replay.Progress) { bar.Set(int64(p.Hours), int64(p.HoursTotal), p.Events) }
	report, err := replay.Run(ctx, o)
	for site := range i.sites {
		i.sum.Visits += report.Visits[site]
	}
	return err
}

// keepUnarchived leaves the time before the archive began out of the range, if the store has numbers of the sites there that it
// may have from a stream.
func (i *imported) keepUnarchived(ctx context.Context, o *replay.Options) error {
	whole, err := o.CompleteFrom(ctx)
	if err != nil || o.From >= whole {
		return err
	}
	for _, site := range slices.Sorted(maps.Keys(i.sites)) {
		found, err := hasNumbers(ctx, o.Reader, site, o.From, min(o.To, whole))
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		i.log.Warn("events from before the archive began are in it, but not counted, because the store has numbers of that time that the archive does not have: "+
			"\"millrace replay --incomplete --from … --site …\" puts the archive's in their place", "site", site, "from", o.From, "archive", whole)
		o.From = whole
		return nil
	}
	o.Incomplete = true // there is nothing to lose
	return nil
}

// hasNumbers tells whether the store has any event of a site in [from, to).
func hasNumbers(ctx context.Context, r replay.Reader, site string, from, to event.Time) (found bool, err error) {
	sel := window.Selection{Kind: window.Minute, Site: site, Family: window.Totals, From: from, To: to}
	err = r.Scan(ctx, sel, func(start event.Time, _ bool, p *window.Point) error {
		found = found || start >= from && start < to && p.Events > 0
		return nil
	})
	return found, err
}

func (i *imported) print() error {
	if i.command.JSON {
		return json.NewEncoder(i.process.stdout).Encode(i.sum)
	}
	w := i.process.stdout
	fmt.Fprintf(w, "%d lines: %d events (%d of bots), %d visits", i.sum.Lines, i.sum.Events, i.sum.Bots, i.sum.Visits)
	for _, reason := range slices.Sorted(maps.Keys(i.sum.Skipped)) {
		fmt.Fprintf(w, ", %d skipped (%s)", i.sum.Skipped[reason], reason)
	}
	fmt.Fprintf(w, ", %d malformed\n", i.sum.Malformed)
	return nil
}
