package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// windowID names a window of a kind.
type windowID struct {
	site  string
	start event.Time
	shard uint16
}

// compare puts the windows of a site and shard together, in order of start.
func (a windowID) compare(b windowID) int {
	return cmp.Or(strings.Compare(a.site, b.site), cmp.Compare(a.shard, b.shard), cmp.Compare(a.start, b.start))
}

// counted is a finished window.
type counted struct {
	*window.Window
	stream bool // it has events of the stream, not only imported ones
}

// openWindows holds the windows that are not finished, as chunks: those of minutes and visits, by the hour they lie in.
// They are folded once, or when they have grown large, as those of the engine are: the maps of many windows by turns do
// not stay in the processor's caches.
type openWindows struct {
	limit           int
	from, to        event.Time // only windows of these hours are wanted
	minutes, visits map[event.Time]map[windowID]*open
	late            map[windowID]struct{} // hours with an event that was received at the end of the log: see run.refires
	sites           map[string]string
	agg, hour       *window.Agg // to fold in
}

// open is a window that comes about.
type open struct{ parts []*part } // in order of source

// part is what one source has given to a window.
type part struct {
	source int
	rows   window.RowWriter // that follow buf
	buf    []byte           // chunks
	folded int              // length of what buf begins with, folded
}

func newOpenWindows(limit int, from, to event.Time) *openWindows {
	return &openWindows{
		limit: limit, from: from, to: to, late: map[windowID]struct{}{}, sites: map[string]string{},
		minutes: map[event.Time]map[windowID]*open{}, visits: map[event.Time]map[windowID]*open{},
		agg: window.NewAgg(limit), hour: window.NewAgg(limit),
	}
}

// part returns what a source has of a window, nil if the window is not wanted.
func (o *openWindows) part(of map[event.Time]map[windowID]*open, id windowID, source int) *part {
	if id.start < o.from || id.start >= o.to {
		return nil
	}
	hour := id.start.Floor(event.Hour)
	windows := of[hour]
	if windows == nil {
		windows = map[windowID]*open{}
		of[hour] = windows
	}
	w := windows[id]
	if w == nil {
		site, ok := o.sites[id.site]
		if !ok {
			site = strings.Clone(id.site)
			o.sites[site] = site
		}
		id.site, w = site, &open{}
		windows[id] = w
	}
	i := 0
	for i < len(w.parts) && w.parts[i].source < source {
		i++
	}
	if i == len(w.parts) || w.parts[i].source != source {
		w.parts = slices.Insert(w.parts, i, &part{source: source})
	}
	return w.parts[i]
}

// noteLate notes that the hour of an event of a site may have to fire again.
func (o *openWindows) noteLate(site string, at event.Time) {
	if id := (windowID{site: site, start: at.Floor(event.Hour)}); !o.isLate(id) {
		id.site = strings.Clone(site)
		o.late[id] = struct{}{}
	}
}

func (o *openWindows) isLate(id windowID) bool {
	_, ok := o.late[id]
	return ok
}

const (
	// rowsAtOnce is how many bytes of rows become one chunk.
	rowsAtOnce = 32 << 10
	// foldFrom is the length from which the chunks of a window are folded, once they have doubled since.
	foldFrom = 64 << 10
)

// addRow adds an event to its minute.
func (o *openWindows) addRow(source int, site string, start event.Time, shard uint16, row *window.Row) {
	p := o.part(o.minutes, windowID{site, start, shard}, source)
	if p == nil {
		return
	}
	if p.rows.Add(row); p.rows.Size() >= rowsAtOnce {
		p.buf = p.rows.AppendChunk(p.buf)
		p.rows.Reset()
		o.fold(p)
	}
}

// addVisits adds a change of visits to the window in which they began.
func (o *openWindows) addVisits(source int, site string, start event.Time, shard uint16, chunk []byte) {
	p := o.part(o.visits, windowID{site, start, shard}, source)
	if p == nil {
		return
	}
	p.buf = append(p.buf, chunk...)
	o.fold(p)
}

