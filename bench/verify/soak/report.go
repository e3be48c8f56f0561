package soak

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Report is what a run found, or has found so far.
type Report struct {
	Begun   Begun
	Samples []Sample
	// End is nil while the run goes on.
	End *Ending
}

// Read reads the folder of a run.
func Read(dir string) (*Report, error) {
	r := &Report{}
	if err := readJSON(filepath.Join(dir, runFile), &r.Begun); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	f, err := os.Open(filepath.Join(dir, samplesFile))
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s Sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			break // the last line of a run that goes on may be half there
		}
		r.Samples = append(r.Samples, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	end := &Ending{}
	switch err := readJSON(filepath.Join(dir, endFile), end); {
	case err == nil:
		r.End = end
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("soak: %w", err)
	}
	return r, nil
}

func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// block is how much of a run becomes one point of a slope's fit: what is sampled within it goes up and
// down with the garbage collector, and is not independent.
const block = 5 * 60.0 // seconds

// Slope is a straight line through samples.
type Slope struct {
	First, Last float64 // means of the first and the last block
	Mean        float64
	PerHour     float64 // in percent of the mean
	Error       float64 // standard error of PerHour
	Blocks      int
}

// SlopeOf fits the samples after a time in seconds.
func (r *Report) SlopeOf(after float64, of func(*Sample) float64) Slope {
	var x, y []float64
	var sumX, sumY, n float64
	until := math.Inf(-1)
	flush := func() {
		if n > 0 {
			x, y = append(x, sumX/n), append(y, sumY/n)
		}
		sumX, sumY, n = 0, 0, 0
	}
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.At < after {
			continue
		}
		if s.At >= until {
			flush()
			until = s.At + block
		}
		sumX, sumY, n = sumX+s.At/3600, sumY+of(s), n+1
	}
	flush()
	return fit(x, y)
}

// fit is the least squares line; x is in hours.
func fit(x, y []float64) Slope {
	n := float64(len(x))
	s := Slope{Blocks: len(x), PerHour: math.NaN(), Error: math.NaN()}
	if len(x) == 0 {
		return s
	}
	var meanX float64
	for i := range x {
		meanX += x[i] / n
		s.Mean += y[i] / n
	}
	s.First, s.Last = y[0], y[len(y)-1]
	var xx, xy float64
	for i := range x {
		xx += (x[i] - meanX) * (x[i] - meanX)
		xy += (x[i] - meanX) * (y[i] - s.Mean)
	}
	if len(x) < 3 {
		return s
	}
	slope, rest := xy/xx, 0.0
	for i := range x {
		d := y[i] - s.Mean - slope*(x[i]-meanX)
		rest += d * d
	}
	if s.Mean != 0 {
		s.PerHour = 100 * slope / s.Mean
		s.Error = 100 * math.Sqrt(rest/(n-2)/xx) / s.Mean
	} else {
		s.PerHour, s.Error = 0, 0
	}
	return s
}

// series are what has to stay flat, and what explains it.
var series = []struct {
	name string
	unit float64
	of   func(*Sample) float64
}{
	{"resident memory, MB", 1e6, func(s *Sample) float64 { return float64(s.RSS) }},
	{"live heap x GOGC, MB", 1e6, metric("go_memstats_next_gc_bytes")},
	{"heap in use, MB", 1e6, metric("go_memstats_heap_inuse_bytes")},
	{"goroutines", 1, metric("go_goroutines")},
	{"open files", 1, func(s *Sample) float64 { return float64(s.Files) }},
	{"threads", 1, metric("go_threads")},
	{"open windows", 1, metric("millrace_engine_open_windows")},
	{"live visits", 1, metric("millrace_engine_live_visits")},
	{"remembered ids", 1, metric("millrace_engine_remembered_ids")},
	{"state, MB", 1e6, metric("millrace_engine_state_bytes")},
	{"lag, records", 1, metric("millrace_engine_lag_records")},
	{"not acknowledged, deltas", 1, metric("millrace_engine_outbox_deltas")},
}

func metric(name string) func(*Sample) float64 {
	return func(s *Sample) float64 { return s.Metrics[name] }
}

