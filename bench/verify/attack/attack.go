package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"time"

	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/state"
)

// Options are the settings of Run. Zero fields take their defaults.
type Options struct {
	// Events is the number of events of the attack, each of a path that nothing else has. Default
	// 10,000,000.
	Events int
	// Base is the number of events of the 50 sites beside it. Default 500,000.
	Base int
	// Visitors is how many visitors send the attack; -1: each event has one of its own. Default
	// 20,000.
	Visitors int
	// Length is for how long, in log time, the attack lasts: whole minutes, at most 45. Default 30
	// min.
	Length event.Time
	// Seed makes both logs.
	Seed uint64
	// Dir takes the state; it is emptied afterwards. Default: a temporary folder.
	Dir string
	// Progress, if set, is told how far a phase is.
	Progress func(phase string, done, total int)

	rules engine.Rules // of the partition
}

// limit is the cardinality budget, the default of serve.
const limit = 500

// Report is what Run found. It is given with an error too, if there were differences.
type Report struct {
	// These are the options that made the logs.
	Events, Base, Visitors int
	Length                 event.Time
	Seed                   uint64

	// With is the run with the attack, Without the one without.
	Without, With Played
	// Others counts the records of windows that the sites beside the attacked one have, early
	// firings and all. Differing of them are not the same in both runs, byte for byte.
	Others, Differing int
	// Wrong is what the attacked site has that a recount has not, at most ten of them.
	Wrong []string
	// Windows, Points and Most are of the attacked site: the distinct windows, their points in all,
	// and the most values that a family has in one. Values is how many different pages it has in
	// all windows of minutes and hours.
	Windows, Points, Most, Values int
	// Visits began on the attacked site. Untracked events are of none, because the site has too
	// many.
	Visits, Untracked int64
	// OtherShare is what share of the attacked site's pageviews is in Other.
	OtherShare float64
}

// Played is what one run took.
type Played struct {
	// Records is how many were counted, ticks included, and Wall how long that took.
	Records int
	Wall    time.Duration
	// PeakHeap is the most bytes at the end of a second of log time, LiveHeap those at the end of
	// the attack, without garbage.
	PeakHeap, LiveHeap uint64
	// PeakState is the most bytes on disk at the end of a second of log time, EndState those after
	// all windows have closed.
	PeakState, EndState uint64
	// Visits and IDs are the most live visits, and the most ids that were remembered.
	Visits, IDs int
	// Counters account for the events of the whole partition.
	Counters engine.Counters
}

// String prints the report for people.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-20s "+format+"\n", append([]any{name}, args...)...)
	}
	from := fmt.Sprintf("%d visitors", r.Visitors)
	if r.Visitors < 0 {
		from = "as many visitors"
	}
	line("attack", "%d random paths of %s in %d min on one of %d sites, seed %d", r.Events, from, r.Length/event.Minute, sites, r.Seed)
	line("other sites", "%d records of windows, %d differ from the run without the attack", r.Others, r.Differing)
	line("attacked site", "%d windows, %d points, at most %d values of a family in one, %d pages in all, %.1f %% of views in (other)",
		r.Windows, r.Points, r.Most, r.Values, 100*r.OtherShare)
	line("its visits", "%d, and %d events without one because it has too many", r.Visits, r.Untracked)
	line("its recount", "%s", map[bool]string{true: "equal", false: strings.Join(r.Wrong, "; ")}[len(r.Wrong) == 0])
	mb := func(n uint64) float64 { return float64(n) / 1e6 }
	for _, run := range []struct {
		name string
		*Played
	}{{"without", &r.Without}, {"with", &r.With}} {
		line(run.name, "%d events in %d records, %.0f s; heap %.0f MB at most, %.0f MB live; state %.0f MB at most, %.1f MB at the end; %d live visits, %d ids at most",
			run.Counters.Events, run.Records, run.Wall.Seconds(), mb(run.PeakHeap), mb(run.LiveHeap), mb(run.PeakState), mb(run.EndState), run.Visits, run.IDs)
	}
	return b.String()
}

