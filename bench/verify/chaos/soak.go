package chaos

import (
	"context"
	"slices"
	"sync"
	"time"

	"millrace/engine/event"
)

// soakEvents bounds the log of a soak: the recount keeps some 200 B of each.
const soakEvents = 15_000_000

// soak is T17: load at 70 % of the most, and a look at what grows. The lateness is short, so that
// state stops growing after some minutes.
func soak(ctx context.Context, o Options) error {
	most, err := pace(ctx, o)
	if err != nil {
		return err
	}
	rate := 0.7 * most
	if n := rate * o.Wall.Seconds(); n > soakEvents {
		rate = soakEvents / o.Wall.Seconds()
	}
	w := crowd(o)
	w.Events, w.Span = int(rate*o.Wall.Seconds()), event.Time(o.Wall.Milliseconds())
	w.Lateness, w.Dropped = 5*event.Minute, 0.001
	g := &growth{}
	r, err := open(ctx, o, plan{work: w, seen: g.line})
	if err != nil {
		return err
	}
	defer r.close()
	p, err := r.start(ctx, r.job(0))
	if err != nil {
		return err
	}
	shown, stopShow := context.WithCancel(ctx)
	defer stopShow()
	go (&delays{}).show(shown, o, w.Span)
	g.start()
	if err := r.feed.live(ctx, r.work.Start, 1, r.work.Start+r.work.Span, nil); err != nil {
		return err
	}
	g.stop()
	if err := r.finish(ctx); err != nil {
		return err
	}
	r.report.Add("rate", "%.0f events/s for %v; the most was %.0f", rate, o.Wall, most)
	g.judge(r.report, o.Wall)
	if !p.alive() || r.fleet.ended > 0 {
		r.report.Fail("the engine ended")
	}
	return nil
}

// pace measures the most that the engine takes on this machine, with the log's writer beside it.
func pace(ctx context.Context, o Options) (float64, error) {
	o.report = &Report{}
	o.Events = 300_000
	if o.Wall < time.Minute {
		o.Events = 15_000
	}
	r, err := open(ctx, o, plan{work: crowd(o)})
	if err != nil {
		return 0, err
	}
	defer r.close()
	if _, err := r.start(ctx, r.job(0)); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := r.feed.until(ctx, r.share(1)); err != nil {
		return 0, err
	}
	if err := r.drain(ctx); err != nil {
		return 0, err
	}
	return float64(o.Events) / time.Since(began).Seconds(), nil
}

// growth samples a worker.
type growth struct {
	mu      sync.Mutex // guards what follows
	on      bool
	began   time.Time
	samples []sample
}

// sample is what a worker took at an instant, in its own units: bytes and numbers.
type sample struct {
	at                        time.Duration
	memory, heap, files, gors float64
}

// start begins to take samples: what a process takes to warm up is no growth.
func (g *growth) start() { g.mu.Lock(); g.on, g.began = true, time.Now(); g.mu.Unlock() }

// stop ends that: behind the load memory shrinks.
func (g *growth) stop() { g.mu.Lock(); g.on = false; g.mu.Unlock() }

// line takes a sample of what a worker says.
func (g *growth) line(_ *proc, s *status) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.on && s.Memory > 0 {
		g.samples = append(g.samples, sample{time.Since(g.began), float64(s.Memory), float64(s.Heap), float64(s.Files), float64(s.Goroutines)})
	}
}

// judge fits a line through the second half of the samples. A run of less than an hour is too short
// for a verdict about memory: its figure is printed.
func (g *growth) judge(rep *Report, wall time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	half := g.samples[len(g.samples)/2:]
	if len(half) < 3 {
		rep.Fail("%d samples are too few", len(g.samples))
		return
	}
	f := func(name string, of func(sample) float64, most float64, judged bool) {
		slope, mean := fit(half, of)
		perHour := 100 * slope * 3600 / mean
		rep.Add(name, "%.4g on average, %+.2f %%/h", mean, perHour)
		if judged && perHour > most {
			rep.Fail("%s grows by %.2f %% an hour, at most %g are allowed", name, perHour, most)
		}
	}
	long := wall >= time.Hour
	f("memory, bytes", func(s sample) float64 { return s.memory }, 1, long)
	f("heap, bytes", func(s sample) float64 { return s.heap }, 1, false)
	f("open files", func(s sample) float64 { return s.files }, 1, long)
	f("goroutines", func(s sample) float64 { return s.gors }, 1, long)
	peak := slices.MaxFunc(g.samples, func(a, b sample) int { return int(a.memory - b.memory) })
	rep.Add("peak", "%.0f MB after %v", peak.memory/1e6, peak.at.Round(time.Second))
}

// fit returns the slope per second of the least squares' line, and the mean.
func fit(list []sample, of func(sample) float64) (slope, mean float64) {
	var mx, my, xy, xx float64
	n := float64(len(list))
	for _, s := range list {
		mx += s.at.Seconds() / n
		my += of(s) / n
	}
	for _, s := range list {
		dx := s.at.Seconds() - mx
		xy += dx * (of(s) - my)
		xx += dx * dx
	}
	if xx > 0 {
		slope = xy / xx
	}
	return slope, my
}