// String prints the report for people.
func (r *Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	o := r.Begun.Options
	line("%-26s %s, from %s, on %s", "run", o.For, r.Begun.At.UTC().Format(time.DateTime), r.Begun.Machine)
	line("%-26s %.0f events/s in requests of %d over %d sites, a query each second, seed %d; clock x %d; flags %q", "load", o.Rate, o.Batch, o.Sites, o.Seed, o.Speed, o.Serve)
	if len(r.Samples) == 0 {
		return b.String() + "no sample yet\n"
	}
	first, last := r.Samples[0], r.Samples[len(r.Samples)-1]
	line("%-26s %d samples, %.0f min of the clock, log time %s to %s", "seen", len(r.Samples), last.At/60, first.Log.Format(time.DateTime), last.Log.Format(time.DateTime))
	line("%-26s %d events, %d queries; %d requests sent again, %d queries failed, %d times behind", "load so far",
		last.Load.Sent, last.Load.Queries, last.Load.Again, last.Load.Failed, last.Load.Behind)
	if last.At > 0 {
		line("%-26s %.2f of a core, %.1f us an event", "processor", (last.CPU-first.CPU)/(last.At-first.At), 1e6*(last.CPU-first.CPU)/float64(max(last.Load.Sent-first.Load.Sent, 1)))
	}
	line("%-26s %.0f hours compared, %.0f points, %.0f wrong, %.0f skipped", "self-audit", last.Metrics["millrace_audit_hours_total"],
		last.Metrics["millrace_audit_points_total"], last.Metrics["millrace_audit_wrong_total"], last.Metrics["millrace_audit_skipped_total"])
	line("%-26s %.0f collections, %.2f s of pauses", "garbage collector", last.Metrics["go_gc_duration_seconds_count"], last.Metrics["go_gc_duration_seconds_sum"])
	r.slopes(line)
	r.disks(line)
	r.ending(line)
	return b.String()
}

func (r *Report) slopes(line func(string, ...any)) {
	after := r.Begun.Options.WarmUp.Seconds()
	line("%-26s after the first %.0f min; blocks of %.0f min", "slopes", after/60, block/60)
	for _, v := range series {
		s := r.SlopeOf(after, v.of)
		line("  %-24s %9.4g to %9.4g, mean %9.4g, %+.2f %%/h (standard error %.2f, %d blocks)",
			v.name, s.First/v.unit, s.Last/v.unit, s.Mean/v.unit, s.PerHour, s.Error, s.Blocks)
	}
}

// disks prints the sizes of the folders at four times.
func (r *Report) disks(line func(string, ...any)) {
	at := make([]*Sample, 4)
	names := map[string]bool{}
	head := fmt.Sprintf("%-26s", "disk, MB, at minute")
	for i := range at {
		at[i] = &r.Samples[(len(r.Samples)-1)*(i+1)/len(at)]
		head += fmt.Sprintf(" %9.0f", at[i].At/60)
		for name := range at[i].Disk {
			names[name] = true
		}
	}
	line("%s", head)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		row := fmt.Sprintf("  %-24s", name)
		for _, s := range at {
			row += fmt.Sprintf(" %9.1f", float64(s.Disk[name])/1e6)
		}
		line("%s", row)
	}
}

func (r *Report) ending(line func(string, ...any)) {
	if r.End == nil {
		line("%-26s the run goes on", "end")
		return
	}
	e := r.End
	line("%-26s %d events sent, %d by the query API, %d archived; page views %d, %d, %d", "end", e.Load.Sent, e.Rollups.Events, e.Archive.Events,
		e.Load.Views, e.Rollups.Views, e.Archive.Views)
	line("%-26s %d hours of sites (%d hours) compared, %d wrong", "", e.Cells, e.Hours, len(e.Wrong))
	for _, w := range e.Wrong {
		line("  %s", w)
	}
	line("%-26s %s", "verdict", r.Verdict())
}

// mostSlope is what a run may grow, in percent of the mean in an hour.
const mostSlope = 1.0

// Verdict says in words whether the run was steady and right.
func (r *Report) Verdict() string {
	if bad := r.unsteady(); len(bad) > 0 {
		return "NOT steady: " + strings.Join(bad, "; ")
	}
	return "steady and right"
}

// Steady reports whether nothing grew and every number was right.
func (r *Report) Steady() bool { return len(r.unsteady()) == 0 }

func (r *Report) unsteady() (bad []string) {
	for _, v := range series[:5] {
		s := r.SlopeOf(r.Begun.Options.WarmUp.Seconds(), v.of)
		if !(s.PerHour < mostSlope) && s.Last-s.First >= 1 {
			bad = append(bad, fmt.Sprintf("%s %+.2f %%/h", v.name, s.PerHour))
		}
	}
	if r.End == nil {
		bad = append(bad, "it has not ended")
	} else if len(r.End.Wrong) > 0 {
		bad = append(bad, "numbers are wrong")
	}
	if n := len(r.Samples); n > 0 && r.Samples[n-1].Metrics["millrace_audit_wrong_total"] > 0 {
		bad = append(bad, "the self-audit found something")
	}
	return bad
}
