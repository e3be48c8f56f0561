package query

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/window"
)

// Reader is a store of rollups.
type Reader interface {
	// Scan calls fn for each point of the selection in ascending order of start. The point is valid
	// during the call only. There may be several of one start and value (shards): counters add up,
	// sketches unite. An error of fn ends the scan and is returned so that errors.Is finds it.
	Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error
	// Sites returns the sites that have rollups.
	Sites(ctx context.Context) ([]string, error)
	// Progress returns the last progress of each partition.
	Progress(ctx context.Context) ([]window.Progress, error)
}

// Hits is an archive of single events and visits, for what no rollup holds.
type Hits interface {
	// Snapshot returns what the archive holds now.
	Snapshot(ctx context.Context) (hits.Snapshot, error)
}

// Places knows the English names of places, "" where it knows none. What it knows may change while
// it is in use.
type Places interface {
	// RegionName names a region by its code of ISO 3166-2.
	RegionName(code string) string
	// CityName names a city by its GeoNames id.
	CityName(id string) string
}

// Options of an Executor.
type Options struct {
	// Reader holds the rollups. Required.
	Reader Reader
	// Hits answers what no rollup holds. Nil: that is refused.
	Hits Hits
	// Reached returns, of a site, what finds the goals that an event reaches, by its name and page, each once; nil, as function
	// or result: none. It is for Hits, which do not hold goals. The Executor does not change the result.
	Reached func(site string) func(name, page string, pageview bool) []string
	// Alike reports whether rollups and hits of a time and later are of one generation, so that it does not matter which of them
	// answer. Nil: they are not known to be, and rollups answer what they can.
	Alike func(ctx context.Context, from event.Time) bool
	// RollupWeight is how dear rollups are held in comparison with hits, where both may answer: default 1, more lets hits answer more
	// often.
	RollupWeight float64
	// VisitLength is the longest visit, default 12 h: so far around a range hits are read of its visits.
	VisitLength event.Time
	// TimeZone returns a site's time zone; nil, as function or result, is UTC.
	TimeZone func(site string) *time.Location
	// Places names regions and cities for visit:region_name and visit:city_name; nil: their codes
	// are shown.
	Places Places
	// Sites returns the sites that there are now; a query of another one is refused, unless there
	// are rollups of it. Nil, as function or result: any. The Executor does not change the result.
	Sites func() []string
	// Goals returns the names of a site's goals; a filter of event:goal by another one is refused,
	// unless it was reached. Nil: any. The Executor does not change the result.
	Goals func(site string) []string
	// KeptFrom returns the time before which numbers of a site are not kept, or not any more: they
	// count as nothing, whatever the Reader has. 0, and nil, is none.
	KeptFrom func(site string, now time.Time) event.Time
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Partitions is the number of partitions of the log. Until so many have reported progress there
	// is no watermark. 0: those that have reported are all.
	Partitions int
	// DailyIDs: visitor ids change at the site's midnight, so that visitors of several days are
	// visitor-days.
	DailyIDs bool
	// Late, if set, returns the earliest time of the events of a site that this process has
	// accepted late, at or after an instant, if it is before another: their numbers may be on their
	// way.
	Late func(site string, since, before event.Time) (earliest event.Time, ok bool)
	// Began is when this process began to note what it accepts late, and Lateness how late events
	// are counted: what was accepted just before by others, such as the process before a restart, may
	// not be in its hours yet, and so minutes are read. 0: nothing was.
	Began    event.Time
	Lateness event.Time
	// Timeout is the longest a query may take, default 30 s.
	Timeout time.Duration
	// MaxGroups is the largest number of rows before paging, default 100,000: some tens of
	// megabytes.
	MaxGroups int
	// ExactVisitors is how many visitors hits are counted of exactly, in all rows of a query together, before they are
	// sketched: default 3 million, some 150 MB.
	ExactVisitors int
	// VisitsAtOnce is how many visits are looked at together for what else they have done, and for their exit pages: default 3
	// million, some 150 MB. Where there are more a range is read in parts.
	VisitsAtOnce int
	// MaxConcurrent is how many queries are worked on at a time, default 4 per processor.
	MaxConcurrent int
	// Logger takes the errors of the Reader, once a minute. Nil discards.
	Logger *slog.Logger
}

// Executor answers queries. It may be used by any number of goroutines.
type Executor struct {
	opts      Options
	slot      chan struct{}
	densities densities
}

// New returns an Executor. It reads nothing yet.
func New(o Options) (*Executor, error) {
	if o.Reader == nil {
		return nil, errors.New("make query executor: no reader is given")
	}
	if o.TimeZone == nil {
		o.TimeZone = func(string) *time.Location { return time.UTC }
	}
	if o.Sites == nil {
		o.Sites = func() []string { return nil }
	}
	if o.KeptFrom == nil {
		o.KeptFrom = func(string, time.Time) event.Time { return 0 }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RollupWeight <= 0 {
		o.RollupWeight = 1
	}
	if o.VisitLength <= 0 {
		o.VisitLength = visitLength
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxGroups <= 0 {
		o.MaxGroups = 100_000
	}
	if o.ExactVisitors <= 0 {
		o.ExactVisitors = 3 << 20
	}
	if o.VisitsAtOnce <= 0 {
		o.VisitsAtOnce = 3 << 20
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = 4 * runtime.GOMAXPROCS(0)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Reader = &storeReader{r: o.Reader, log: o.Logger, now: o.Now}
	return &Executor{opts: o, slot: make(chan struct{}, o.MaxConcurrent)}, nil
}

// Today returns a time of the present day of a site, in its time zone.
func (x *Executor) Today(site string) time.Time { return x.opts.Now().In(x.zone(site)) }

// Execute answers a request. The error is an *Error if it is meant for the client.
func (x *Executor) Execute(ctx context.Context, r *Request) (*Answer, error) {
	release, err := x.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, x.opts.Timeout)
	defer cancel()
	a, err := x.answer(ctx, r)
	if err != nil && ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, unavailable("The query took longer than %s: shorten date_range, or ask for fewer dimensions.", x.opts.Timeout)
	}
	return a, err
}

// acquire waits up to a second for a slot. Release gives it back.
func (x *Executor) acquire(ctx context.Context) (release func(), err error) {
	select {
	case x.slot <- struct{}{}:
	default:
		t := time.NewTimer(time.Second)
		defer t.Stop()
		select {
		case x.slot <- struct{}{}:
		case <-t.C:
			return nil, errBusy
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return func() { <-x.slot }, nil
}

// answer is the way of a request: it is resolved, planned, read, made into rows, and paged.
func (x *Executor) answer(ctx context.Context, r *Request) (*Answer, error) {
	ps, err := x.opts.Reader.Progress(ctx)
	if err != nil {
		return nil, err
	}
	q, err := x.resolve(ctx, r)
	if err != nil {
		return nil, err
	}
	var e *execution
	if q.refused != nil {
		e, err = x.planHits(ctx, q)
	} else {
		e, err = x.plan(q, newProgress(ps, x.opts.Partitions))
		if err == nil {
			e = cmp.Or(x.cheaper(ctx, e), e)
		}
	}
	if err != nil {
		return nil, err
	}
	c, err := e.count(ctx)
	if err != nil {
		return nil, err
	}
	rows, total, err := e.rows(ctx, c)
	if err != nil {
		return nil, err
	}
	meta, err := e.meta(c)
	if err != nil {
		return nil, err
	}
	return &Answer{Query: q, Rows: rows, Total: total, Meta: meta}, nil
}
