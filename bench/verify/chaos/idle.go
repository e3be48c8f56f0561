package chaos

import (
	"context"
	"sync"
	"time"

	"millrace/bench/tally"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
)

// mostDelay is the bound of T12.
const mostDelay = 5 * time.Second

// idle is T12. The log runs at the pace of the clock.
func idle(ctx context.Context, o Options) error {
	span := event.Time(o.Wall.Milliseconds()) / event.Second * event.Second
	// A run of less than some minutes has one minute that ends: after the collector has died, when
	// nobody waits for it any more.
	over, dead := 50*event.Second, span/2
	if span < 3*event.Minute {
		over, dead = span*3/4, span/8
	}
	w := Workload{
		Events: o.Events, Sites: 8, Partitions: 8, Busy: 1, Span: span, Jitter: 100, Visitors: 200,
		Start: defaultStart + event.Minute - over/event.Second*event.Second,
	}
	w.Dead = w.Start + dead
	m := &delays{may: map[tally.Window]time.Time{}, fired: map[tally.Window]time.Time{}}
	var r *run
	r, err := open(ctx, o, plan{work: w, fired: m.window, wrote: func(rec *record, _ int64) {
		m.watermark(r, rec.partition)
	}})
	if err != nil {
		return err
	}
	defer r.close()
	m.began, m.from = time.Now(), w.Start
	if _, err := r.start(ctx, r.job(0)); err != nil {
		return err
	}
	m.began = time.Now()
	go m.show(ctx, o, span)
	if err := r.feed.live(ctx, w.Start, 1, w.Start+span, nil); err != nil {
		return err
	}
	// What comes now comes all at once, and is not measured.
	m.stop()
	if err := r.drain(ctx); err != nil {
		return err
	}
	if err := r.announced(ctx, w.Start+span); err != nil {
		return err
	}
	if err := r.finish(ctx); err != nil {
		return err
	}
	m.judge(r.report, w.Dead)
	return nil
}

// announced looks whether every partition, idle or not, has said how far it is.
func (r *run) announced(ctx context.Context, now event.Time) error {
	ends, err := r.world.ends(ctx, engine.WindowsTopic)
	if err == nil {
		err = r.sink.readTo(ctx, engine.WindowsTopic, ends)
	}
	if err != nil {
		return err
	}
	want := (now - grace - 2*event.Second) / event.Minute * event.Minute
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	for p, low := range r.sink.progs {
		if low < want {
			r.report.Fail("partition %d announced %s at last, at least %s was due", p, low, want)
		}
	}
	return nil
}

// delays measures the time from the moment at which a window may fire to its firing.
type delays struct {
	mu    sync.Mutex // guards what follows
	began time.Time
	from  event.Time
	may   map[tally.Window]time.Time
	fired map[tally.Window]time.Time
	off   bool
}

// stop ends the measuring: what is written from now on comes faster than the clock.
func (m *delays) stop() { m.mu.Lock(); m.off = true; m.mu.Unlock() }

// watermark notes which windows may fire now that a record is written.
func (m *delays) watermark(r *run, partition int32) {
	counts := r.counts.parts[partition]
	low := counts.Watermark()
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return
	}
	for k := range counts.Minutes() {
		if _, known := m.may[k]; !known && final(k.Start) <= low {
			m.may[k] = now
		}
	}
}

// window notes the first final firing of a window.
func (m *delays) window(w *window.Window, at time.Time) {
	k := tally.Window{Kind: w.Kind, Site: w.Site, Start: w.Start}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.fired[k]; !known && w.Final {
		m.fired[k] = at
	}
}

// show is the progress of a run that takes as long as it takes.
func (m *delays) show(ctx context.Context, o Options, span event.Time) {
	total := int(span / event.Second)
	for i := range total {
		o.progress("run", i, total)
		if sleep(ctx, time.Second) != nil {
			return
		}
	}
}

// judge reports the longest delays. A window that was held up for the dead collector may take
// longer, counted from its minute, but not from when it may fire.
func (m *delays) judge(rep *Report, dead event.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var worst, end, held time.Duration
	n := 0
	for k, may := range m.may {
		at, ok := m.fired[k]
		if !ok {
			rep.Fail("%s: it may fire, and did not", k)
			continue
		}
		n++
		worst = max(worst, at.Sub(may))
		if d := at.Sub(may); d > mostDelay {
			rep.Fail("%s: fired %v after it may", k, d.Round(time.Millisecond))
		}
		over := at.Sub(m.began) - (k.Start + event.Minute - m.from).Std().Sub(event.Time(0).Std())
		if may := final(k.Start) + 2*event.Second; may > dead && k.Start+event.Minute < dead+silentAfter+2*event.Second {
			held = max(held, over)
		} else if end = max(end, over); over > mostDelay {
			rep.Fail("%s: fired %v after its minute", k, over.Round(time.Millisecond))
		}
	}
	if n == 0 {
		rep.Fail("no window has fired")
	}
	rep.Add("delay", "%v at most after they may fire, %v after their minute; %v while the dead collector was waited for (%d windows)",
		worst.Round(time.Millisecond), end.Round(time.Millisecond), held.Round(time.Millisecond), n)
}
