package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"millrace/cmd/internal/offline"
	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/importer"
	"millrace/internal/progress"
	"millrace/internal/site"
)

// importCommand reads files into the archive and counts what they hold.
type importCommand struct {
	Format     string   `required:"" enum:"combined,events" placeholder:"combined|events" group:"Input" help:"combined: an access log of Apache or nginx; each page somebody looked at is a pageview. events: a JSON object a line, as for POST /v1/events, with ts."`
	Site       string   `placeholder:"SITE" group:"Input" help:"The site of an access log, required there. Of events: take this site's only."`
	Secret     string   `placeholder:"HEX" group:"Input" help:"Secret for visitor ids, in place of that of the data folder and of a random salt that is destroyed two days after the last import. Files then have the same visitors whenever they are imported, and whoever has the secret can find out theirs for ever."`
	SecretFile string   `placeholder:"FILE" group:"Input" help:"File with the value of --secret."`
	TimeZone   string   `placeholder:"ZONE" group:"Input" help:"IANA time zone of the sites, whose midnight ends a visitor's id. Default: that of --sites-file, or UTC."`
	JSON       bool     `name:"json" group:"Output" help:"Print the summary as JSON."`
	Files      []string `arg:"" name:"file" help:"Files to read, also gzipped; - is the standard input."`

	storeFlags    `embed:""`
	countingFlags `embed:""`
}

// Help is the text behind the list of flags.
func (importCommand) Help() string {
	return `Writes the events into the archive and then counts their range again from there, so importing a file twice changes
nothing, and an import that was cut short is completed by repeating it. A line is known by its content and its rank among equal lines, so files of
one server may overlap: rotated, grown, put together or cut. Import logs of several servers as one: cat a b | millrace import … - A file that can't be opened stops everything before
anything is done; one of which no line can be read is told at the end, with exit code 1.

Events of the last hour, seen from the end of the archived stream, may be taken out of the numbers again when serve counts
their minute once more for a late event: import says how many there are, and "millrace replay" an hour later puts them in.

Examples:

  millrace import --format combined --site www.example.com access.log access.log.1.gz
  zcat events-*.ndjson.gz | millrace import --format events --json -

serve may run on the same folder.`
}

func (c *importCommand) Run(p *process, logs *logFlags) (err error) {
	if c.Format == importer.Combined && c.Site == "" {
		return usagef("--site: an access log does not say which site it is of; name it")
	}
	if c.Site != "" {
		if err := event.ValidSite(c.Site); err != nil {
			return usagef("--site: %w", err)
		}
	}
	if err := c.storeFlags.validate(); err != nil {
		return err
	}
	sites, err := c.sites(c.TimeZone)
	if err != nil {
		return err
	}
	log := logs.open(p.stderr)
	files, err := importer.OpenAll(p.ctx, c.Files, c.Format, p.stdin) // before there is a data folder with a secret of its own
	defer func() { err = errors.Join(err, importer.CloseAll(files)) }()
	if err != nil {
		return fmt.Errorf("nothing was imported: %w", err)
	}
	o := c.storeFlags.offline(log)
	o.Create, o.NeedFolder = true, c.Secret == ""
	s, err := offline.Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	id, err := s.ImportIdentity(c.Secret)
	if err != nil {
		return err
	}
	return c.importFiles(p, s, id, sites, files, log)
}

// importFiles imports files that are open, and prints what is to be said of them.
func (c *importCommand) importFiles(p *process, s *offline.Session, id *identity.Identity, sites *site.Sites,
	files []*importer.File, log *slog.Logger) error {
	of := sites.Of(c.Site)
	i, err := s.NewImport(p.ctx, offline.ImportOptions{
		Format: c.Format, Site: c.Site, Identity: id, Rules: offline.RulesOf(sites), Excludes: &of, NewDeriver: deriverOf(sites),
		Steps: steps(p.stderr), FileDone: func(r offline.FileReport) { printMalformed(p.stderr, r) }, Log: log,
	})
	if err != nil {
		return err
	}
	report, err := i.Run(p.ctx, files)
	if report == nil {
		return err
	}
	printHints(p.stderr, c.Site, report.Hints)
	return errors.Join(err, c.print(p.stdout, report.Summary))
}

// importSummary is the output of import --json; see offline.Summary.
type importSummary struct {
	Lines     int64            `json:"lines"`
	Events    int64            `json:"events"`
	Bots      int64            `json:"bots"`
	Visits    int64            `json:"visits"`
	Skipped   map[string]int64 `json:"skipped"`
	Malformed int64            `json:"malformed"`
}

func (c *importCommand) print(w io.Writer, sum offline.Summary) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(importSummary(sum))
	}
	fmt.Fprintf(w, "%d lines: %d events (%d of bots), %d visits", sum.Lines, sum.Events, sum.Bots, sum.Visits)
	for _, reason := range slices.Sorted(maps.Keys(sum.Skipped)) {
		fmt.Fprintf(w, ", %d skipped (%s)", sum.Skipped[reason], reason)
	}
	fmt.Fprintf(w, ", %d malformed\n", sum.Malformed)
	return nil
}

func printMalformed(w io.Writer, r offline.FileReport) {
	for _, m := range r.Malformed {
		fmt.Fprintf(w, "%s:%d: malformed: %s\n", r.Name, m.Line, m.Reason)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "%s: %d more malformed lines\n", r.Name, r.More)
	}
}

// printHints prints a line for each hint.
func printHints(w io.Writer, site string, h offline.Hints) {
	if h.VhostLines > 0 {
		fmt.Fprintf(w, "hint: %d of %d lines are of the virtual host %s, and all were imported for --site %s: "+
			"import each host's lines by themselves, each for its own site\n", h.VhostLines, h.Lines, h.Vhost, site)
	}
	if h.Referrers > 0 {
		fmt.Fprintf(w, "hint: %d of %d referrers are pages of %s: if that is this site's own name, --site %s takes its own pages for "+
			"sources of visits: import the log for --site %s\n", h.Referrers, h.Referred, h.Referrer, site, h.Referrer)
	}
	if h.Inner > 0 {
		fmt.Fprintf(w, "hint: %d of %d clients have a private or loopback address: if they are not on your own network, the log has the proxy's "+
			"address in place of the visitors', who can't be told apart\n", h.Inner, h.Lines)
	}
}

// steps shows the progress of a command's steps as bars.
func steps(w io.Writer) offline.Steps {
	return func(step string) (set func(done, total, events int64), end func()) {
		bar := progress.Start(w, step)
		return bar.Set, bar.Finish
	}
}
