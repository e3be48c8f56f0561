package offline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/ingest/identity"
	"millrace/ingest/importer"
	"millrace/internal/site"
)

// ImportOptions are the settings of an import.
type ImportOptions struct {
	// Format is that of all files: importer.Combined or importer.Events.
	Format string
	// Site is that of an access log; of events it is the only one taken, or all if it is empty.
	Site string
	// Identity hashes visitors. Required.
	Identity *identity.Identity
	// Rules returns how the visitors of a site are told apart. Required.
	Rules func(site string) identity.Rule
	// Excludes is the site of an access log, which leaves out what that does not count; nil for
	// nothing.
	Excludes *site.Site
	// NewDeriver makes the deriver of each partition. Required.
	NewDeriver func() engine.Deriver
	Steps      Steps
	// FileDone is called behind each file with what was wrong with its lines; it may be nil.
	FileDone func(FileReport)
	Log      *slog.Logger
}

// RulesOf returns the rules of configured sites.
func RulesOf(sites *site.Sites) func(site string) identity.Rule {
	return func(id string) identity.Rule {
		of := sites.Of(id)
		return identity.Rule{Zone: of.TimeZone, ByClient: of.ClientIDs}
	}
}

// FileReport has the malformed lines of a file.
type FileReport struct {
	Name      string
	Malformed []importer.Malformed // the first ones
	More      int64                // how many besides
}

// Summary counts what was imported. Lines = Events + the sum of Skipped + Malformed; Bots are among
// Events. Visits is how many the imported sites have in the range of time of the events.
type Summary struct {
	Lines     int64
	Events    int64
	Bots      int64
	Visits    int64
	Skipped   map[string]int64 // by reason
	Malformed int64
}

// ImportReport is the result of an import.
type ImportReport struct {
	Summary Summary
	Hints   Hints
}

// Import writes files into the archive and counts their range of time again from there. It belongs
// to one goroutine.
type Import struct {
	s     *Session
	o     ImportOptions
	facts *enrich.Deriver

	placed lake.Placed // nil until it is needed
	signs  signs

	sum      Summary
	sites    map[string]bool
	topics   []string   // of the files that are in the archive
	from, to event.Time // of the events: the first, and just behind the last

	end     event.Time // of the archived stream
	streams bool       // whether there is one
	// unsettled is how long before the end of the stream minutes begin that the engine may fire
	// again: the lateness of its rules.
	unsettled event.Time
	recent    int64 // events of minutes before the end that may change
	behind    int64 // events behind the end of the stream

	release func() // of Session.hold; nil: nothing was written yet
}

// NewImport begins an import, and reads where the archived stream ends. Where there is none, serve
// can begin one now.
func (s *Session) NewImport(ctx context.Context, o ImportOptions) (*Import, error) {
	r, err := s.streamRules(ctx)
	if err != nil {
		return nil, err
	}
	i := newImport(s, o, r)
	if i.end, i.streams, err = NewLake(s.Stores.Lake).CompleteUntil(ctx); err != nil {
		return nil, fmt.Errorf("ask the archive where its stream ends: %w", err)
	}
	if !i.streams {
		i.end = event.TimeOf(time.Now())
	}
	return i, nil
}

func newImport(s *Session, o ImportOptions, r engine.Rules) *Import {
	return &Import{
		s: s, o: o,
		facts: enrich.New(enrich.Options{}),
		sum:   Summary{Skipped: map[string]int64{}},
		sites: map[string]bool{},

		unsettled: r.Lateness,
	}
}

// Run imports the files and counts what got into the archive, also if one of them fails on the way.
// The report is nil where nothing was counted; it may come with an error about some of the files.
func (i *Import) Run(ctx context.Context, files []*importer.File) (*ImportReport, error) {
	defer i.done()
	var errs []error
	for _, f := range files {
		err := i.Add(ctx, f)
		if err == nil {
			continue
		}
		errs = append(errs, err)
		if !errors.Is(err, errNoLine) {
			errs = append(errs, errors.New("repeat the import to complete it"))
			if ctx.Err() != nil {
				return nil, errors.Join(errs...) // stopped: nothing can be counted now, and the repetition will
			}
			break
		}
	}
	if err := i.Count(ctx); err != nil {
		errs = append(errs, fmt.Errorf("%w; the events are in the archive: millrace replay counts them", err))
		return nil, errors.Join(errs...)
	}
	i.warn()
	return &ImportReport{Summary: i.sum, Hints: i.signs.hints(i.o.Site, i.facts)}, errors.Join(errs...)
}