// fold makes what a part holds smaller, if it is worth it. Errors are left to the last fold, which meets them again.
func (o *openWindows) fold(p *part) {
	if len(p.buf) < max(foldFrom, 2*p.folded) {
		return
	}
	o.agg.Reset(o.limit)
	if o.agg.Add(p.buf) != nil {
		return
	}
	p.buf = o.agg.AppendFolded(nil)
	p.folded = len(p.buf)
}

// addTo adds all of a window to an Agg.
func (w *open) addTo(a *window.Agg) error {
	for _, p := range w.parts {
		if err := a.Add(p.buf); err != nil {
			return err
		}
		if p.rows.Len() == 0 {
			continue
		}
		if err := a.Add(p.rows.AppendChunk(nil)); err != nil {
			return err
		}
	}
	return nil
}

// finishHour gives out the minutes of an hour, and the hour.
func (r *run) finishHour(ctx context.Context, hour event.Time) error {
	all := r.open.minutes[hour]
	delete(r.open.minutes, hour)
	minutes, hours := r.outputs[window.Minute], r.outputs[window.Hour]
	ids := slices.SortedFunc(maps.Keys(all), windowID.compare)
	for i, id := range ids {
		agg := r.open.agg
		agg.Reset(r.o.Limit)
		if err := all[id].addTo(agg); err != nil {
			return fmt.Errorf("window %s %s: %w", id.site, id.start, err)
		}
		stream := all[id].parts[0].source < r.imports.index
		delete(all, id)
		if minutes.wants(id.start) {
			minutes.take(r.window(window.Minute, id, agg, stream))
		}
		first := i == 0 || ids[i-1].site != id.site || ids[i-1].shard != id.shard
		last := i == len(ids)-1 || ids[i+1].site != id.site || ids[i+1].shard != id.shard
		if hours.wants(hour) {
			if first {
				r.open.hour.Reset(r.o.Limit)
			}
			if r.open.hour.Merge(agg); last {
				hours.take(r.window(window.Hour, windowID{id.site, hour, id.shard}, r.open.hour, stream))
			}
		}
		if i < len(ids)-1 && ids[i+1].site != id.site {
			if err := cmp.Or(minutes.siteDone(ctx, hour, id.site), hours.siteDone(ctx, hour, id.site)); err != nil {
				return err
			}
		}
	}
	return cmp.Or(minutes.hourDone(ctx, hour), hours.hourDone(ctx, hour))
}

// finishVisits gives out the windows of visits of the hours up to last.
func (r *run) finishVisits(ctx context.Context, last event.Time) error {
	for _, hour := range slices.Sorted(maps.Keys(r.open.visits)) {
		if hour > last {
			return nil
		}
		all := r.open.visits[hour]
		delete(r.open.visits, hour)
		if err := r.finishVisitsOf(ctx, hour, all); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) finishVisitsOf(ctx context.Context, hour event.Time, all map[windowID]*open) error {
	out := r.outputs[window.Visits]
	ids := slices.SortedFunc(maps.Keys(all), windowID.compare)
	for i, id := range ids {
		if !out.wants(id.start) {
			continue
		}
		agg := r.open.agg
		agg.Reset(r.o.Limit)
		if err := all[id].addTo(agg); err != nil {
			return fmt.Errorf("visits %s %s: %w", id.site, id.start, err)
		}
		w := r.window(window.Visits, id, agg, all[id].parts[0].source < r.imports.index)
		delete(all, id)
		// Else all its visits have turned out to have begun elsewhere.
		if slices.ContainsFunc(w.Points, func(p window.Point) bool { return !isZero(p.Rollup) }) {
			r.report.Visits[id.site] += w.Points[0].Visits
			out.take(w)
		}
		if i < len(ids)-1 && ids[i+1].site != id.site {
			if err := out.siteDone(ctx, hour, id.site); err != nil {
				return err
			}
		}
	}
	return out.hourDone(ctx, hour)
}

func (r *run) window(k window.Kind, id windowID, a *window.Agg, stream bool) counted {
	w := &window.Window{Kind: k, Site: id.site, Shard: id.shard, Start: id.start, Version: r.version(id.site, id.shard), Final: true}
	a.Fill(w)
	r.report.Kinds[k].Windows++
	return counted{w, stream}
}
