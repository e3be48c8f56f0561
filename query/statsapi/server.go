package statsapi

import (
	"context"
	"errors"
	"log/slog"

	"millrace/query"
)

// Options of a Server.
type Options struct {
	// Executor answers the queries. Required.
	Executor *query.Executor
	// Keys decides who may query which site; nil lets everyone.
	Keys Keys
	// Sites returns the sites that are known by name, for PathSites; nil: there are none.
	Sites func() []SiteInfo
	// Origins are the origins, as a browser sends them, whose scripts may query (CORS); "*" is any.
	Origins []string
	// Currency returns the currency of a site's revenue, an ISO 4217 code; "", and nil, is none.
	Currency func(site string) string
	// Segments returns the segments of a site, which filters may name; nil: there are none.
	Segments func(site string) []Segment
	// Rows is called with the number of rows of each answer to a query; it may be nil.
	Rows func(n int)
	// Logger takes internal errors, whose text is not sent to the client. Nil discards.
	Logger *slog.Logger
}

// Server answers the requests of the API. It may be used by any number of goroutines.
type Server struct{ opts Options }

// New returns a Server.
func New(o Options) (*Server, error) {
	if o.Executor == nil {
		return nil, errors.New("make stats API: no executor is given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{opts: o}, nil
}

// Answer answers one body of a query, whoever sends it. The error is an *Error if it is meant for
// the client.
func (s *Server) Answer(ctx context.Context, body []byte) (*Answer, error) {
	r, err := parse(body, s.opts.Segments)
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, r)
}

func (s *Server) answer(ctx context.Context, r *request) (*Answer, error) {
	a, err := s.opts.Executor.Execute(ctx, &r.Request)
	if err != nil {
		return nil, asError(err)
	}
	out := newAnswer(r, a, s.currency(r.Site))
	if r.include.Comparisons != nil {
		if err := s.compare(ctx, r, a, out); err != nil {
			return nil, asError(err)
		}
	}
	return out, nil
}

// currency returns the currency of a site's revenue, "" if it has none.
func (s *Server) currency(site string) string {
	if s.opts.Currency == nil {
		return ""
	}
	return s.opts.Currency(site)
}
