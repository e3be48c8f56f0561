package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"millrace/engine/event"
	"millrace/engine/facts"
	"millrace/engine/window"
)

// Lake is the archive of raw events.
type Lake interface {
	// Hours returns the starts of the hours, by event time, that overlap [from, to) and hold events, in any order. All
	// of time is from 0 to EndOfTime.
	Hours(ctx context.Context, from, to event.Time) ([]event.Time, error)
	// ReadHour calls fn for each event whose Time is in the hour, each once, in any order, with its place in the log.
	// Site "" is all sites; events of others may come nevertheless and are passed over. Event and topic are valid during fn
	// only.
	ReadHour(ctx context.Context, hour event.Time, site string, fn func(e *event.Event, topic string, partition int32, offset int64, index int) error) error
	// CompleteUntil returns the instant before which the archive holds all that the stream has brought; false if no
	// stream was ever archived, so that all there is came from imports.
	CompleteUntil(ctx context.Context) (event.Time, bool, error)
}

// Sink takes whole windows.
type Sink interface {
	// Replace puts windows in the place of what the store holds for the same site, shard and start. One without points
	// clears it.
	Replace(ctx context.Context, windows []*window.Window) error
}

// Reader reads what the store holds.
type Reader interface {
	// Scan calls fn for the points of a selection. The point is valid during fn only.
	Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error
	// Sites returns the sites that have rollups.
	Sites(ctx context.Context) ([]string, error)
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
	// From and To bound the range [From, To), on whole minutes. From 0 is the archive's first hour, To 0 as far as it
	// is complete.
	From, To event.Time
	// Grace is how much earlier than the archive's end an open To stops, for a store that is being written to and may
	// lag behind; not negative.
	Grace event.Time
	// Site restricts everything to one site; "" is all.
	Site string
	// Limit is the cardinality budget per site, minute and family, the engine's; 0 is none.
	Limit int
	// Shards returns how many shards a site's windows have, and Shard which one an event is counted in; nil: one, and
	// number 0.
	Shards func(site string) uint16
	Shard  func(e *event.Event) uint16
	// Version returns the Version of a site's recomputed windows: the last offset of its partition's log that the archive
	// has. A firing at it or before counted nothing that the archive does not give; a later one may. nil: 0.
	Version func(site string) int64
	// MaxDifferences is how many differences the Report lists; 0 is 100. All are counted.
	MaxDifferences int
	// Progress is called every 65,536 events and after each hour; nil: it is not.
	Progress func(Progress)
}

// Progress is how far a Run has come.
type Progress struct {
	// Events have been read.
	Events int64
	// Hours of the archive, of HoursTotal, are done.
	Hours, HoursTotal int
}

// Report is what a Run did.
type Report struct {
	// From and To is the range, as it was made out. They are equal if there was nothing to do.
	From, To event.Time
	// Events were read, Bots of them came from bots, by Reasons.
	Events, Bots int64
	Reasons      map[string]int64
	// Duplicates are imported events that another imported file holds too, counted once.
	Duplicates int64
	// Windows were recomputed: minutes of a site (and shard) with events.
	Windows int64
	// Changed minutes of a site differ from what the store held before.
	Changed int64
	// Written windows went to the sink, those among them that clear one included.
	Written int64
	// Differences are the first ones, by hour, site, minute, family and value; Differing is how many there are.
	Differences []Difference
	Differing   int64
}

// Errors for errors.Is.
var (
	// ErrIncomplete: the range ends after what the archive has finished.
	ErrIncomplete = errors.New("the archive is complete only")
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
	if o.Site != "" {
		if err := event.ValidSite(o.Site); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run replays. The Report says how far it came, with an error too; running again makes good what is missing.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, fmt.Errorf("replay: %w", err)
	}
	if o.MaxDifferences == 0 {
		o.MaxDifferences = 100
	}
	r := &run{o: o, deriver: facts.New(facts.Options{}), report: Report{Reasons: make(map[string]int64)}}
	err := r.all(ctx)
	return r.report, err
}

// run is one Run.
type run struct {
	o       Options
	deriver *facts.Deriver
	hours   []event.Time // of the archive, in the range, ascending
	sites   []string     // of the store
	done    int          // hours
	report  Report
}

// version returns Options.Version of a site.
func (r *run) version(site string) int64 {
	if r.o.Version == nil {
		return 0
	}
	return r.o.Version(site)
}

func (r *run) all(ctx context.Context) error {
	if err := r.plan(ctx); err != nil {
		return err
	}
	// The hours of the archive and the gaps between them, where only the store can have anything.
	at := r.report.From
	for i, h := range r.hours {
		from, to := max(h, r.report.From), min(h+event.Hour, r.report.To)
		if err := r.gap(ctx, at, from); err != nil {
			return err
		}
		windows, err := r.recompute(ctx, h, from, to)
		if err != nil {
			return fmt.Errorf("replay hour %s: %w", h, err)
		}
		r.report.Windows += int64(len(windows))
		if err := r.segment(ctx, from, to, windows); err != nil {
			return err
		}
		at = to
		r.done = i + 1
		r.progress()
	}
	return r.gap(ctx, at, r.report.To)
}

// plan makes out the range, the hours in it and the sites.
func (r *run) plan(ctx context.Context) error {
	from, to := r.o.From, r.o.To
	complete, streams, err := r.o.Lake.CompleteUntil(ctx)
	if err != nil {
		return fmt.Errorf("ask how far the archive is complete: %w", err)
	}
	switch {
	case to == 0 && streams:
		to = (complete - r.o.Grace).Floor(event.Minute)
	case to == 0:
		to = EndOfTime
	case streams && to > complete:
		return fmt.Errorf("replay until %s: %w until %s", to, ErrIncomplete, complete)
	}
	r.report.From, r.report.To = from, from
	if to <= from {
		return nil
	}
	if r.hours, err = r.o.Lake.Hours(ctx, from, to); err != nil {
		return fmt.Errorf("list the hours of the archive: %w", err)
	}
	slices.Sort(r.hours)
	r.hours = slices.Compact(slices.DeleteFunc(r.hours, func(h event.Time) bool { return h >= to || h+event.Hour <= from }))
	if len(r.hours) == 0 && (r.o.From == 0 || r.o.To == 0) {
		return nil
	}
	if from == 0 {
		from = r.hours[0]
	}
	if r.o.To == 0 && !streams {
		to = r.hours[len(r.hours)-1] + event.Hour
	}
	r.report.From, r.report.To = from, to
	return r.listSites(ctx)
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
		r.o.Progress(Progress{Events: r.report.Events, Hours: r.done, HoursTotal: len(r.hours)})
	}
}
