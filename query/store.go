package query

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// storeReader is the Reader that queries read from. An error of the store becomes an Error that is
// Unavailable, and is logged; the end of the query's context and errors of Scan's fn stay what they
// are.
type storeReader struct {
	r      Reader
	log    *slog.Logger
	now    func() time.Time
	logged atomic.Int64 // when the last error was, in Unix seconds
}

// logEvery is the least number of seconds between two logged errors: a store that is away fails
// every query.
const logEvery = 60

func (s *storeReader) Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	var own error
	err := s.r.Scan(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
		own = fn(start, final, p)
		return own
	})
	if own != nil {
		return err
	}
	return s.failure(ctx, err)
}

func (s *storeReader) Sites(ctx context.Context) ([]string, error) {
	sites, err := s.r.Sites(ctx)
	return sites, s.failure(ctx, err)
}

func (s *storeReader) Progress(ctx context.Context) ([]window.Progress, error) {
	ps, err := s.r.Progress(ctx)
	return ps, s.failure(ctx, err)
}

func (s *storeReader) failure(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	now, last := s.now().Unix(), s.logged.Load()
	if (last == 0 || now-last >= logEvery) && s.logged.CompareAndSwap(last, now) {
		s.log.Error("the rollup store can't be read; further errors of this minute are not logged", "err", err)
	}
	var request *url.Error
	if !errors.As(err, &request) {
		return unavailable("The rollup store could not be read: try again. The cause has been logged.")
	}
	where := ""
	// Only the host: user, password and parameters are not for the client.
	if u, err := url.Parse(request.URL); err == nil && u.Host != "" {
		where = " at " + u.Host
	}
	return unavailable("The rollup store%s is not reachable: try again.", where)
}
