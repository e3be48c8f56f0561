package audit

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"

	"errors"

	"millrace/cmd/internal/offline"
	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
)

// skip is why an hour could not be judged.
type skip struct {
	reason string // of the metric
	why    string
}

func (s *skip) Error() string { return s.why }

// The reasons.
const (
	skipBusy    = "busy"    // an import or a replay is at work
	skipArchive = "archive" // the archive does not have all that a recount reads
	skipDropped = "dropped" // events came later than the lateness
	skipErased  = "erased"  // the archive has no longer the events of a visitor that the store has counted
	skipStore   = "store"   // the store has nothing of that time any more
	skipError   = "error"   // a store could not be read
)

// verdict is what became of an hour.
type verdict struct {
	points int64
	wrong  int64
	first  []replay.Difference // of the wrong ones
}

// id is what tells a difference from others.
type id struct {
	kind   window.Kind
	site   string
	start  event.Time
	family window.Family
	dims   [2]string
}

func idOf(d *replay.Difference) id { return id{d.Window, d.Site, d.Start, d.Family, d.Dims} }

// judge recounts an hour, and looks for what explains a difference before it is one. Its error is a
// *skip, or that of a store.
func (a *Auditor) judge(ctx context.Context, hour event.Time, of func(string) bool) (verdict, error) {
	if err := a.idle(ctx); err != nil {
		return verdict{}, err
	}
	first, err := a.recount(ctx, hour, of)
	if err != nil || first.Differing == 0 {
		return verdict{points: first.Points}, err
	}
	if err := a.pacer.sleep(ctx, a.pause()); err != nil {
		return verdict{}, err
	}
	s := a.session()
	if from, to, why, err := s.Closed(ctx, a.o.By); err != nil {
		return verdict{}, err
	} else if hour < from || hour >= to {
		return verdict{}, &skip{skipBusy, "the hour can't be compared any more: " + why}
	}
	second, err := a.recount(ctx, hour, of)
	if err != nil {
		return verdict{}, err
	}
	if err := a.idle(ctx); err != nil {
		return verdict{}, err
	}
	v := verdict{points: second.Points, first: same(first.Differences, second.Differences)}
	if len(v.first) == 0 {
		return v, nil
	}
	left, explained := v.first[:0:0], (*skip)(nil)
	sites := map[string]*skip{}
	for _, d := range v.first {
		why, known := sites[d.Site]
		if !known {
			if why, err = a.explain(ctx, s, d.Site, hour); err != nil {
				return verdict{}, err
			}
			sites[d.Site] = why
		}
		if why == nil {
			left = append(left, d)
		} else {
			explained = why
		}
	}
	if len(left) == 0 {
		return verdict{}, explained
	}
	if err := s.Whole(ctx, hour); errors.Is(err, lake.ErrNotWhole) || errors.Is(err, lake.ErrCorrupt) {
		return verdict{}, &skip{skipArchive, err.Error()}
	} else if err != nil {
		return verdict{}, err
	}
	v.first, v.wrong = left, int64(len(left))
	if more := second.Differing - int64(len(second.Differences)); explained == nil && more > 0 {
		v.wrong += more
	}
	return v, nil
}

// idle returns a skip while a command changes archive or store.
func (a *Auditor) idle(ctx context.Context) error {
	what, err := offline.Busy(ctx, a.stores.Lake)
	if err != nil || what == "" {
		return err
	}
	return &skip{skipBusy, "an " + what + " is at work"}
}

// explain returns what else than a mistake may make the numbers of a site differ.
func (a *Auditor) explain(ctx context.Context, s *offline.Session, site string, hour event.Time) (*skip, error) {
	dropped, err := s.HasDropped(ctx, site, hour)
	if err != nil {
		return nil, err
	}
	if dropped {
		return &skip{skipDropped, "events came later than --lateness; \"millrace replay\" counts them"}, nil
	}
	erased, err := s.HasErased(ctx, site, hour)
	if err != nil {
		return nil, err
	}
	if erased {
		return &skip{skipErased, "visitors of " + site + " were erased from the archive by \"millrace forget\", and their sums are in the store; \"millrace replay\" counts without them"}, nil
	}
	if a.stores.Influx == nil {
		return nil, nil
	}
	older, err := s.HasOlder(ctx, site, hour)
	if err != nil || older {
		return nil, err
	}
	return &skip{skipStore, "InfluxDB has nothing of that time or before, by a rule of retention perhaps"}, nil
}

// same returns the differences that both lists have.
func same(a, b []replay.Difference) []replay.Difference {
	have := make(map[id]*replay.Difference, len(a))
	for i := range a {
		have[idOf(&a[i])] = &a[i]
	}
	var out []replay.Difference
	for i := range b {
		if d := have[idOf(&b[i])]; d != nil && reflect.DeepEqual(*d, b[i]) {
			out = append(out, b[i])
		}
	}
	return out
}

// mostLogged is how many wrong numbers of an hour are logged, each on a line.
const mostLogged = 5

// report logs wrong numbers. Their dimensions are left out: pages and the like are what visitors
// sent.
func report(log *slog.Logger, hour event.Time, v *verdict) {
	log.Error("self-audit: the rollup store has wrong numbers; see \"When the self-audit finds something\" in docs/operations.md",
		"hour", hour.Std(), "wrong", v.wrong, "points", v.points)
	for i := range v.first[:min(len(v.first), mostLogged)] {
		d := &v.first[i]
		metric, archive, store := numbers(d)
		log.Error("self-audit: wrong number", "hour", hour.Std(), "site", d.Site, "window", d.Start.Std(),
			"rollup", window.Measurement(d.Window, d.Family), "metric", metric, "store", store, "archive", archive)
	}
}

// numbers returns the first metric in which a difference lies, and both values.
func numbers(d *replay.Difference) (metric, archive, store string) {
	a, s := &d.Archive, &d.Store
	for _, n := range []struct {
		name string
		a, s int64
	}{
		{"events", int64(a.Events), int64(s.Events)}, {"pageviews", int64(a.Pageviews), int64(s.Pageviews)},
		{"visitors", int64(a.Visitors), int64(s.Visitors)}, {"visits", int64(a.Visits), int64(s.Visits)},
		{"bounces", int64(a.Bounces), int64(s.Bounces)}, {"seconds", int64(a.Seconds), int64(s.Seconds)},
		{"views", int64(a.Views), int64(s.Views)}, {"paid", int64(a.Paid), int64(s.Paid)},
	} {
		if n.a != n.s {
			return n.name, fmt.Sprint(n.a), fmt.Sprint(n.s)
		}
	}
	if a.Revenue != s.Revenue {
		return "revenue", fmt.Sprint(a.Revenue), fmt.Sprint(s.Revenue)
	}
	return "visitors (who they are)", fmt.Sprintf("sketch of %d bytes", len(a.Sketch)), fmt.Sprintf("sketch of %d bytes", len(s.Sketch))
}
