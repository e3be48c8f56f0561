package query

import (
	"context"
	"strconv"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/engine/window"
)

// realtimeMinutes is how far back the realtime visitors go, besides the minute under way.
const realtimeMinutes = 5

// Realtime returns the number of visitors of a site in the last 5 minutes.
func (s *Server) Realtime(ctx context.Context, site string) (uint64, error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	now := event.TimeOf(s.opts.Now()).Floor(event.Minute)
	w := &work{s: s, q: &Query{Site: site, From: now - realtimeMinutes*event.Minute, To: now + event.Minute}}
	a := newAggregation(true, 1)
	if err := w.scan(ctx, &plan{family: window.Totals, filter: &filter{op: opAnd}}, a, false); err != nil {
		return 0, err
	}
	return a.only().visitors, nil
}

func (s *Server) serveRealtime(ctx *fasthttp.RequestCtx) error {
	site := string(ctx.QueryArgs().Peek("site_id"))
	if err := s.authorize(string(ctx.Request.Header.Peek("Authorization")), site); err != nil {
		return err
	}
	if site == "" {
		return bad("Missing site_id.")
	}
	if event.ValidSite(site) != nil {
		return bad("Invalid site_id %s: %s.", show(site), event.ErrSite)
	}
	n, err := s.Realtime(serverContext(ctx), site)
	if err != nil {
		return err
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(strconv.AppendUint(nil, n, 10))
	return nil
}
