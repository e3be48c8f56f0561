package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
)

// Lake is the archive of raw events. It consists of files, each of which holds the events of one hour of event time out
// of one segment: a piece of one partition's log.
type Lake interface {
	// Files returns the files of the hours, by event time, that overlap [from, to), in any order. All of time is from 0 to
	// EndOfTime.
	Files(ctx context.Context, from, to event.Time) ([]File, error)
	// ReadSegment calls fn for each event of the files, which are all of one segment, in order of offset and index, each
	// once. With a site it may leave events of other sites out, if it gives an Event with no more than their Received in the
	// place of each that is of a later minute than all before, which is what duplicates go by. Events may be kept, and must not be
	// changed.
	ReadSegment(ctx context.Context, files []File, site string, fn func(e *event.Event, offset int64, index int) error) error
	// LastReceived returns the greatest receive time of the events in a file.
	LastReceived(ctx context.Context, f File) (event.Time, error)
	// Began returns the log's time at which the archive of the stream began, if it began in the midst of the log; else 0.
	Began(ctx context.Context) (event.Time, error)
	// CompleteUntil returns the instant before which the archive holds all that the stream has brought; false if no
	// stream was ever archived, so that all there is came from imports.
	CompleteUntil(ctx context.Context) (event.Time, bool, error)
}

// File names a file of the archive.
type File struct {
	// Hour is the start of its hour of event time.
	Hour event.Time
	// Topic and Partition name the log; a Topic that begins with "import-" is that of an imported file.
	Topic     string
	Partition int32
	// First is the first offset of its segment.
	First int64
}

// importPrefix begins the topics of imported files.
const importPrefix = "import-"

func (f File) imported() bool { return strings.HasPrefix(f.Topic, importPrefix) }

// placed reports whether a file was imported by a build that gave events ids by their position: "import-" and a hash. The
// topics of later ones have an "r" before the hash.
func (f File) placed() bool {
	hash, ok := strings.CutPrefix(f.Topic, importPrefix)
	return ok && !strings.HasPrefix(hash, "r")
}

func (f File) compare(g File) int {
	return cmp.Or(strings.Compare(f.Topic, g.Topic), cmp.Compare(f.Partition, g.Partition), cmp.Compare(f.First, g.First), cmp.Compare(f.Hour, g.Hour))
}

// Sink takes whole windows.
type Sink interface {
	// Replace puts windows in the place of what the store holds for the same kind, site, shard and start. One without
	// points clears it.
	Replace(ctx context.Context, windows []*window.Window) error
}

// Reader reads what the store holds.
type Reader interface {
	// Scan calls fn for the points of a selection. The point is valid during fn only.
	Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error
	// Sites returns the sites that have rollups.
	Sites(ctx context.Context) ([]string, error)
}