// Summary returns what was counted so far.
func (i *Import) Summary() Summary { return i.sum }

// warn reports events that the numbers lack, or may lack again.
func (i *Import) warn() {
	i.s.warnLeft(i.o.Log)
	soon, later := "in an hour", "an hour later"
	if i.unsettled != event.Hour {
		span := (time.Duration(i.unsettled) * time.Millisecond).String()
		soon, later = "in "+span, span+" later"
	}
	if i.recent > 0 {
		i.o.Log.Warn("events are so recent that serve may yet count their minutes without them: run \"millrace replay\" "+soon,
			"events", i.recent, "since", i.end-i.unsettled)
	}
	if i.behind > 0 {
		i.o.Log.Warn("events are behind the end of the archived stream and not counted: run \"millrace replay\" once serve "+
			"has passed them, "+later, "events", i.behind, "end", i.end)
	}
}

// errNoLine is wrapped by the error about a file whose lines are all malformed.
var errNoLine = errors.New("not one line could be read")

// done ends what Add has begun: the archive has nothing more that is not counted.
func (i *Import) done() {
	if i.release != nil {
		i.release()
	}
	i.release = nil
}

// Add writes one file into the archive. Count, or the end of ctx, is to follow.
func (i *Import) Add(ctx context.Context, f *importer.File) error {
	if i.o.Excludes != nil {
		f.Exclude(i.o.Excludes)
	}
	topic, err := lake.ImportTopic(f.Digest(i.o.Site))
	if err != nil {
		return err
	}
	if i.release == nil {
		i.release = i.s.hold(ctx, "import")
	}
	r, err := f.Read(i.o.Site, i.o.Identity, i.o.Rules)
	if err != nil {
		return err
	}
	if err := i.write(ctx, lake.NewImporter(i.s.Stores.Lake, topic), r); err != nil {
		return fmt.Errorf("import %s: %w", f.Name, err)
	}
	i.topics = append(i.topics, topic)
	if err := i.supersede(ctx, f); err != nil {
		return fmt.Errorf("import %s: %w", f.Name, err)
	}
	i.signs.add(r.Signs())
	sum := r.Summary()
	if i.o.FileDone != nil {
		first := r.Malformed()
		i.o.FileDone(FileReport{Name: f.Name, Malformed: first, More: sum.Malformed - int64(len(first))})
	}
	i.sum.Lines += sum.Lines
	i.sum.Events += sum.Events
	i.sum.Malformed += sum.Malformed
	for reason, n := range sum.Skipped {
		i.sum.Skipped[reason] += n
	}
	if sum.Malformed > 0 && sum.Malformed == sum.Lines-sum.Skipped[importer.SkipEmpty] {
		return fmt.Errorf("%s: %w as --format %s: is it a text file of that format?", f.Name, errNoLine, i.o.Format)
	}
	return nil
}

func (i *Import) write(ctx context.Context, to *lake.Importer, r *importer.Reader) error {
	set, end := i.o.Steps.start("import")
	defer end()
	return r.Write(ctx, to, i.note, set)
}

// supersede deletes what a build before has imported of the same file, now that the file is in the
// archive by the rules of this one, and has its time counted again too.
func (i *Import) supersede(ctx context.Context, f *importer.File) error {
	topic, err := lake.PlacedTopic(f.PlacedDigest(i.o.Site))
	if err != nil {
		return err
	}
	l := lake.NewReader(i.s.Stores.Lake)
	if i.placed == nil {
		if i.placed, err = l.FindPlaced(ctx); err != nil {
			return err
		}
	}
	from, to, err := l.Supersede(ctx, i.placed, topic)
	if err != nil || from == to {
		return err
	}
	if i.to == 0 || from < i.from {
		i.from = from
	}
	i.to = max(i.to, to)
	if i.o.Site != "" {
		i.sites[i.o.Site] = true
	}
	return nil
}

// note keeps what the summary and the counting need of an event.
func (i *Import) note(e *event.Event) {
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
	case e.Time >= i.end-i.unsettled:
		i.recent++
	}
}
