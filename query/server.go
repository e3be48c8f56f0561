package query

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Reader is a store of rollups.
type Reader interface {
	// Scan calls fn for each point of the selection in ascending order of start. The point is valid during
	// the call only. There may be several of one start and value (shards): counters add up, sketches unite. An
	// error of fn ends the scan and is returned so that errors.Is finds it.
	Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error
	// Sites returns the sites that have rollups.
	Sites(ctx context.Context) ([]string, error)
	// Progress returns the last progress of each partition.
	Progress(ctx context.Context) ([]window.Progress, error)
}

// Places knows the English names of places, "" where it knows none. What it knows may change while it is in use.
type Places interface {
	// RegionName names a region by its code of ISO 3166-2.
	RegionName(code string) string
	// CityName names a city by its GeoNames id.
	CityName(id string) string
}

// Options of a Server.
type Options struct {
	// Reader holds the rollups. Required.
	Reader Reader
	// TimeZone returns a site's time zone; nil, as function or result, is UTC.
	TimeZone func(site string) *time.Location
	// Places names regions and cities for visit:region_name and visit:city_name; nil: their codes are shown.
	Places Places
	// Keys decides who may ask about which site; nil lets everybody.
	Keys Keys
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Partitions is the number of partitions of the log. Until so many have reported progress there is no
	// watermark. 0: those that have reported are all.
	Partitions int
	// DailyIDs says that visitor ids change each day (UTC): visitors of several days are visitor-days.
	DailyIDs bool
	// Timeout is the longest a question may take, default 30 s.
	Timeout time.Duration
	// MaxGroups is the largest number of rows before paging, default 100,000: some tens of megabytes.
	MaxGroups int
	// MaxConcurrent is how many questions are worked on at a time, default 4 per processor.
	MaxConcurrent int
	// Origins are the origins, as a browser sends them, whose scripts may ask (CORS); "*" is any.
	Origins []string
	// Logger takes internal errors, of which the asker is told no detail; those of the Reader once a minute. Nil
	// discards.
	Logger *slog.Logger
}

// Server answers questions.
type Server struct {
	opts Options
	slot chan struct{}
}

// New returns a Server.
func New(o Options) (*Server, error) {
	if o.Reader == nil {
		return nil, errors.New("make query server: no reader is given")
	}
	if o.TimeZone == nil {
		o.TimeZone = func(string) *time.Location { return time.UTC }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxGroups <= 0 {
		o.MaxGroups = 100_000
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = 4 * runtime.GOMAXPROCS(0)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Reader = &storeReader{r: o.Reader, log: o.Logger, now: o.Now}
	return &Server{opts: o, slot: make(chan struct{}, o.MaxConcurrent)}, nil
}

func (s *Server) zone(site string) *time.Location {
	if loc := s.opts.TimeZone(site); loc != nil {
		return loc
	}
	return time.UTC
}

// acquire waits a moment for a slot. Release gives it back.
func (s *Server) acquire(ctx context.Context) (release func(), err error) {
	select {
	case s.slot <- struct{}{}:
	default:
		t := time.NewTimer(time.Second)
		defer t.Stop()
		select {
		case s.slot <- struct{}{}:
		case <-t.C:
			return nil, errBusy
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return func() { <-s.slot }, nil
}

// Answer parses and answers one question. The error is an *Error if the asker is to be told.
func (s *Server) Answer(ctx context.Context, body []byte) (*Answer, error) {
	q, err := s.Parse(body)
	if err != nil {
		return nil, err
	}
	return s.Ask(ctx, q)
}

// Ask answers a parsed question.
func (s *Server) Ask(ctx context.Context, q *Query) (*Answer, error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	a, err := s.answer(ctx, q)
	if err != nil && ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, errorf(503, "The query took longer than %s: shorten date_range, or ask for fewer dimensions.", s.opts.Timeout)
	}
	return a, err
}