// FamiliesReader is a Reader that reads all families of a selection's kind in one call, for stores to which each call is a way.
type FamiliesReader interface {
	ScanFamilies(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error
}

// EndOfTime is later than every event: the year 10000.
const EndOfTime event.Time = 253402300800 * event.Second

// Mode says what is done with recomputed windows.
type Mode uint8

const (
	// Write replaces windows that differ.
	Write Mode = iota
	// DryRun and Verify only compare.
	DryRun
	Verify
)

// Options of Run.
type Options struct {
	Lake   Lake
	Reader Reader
	// Sink is needed for Write only.
	Sink Sink
	Mode Mode
	// From and To bound the range [From, To), on whole minutes. From 0 is the archive's first hour, or CompleteFrom if that
	// is later, To 0 as far as it is complete. Hours and windows of visits that overlap the range are recomputed whole.
	From, To event.Time
	// LogGone says that the log which the archive was made of is no more: its stream fires nothing any more, so all that is
	// archived is counted, and the last hours and visits are written whole.
	LogGone bool
	// Incomplete allows a From before CompleteFrom: what the stream counted there of events that the archive does not have is
	// lost then.
	Incomplete bool
	// Grace is how much earlier than the archive's end an open To stops, for a store that is being written to and may
	// lag behind; not negative.
	Grace event.Time
	// Ahead reports whether the store's window of a site may have events of the stream that the archive does not have yet. It is
	// left as it is then. It is called after the store was read, so that the store may be written to meanwhile. nil: none has.
	Ahead func(k window.Kind, site string, start event.Time) bool
	// Site restricts everything to one site; "" is all.
	Site string
	// KeptFrom returns the time before which no windows of a site are kept: those are neither compared nor
	// written. nil: all are.
	KeptFrom func(site string) event.Time
	// Limit is the cardinality budget per site, window and family, the engine's; 0 is none.
	Limit int
	// Rules are the engine's; of them those of visits and of duplicates matter.
	Rules engine.Rules
	// NewDeriver makes a Deriver, for one log; it must be as the engine's. nil: enrich.New without goals.
	NewDeriver func() engine.Deriver
	// Partitions is the number of partitions of the log, by which the shards of a site are numbered; 0 is one.
	Partitions int
	// Version returns the Version of a site's recomputed windows of a shard: the last offset of its partition's log that the
	// archive has. A firing at it or before counted nothing that the archive does not give; a later one may. nil: 0.
	Version func(site string, shard uint16) int64
	// MaxDifferences is how many differences the Report lists; 0 is 100. All are counted.
	MaxDifferences int
	// MaxPoints is about how many recomputed points of one kind of window are held at a time; 0 is 200,000, some 150 MB. A
	// site's hour is held whole, whatever it has, and of one site at a time what the store has in its place.
	MaxPoints int
	// Hits, if not nil, returns what takes the hits and visits that the windows are sums of, of a partition of the stream; nil for
	// a partition of which none are wanted. They are right within the range: hits by their time, visits by their beginning. A sink
	// is given others too, some of which are not. It is told Done of all times in the end.
	Hits func(partition int32) HitsSink
	// Progress is called every 65,536 events and after each hour; nil: it is not.
	Progress func(Progress)
}

// Progress is how far a Run has come.
type Progress struct {
	// Events have been read, with those before and behind the range.
	Events int64
	// Hours of the archive, of HoursTotal, are done.
	Hours, HoursTotal int
}

// Report is what a Run did.
type Report struct {
	// From and To is the range, as it was made out. They are equal if there was nothing to do.
	From, To event.Time
	// Events of the range were counted, Bots of them came from bots, by Reasons. Duplicates were not counted, and Pings are none.
	Events, Bots int64
	Reasons      map[string]int64
	Duplicates   int64
	Pings        int64
	// Visits is how many visits began in the range, by site.
	Visits map[string]int64
	// Kinds tells about the windows of each kind.
	Kinds [window.NumKinds]Counts
	// Differences are the first ones; Differing is how many there are. Those of some hours of one kind come together, by
	// site, start, family and value.
	Differences []Difference
	Differing   int64
}

// Counts is what a Run did to windows.
type Counts struct {
	// Windows were recomputed: of a site and shard, with events or visits.
	Windows int64
	// Changed windows differ from what the store held before, the shards of a site taken together.
	Changed int64
	// Written windows went to the sink, those among them that clear one included.
	Written int64
}

// Total returns the sums over the kinds.
func (r *Report) Total() (c Counts) {
	for _, k := range r.Kinds {
		c.Windows, c.Changed, c.Written = c.Windows+k.Windows, c.Changed+k.Changed, c.Written+k.Written
	}
	return c
}

// Errors for errors.Is.
var (
	// ErrIncomplete: the range ends after what the archive has finished.
	ErrIncomplete = errors.New("the archive is complete only")
	// ErrBegan: the range begins before CompleteFrom.
	ErrBegan = errors.New("the archive began in the midst of the log and is complete only")
	// ErrEmpty: Write would clear all windows of the range, because the archive has nothing in it.
	ErrEmpty = errors.New("the archive has no events in the range, and the store does")
)

// Validate returns everything that is wrong with o.
func (o Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(o.Lake != nil, "no archive")
	check(o.Reader != nil, "no store to compare with")
	check(o.Sink != nil || o.Mode != Write, "no store to write to")
	check(o.Mode <= Verify, "unknown mode %d", o.Mode)
	check(o.From.Floor(event.Minute) == o.From, "from %s is not a whole minute", o.From)
	check(o.To.Floor(event.Minute) == o.To, "to %s is not a whole minute", o.To)
	check(o.From >= 0 && o.To >= 0, "the range begins or ends before 1970")
	check(o.To == 0 || o.From < o.To, "from %s is not before to %s", o.From, o.To)
	check(o.Grace >= 0, "grace %d ms is negative", o.Grace)
	check(o.Limit >= 0, "limit %d is negative", o.Limit)
	check(o.MaxPoints >= 0, "%d points at a time are negative", o.MaxPoints)
	check(o.Partitions >= 0, "%d partitions are negative", o.Partitions)
	errs = append(errs, o.Rules.Validate())
	if o.Site != "" {
		errs = append(errs, event.ValidSite(o.Site))
	}
	return errors.Join(errs...)
}

// Run replays. The Report says how far it came, with an error too; running again makes good what is missing.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, fmt.Errorf("replay: %w", err)
	}
	r := newRun(o)
	err := r.all(ctx)
	return r.report, err
}

