package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// resolve makes a Query of a request. It reads the list of sites, where sites are configured, for
// the range "all" the first window of the site, and the goals that were reached for a filter by one
// that is not configured.
func (x *Executor) resolve(ctx context.Context, r *Request) (*Query, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	s := r.shape().named(x.opts.Places)
	refused := s.checkRollups()
	if refused != nil && x.opts.Hits == nil {
		return nil, refused
	}
	if err := x.checkSite(ctx, r.Site); err != nil {
		return nil, err
	}
	if refused == nil {
		_, refused = s.plans()
	}
	if refused != nil && x.opts.Hits == nil {
		return nil, refused // before more is read for it
	}
	zone := x.zone(r.Site)
	kept := x.opts.KeptFrom(r.Site, x.opts.Now()).Floor(quarter)
	from, to, err := x.bounds(ctx, r, s, zone, kept)
	if err != nil {
		return nil, err
	}
	if refused == nil {
		if refused = x.checkQuarters(r, s, zone, &from, to); refused != nil && x.opts.Hits == nil {
			return nil, refused
		}
	}
	if refused != nil {
		if err := s.checkHits(); err != nil {
			return nil, err
		}
	}
	if err := x.checkGoalFilters(ctx, r.Site, s.filter, max(from, kept), to); err != nil {
		return nil, err
	}
	s = s.inUnit(unitFor(from, to))
	return &Query{
		site: r.Site, zone: zone, from: from, to: to, kept: kept, whole: r.Range.isAll(),
		shape: *s, timeDim: s.time(), order: s.orderOf(r.Order),
		filterText: r.FilterText, timeLabels: r.TimeLabels, weekStart: r.WeekStart, limitBy: r.LimitBy, refused: refused, offset: r.Offset, limit: r.Limit,
	}, nil
}

// checkSite refuses a site that is not configured and of which there are no rollups: zeros would
// look like an answer.
func (x *Executor) checkSite(ctx context.Context, site string) error {
	configured := x.opts.Sites()
	if configured == nil || slices.Contains(configured, site) {
		return nil
	}
	stored, err := x.opts.Reader.Sites(ctx)
	if err != nil || slices.Contains(stored, site) {
		return err
	}
	hint := ""
	for _, near := range []string{strings.TrimPrefix(site, "www."), "www." + site} {
		if near != site && slices.Contains(configured, near) {
			hint = fmt.Sprintf(" Did you mean %q?", near)
		}
	}
	return invalid("Invalid site_id %q: no such site is configured, and there are no numbers of it.%s", site, hint)
}

func (x *Executor) zone(site string) *time.Location {
	if loc := x.opts.TimeZone(site); loc != nil {
		return loc
	}
	return time.UTC
}

// bounds returns the range of a request, [from, to), in whole minutes.
func (x *Executor) bounds(ctx context.Context, r *Request, s *shape, zone *time.Location, kept event.Time) (from, to event.Time, err error) {
	from, to = r.Range.bounds(x.opts.Now(), zone)
	if r.Range.isAll() {
		if from, err = x.firstDay(ctx, r.Site, s.ofBots(), kept, to, zone, from); err != nil {
			return 0, 0, err
		}
	}
	return from, to, nil
}

// checkQuarters refuses a range that does not begin and end with a quarter of an hour, with metrics of visits. That of a relative
// range is widened at its beginning. The end may lie in a quarter that is not over: nothing is behind it yet.
func (x *Executor) checkQuarters(r *Request, s *shape, zone *time.Location, from *event.Time, to event.Time) error {
	if !s.ofVisits() {
		return nil
	}
	if r.Range.isRelative() && !r.Range.isAll() {
		*from = from.Floor(quarter)
	}
	if *from%quarter != 0 || to%quarter != 0 && to < event.TimeOf(x.opts.Now()) {
		q := Query{zone: zone, from: *from, to: to}
		first, last := q.Range()
		return invalid("Invalid date_range [%q, %q] with %q: visits are counted by the quarter of an hour in which they began, so the range has to begin and end with one.",
			first, last, s.first(visitMetrics))
	}
	return nil
}

// errFound ends a scan.
var errFound = errors.New("found")

// firstDay returns the beginning of the day of the site's first window from a time on and before
// another, else otherwise.
func (x *Executor) firstDay(ctx context.Context, site string, bots bool, kept, before event.Time, zone *time.Location, otherwise event.Time) (event.Time, error) {
	first := otherwise
	sel := window.Selection{Site: site, Family: window.Totals, From: kept, To: before}
	if bots {
		sel.Family = window.Bots
	}
	err := x.opts.Reader.Scan(ctx, sel, func(start event.Time, _ bool, p *window.Point) error {
		if isZero(p) {
			return nil
		}
		y, m, d := start.Std().In(zone).Date()
		first = event.TimeOf(dayStart(y, m, d, zone))
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return first, err
}

// named returns the shape with dimensions that show the names p knows.
func (s *shape) named(p Places) *shape {
	own := &shape{metrics: s.metrics, filter: s.filter.named(p)}
	for _, d := range s.dims {
		own.dims = append(own.dims, d.named(p))
	}
	return own
}

// inUnit returns the shape with the dimension "time" in a unit.
func (s *shape) inUnit(u unit) *shape {
	own := &shape{metrics: s.metrics, filter: s.filter}
	for _, d := range s.dims {
		own.dims = append(own.dims, d.inUnit(u))
	}
	return own
}

// orderOf returns an order, or the default if it is none: by time, else by the first metric, the
// largest first.
func (s *shape) orderOf(order []Order) []Order {
	switch t := s.time(); {
	case len(order) > 0:
		return slices.Clone(order)
	case t >= 0:
		return []Order{{Index: t}}
	}
	return []Order{{ByMetric: true, Desc: true}}
}