// ErrChanged says that an attack changed what it must not change; the Report has the rest.
var ErrChanged = errors.New("the attack changed numbers")

// Run counts the log of 50 sites twice in one partition, the second time with events of an attack
// on one of them in its records, and compares: the other sites' windows have to be the same bytes,
// the attacked site's what a recount says. Records have the same offsets in both runs; where they
// hold nothing but the attack they are missing in the first.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	if o.Length > 45*event.Minute || o.Length < event.Minute || o.Length%event.Minute != 0 {
		return nil, fmt.Errorf("attack: length %d ms is not a number of minutes up to 45", o.Length)
	}
	dir, err := os.MkdirTemp(o.Dir, "millrace-attack-")
	if err != nil {
		return nil, fmt.Errorf("make bench folder: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &Report{Events: o.Events, Base: o.Base, Visitors: o.Visitors, Length: o.Length, Seed: o.Seed}
	without, with := newAttacked(), newAttacked()
	if err := r.Without.play(ctx, o, filepath.Join(dir, "without"), false, without); err != nil {
		return nil, err
	}
	if err := r.With.play(ctx, o, filepath.Join(dir, "with"), true, with); err != nil {
		return nil, err
	}
	want, err := count(ctx, o)
	if err != nil {
		return nil, err
	}
	r.compare(without, with, want)
	if r.Differing > 0 || len(r.Wrong) > 0 {
		return r, ErrChanged
	}
	return r, nil
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	if o.Events == 0 {
		o.Events = 10_000_000
	}
	if o.Base == 0 {
		o.Base = 500_000
	}
	if o.Visitors == 0 {
		o.Visitors = 20_000
	}
	if o.Length == 0 {
		o.Length = 30 * event.Minute
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	return o
}

// play counts a log in a partition on a store of its own. What it writes is acknowledged and
// committed at once.
func (r *Played) play(ctx context.Context, o Options, dir string, attack bool, out *attacked) error {
	phase := "without the attack"
	if attack {
		phase = "with the attack"
	}
	st, err := state.Open(state.Options{Dir: dir, Limit: limit, Visits: o.rules.Visits(), Life: o.rules.Life()})
	if err != nil {
		return err
	}
	defer st.Close()
	p, err := engine.OpenPartition(0, 0, st, o.rules, enrich.New(enrich.Options{}))
	if err != nil {
		return err
	}
	out.store = st
	began := time.Now()
	l := newLog(o, attack)
	for {
		rec, ok := l.next()
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if rec.value == nil {
			continue // of the attack only
		}
		if err := p.Process(rec.offset, rec.value, out); err != nil {
			return fmt.Errorf("attack: record %d: %w", rec.offset, err)
		}
		st.Acked(rec.offset, int64(r.Records))
		st.Committed(rec.offset + 1)
		r.Records++
		if rec.tick {
			r.sample(p, st)
			o.Progress(phase, l.made, l.total)
		}
		if rec.last {
			runtime.GC()
			r.LiveHeap = heapBytes()
		}
	}
	o.Progress(phase, l.total, l.total)
	r.Wall = time.Since(began)
	s := p.Core().Snapshot()
	r.Counters, r.EndState = s.Counters, st.SizeBytes()
	out.untracked = s.Untracked
	return st.Close()
}

// sample notes what the run takes at present.
func (r *Played) sample(p *engine.Partition, st *state.Store) {
	s := p.Core().Snapshot()
	r.Visits, r.IDs = max(r.Visits, s.LiveVisits), max(r.IDs, s.IDs)
	r.PeakHeap = max(r.PeakHeap, heapBytes())
	r.PeakState = max(r.PeakState, st.SizeBytes())
}

// heapBytes returns the size of all objects, dead ones that have not been found included.
func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