func newRun(o Options) *run {
	o.MaxDifferences, o.MaxPoints = cmp.Or(o.MaxDifferences, 100), cmp.Or(o.MaxPoints, defaultPoints)
	if o.NewDeriver == nil {
		o.NewDeriver = func() engine.Deriver { return enrich.New(enrich.Options{}) }
	}
	r := &run{o: o, report: Report{Reasons: map[string]int64{}, Visits: map[string]int64{}}}
	rules := o.Rules.Visits()
	r.visitLength, r.visitTimeout = rules.MaxLength, rules.Timeout
	r.reach = ceil(r.visitLength+event.Hour, event.Hour)
	return r
}

func ceil(t, d event.Time) event.Time { return (t + d - 1).Floor(d) }

// run is one Run.
type run struct {
	o      Options
	report Report

	visitLength, visitTimeout event.Time
	// reach is how far apart events can be that have to do with each other, in whole hours: those of the visits that begin
	// in an hour lie before its start + reach.
	reach event.Time
	// first is CompleteFrom; 0 if it does not matter.
	first event.Time
	// settled is the instant before which the stream has done its part; EndOfTime without one.
	settled event.Time

	hours    []event.Time // of the archive, with those before and behind the range, ascending
	found    int          // how many of them are in the range
	sites    []string     // of the store
	cursors  []*cursor    // of the partitions' logs
	imports  *imports
	open     *openWindows
	outputs  [window.NumKinds]*output
	shardsOf map[string][]uint16

	done   int   // hours
	events int64 // read
}

// version returns Options.Version of a site.
func (r *run) version(site string, shard uint16) int64 {
	if r.o.Version == nil {
		return 0
	}
	return r.o.Version(site, shard)
}

// all goes through the hours of the archive. Each partition's log is read in its own order until it has passed all
// events of the hour; then the hour's windows are complete, and the visits that began a while before it.
func (r *run) all(ctx context.Context) error {
	if err := r.plan(ctx); err != nil {
		return err
	}
	if r.report.From == r.report.To {
		return nil
	}
	for _, h := range r.hours {
		if err := r.finishVisits(ctx, h-r.reach); err != nil {
			return err
		}
		if err := r.hitsDone(ctx, h); err != nil {
			return err
		}
		for _, c := range r.cursors {
			if err := c.advance(ctx, h); err != nil {
				return fmt.Errorf("replay hour %s: %w", h, err)
			}
		}
		if err := r.imports.count(ctx, h); err != nil {
			return fmt.Errorf("replay hour %s: %w", h, err)
		}
		if err := r.finishHour(ctx, h); err != nil {
			return err
		}
		r.done++
		r.progress()
	}
	if err := r.finishVisits(ctx, EndOfTime); err != nil {
		return err
	}
	for _, o := range r.outputs {
		if err := o.finish(ctx); err != nil {
			return err
		}
	}
	return r.hitsDone(ctx, EndOfTime)
}

// beganSlack is how far ahead of the log's time events may have been that were written before the archive began: a minute that
// clocks may be ahead, and what collectors lag behind one another.
const beganSlack = 5 * event.Minute

// CompleteFrom returns the first hour that the archive gives as the stream did: from then on it has all events, and those of
// all visits that they are in. 0 if it has been there from the log's beginning.
func (o Options) CompleteFrom(ctx context.Context) (event.Time, error) {
	began, err := o.Lake.Began(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask when the archive began: %w", err)
	}
	if began == 0 {
		return 0, nil
	}
	return ceil(began+beganSlack, event.Hour) + newRun(o).reach, nil
}

// Reach returns how far before and behind a range a replay reads: events that lie further apart have nothing to do with each
// other.
func (o Options) Reach() event.Time { return newRun(o).reach }

// plan makes out the range, the hours and logs to read and the sites.
func (r *run) plan(ctx context.Context) error {
	from, to := r.o.From, r.o.To
	complete, streams, err := r.o.Lake.CompleteUntil(ctx)
	if err != nil {
		return fmt.Errorf("ask how far the archive is complete: %w", err)
	}
	r.settled = EndOfTime
	if streams = streams && !r.o.LogGone; streams {
		r.settled = (complete - r.o.Grace).Floor(event.Minute)
	}
	switch {
	case to == 0:
		to = r.settled
	case streams && to > complete:
		return fmt.Errorf("replay until %s: %w until %s", to, ErrIncomplete, complete)
	}
	if err := r.planFrom(ctx); err != nil {
		return err
	}
	r.report.From, r.report.To = from, from
	if to <= from {
		return nil
	}
	files, err := r.o.Lake.Files(ctx, max(from-r.reach, 0), min(to+r.reach, EndOfTime))
	if err != nil {
		return fmt.Errorf("list the files of the archive: %w", err)
	}
	for _, f := range files {
		r.hours = append(r.hours, f.Hour)
	}
	slices.Sort(r.hours)
	r.hours = slices.Compact(r.hours)
	var in []event.Time
	for _, h := range r.hours {
		if h+event.Hour > from && h < to {
			in = append(in, h)
		}
	}
	r.found = len(in)
	if len(in) == 0 && (r.o.From == 0 || r.o.To == 0) {
		return nil
	}
	if from == 0 {
		from = max(in[0], r.first)
	}
	if to == EndOfTime {
		to = in[len(in)-1] + event.Hour
	}
	if to <= from {
		return nil
	}
	r.report.From, r.report.To = from, to
	r.layOut(files)
	return r.listSites(ctx)
}

// planFrom finds out what is too early to be counted again.
func (r *run) planFrom(ctx context.Context) error {
	if r.o.Incomplete {
		return nil
	}
	first, err := r.o.CompleteFrom(ctx)
	if err != nil {
		return err
	}
	if from := r.o.From; from != 0 && from < first {
		return fmt.Errorf("replay from %s: %w from %s", from, ErrBegan, first)
	}
	r.first = first
	return nil
}

// layOut makes what reads the files and what takes the windows.
func (r *run) layOut(files []File) {
	from, to := r.report.From, r.report.To
	quarter := window.Visits.Length()
	r.outputs = [window.NumKinds]*output{
		window.Minute: newOutput(r, window.Minute, from, to),
		window.Hour:   newOutput(r, window.Hour, from.Floor(event.Hour), min(ceil(to, event.Hour), r.settledHours())),
		window.Visits: newOutput(r, window.Visits, from.Floor(quarter), ceil(to, quarter)),
	}
	r.open = newOpenWindows(r.o.Limit, from.Floor(event.Hour), ceil(to, event.Hour))
	files = slices.Clone(files)
	slices.SortFunc(files, File.compare)
	var imported []File
	for len(files) > 0 {
		n := 1
		for n < len(files) && files[n].Topic == files[0].Topic && files[n].Partition == files[0].Partition {
			n++
		}
		if files[0].imported() {
			imported = append(imported, files[:n]...)
		} else {
			r.cursors = append(r.cursors, newCursor(r, len(r.cursors), files[:n]))
		}
		files = files[n:]
	}
	r.imports = newImports(r, len(r.cursors), imported)
}

// hourSlack is how long after its end an hour fires at the latest, in log time: grace and the slots of the sites.
const hourSlack = 2 * event.Minute

// settledHours returns the end of the hours that the stream has fired.
func (r *run) settledHours() event.Time {
	if r.settled == EndOfTime {
		return EndOfTime
	}
	return (r.settled - hourSlack).Floor(event.Hour)
}

// refires reports whether the stream may still have to fire an hour again for an event that it received at an instant: it
// does that once a minute, and not while it is stopped.
func (r *run) refires(received event.Time) bool {
	return r.settled != EndOfTime && received >= r.settled-hourSlack
}

// unsettled reports whether the stream may still change a window of visits after the end of the archive: visits that
// began in it go on.
func (r *run) unsettled(start event.Time) bool {
	return r.settled != EndOfTime && start+window.Visits.Length()+r.visitLength+r.visitTimeout > r.settled
}

func (r *run) listSites(ctx context.Context) error {
	sites, err := r.o.Reader.Sites(ctx)
	if err != nil {
		return fmt.Errorf("list the sites of the store: %w", err)
	}
	for _, s := range sites {
		if r.o.Site == "" || r.o.Site == s {
			r.sites = append(r.sites, s)
		}
	}
	return nil
}

func (r *run) progress() {
	if r.o.Progress != nil {
		r.o.Progress(Progress{Events: r.events, Hours: r.done, HoursTotal: len(r.hours)})
	}
}
