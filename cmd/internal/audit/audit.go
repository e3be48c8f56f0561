package audit

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
)

// Options configure an Auditor. All fields are required but Bucket.
type Options struct {
	// Stores has the archive, and a local rollup store or an InfluxDB of which only the reader is
	// used.
	Stores stores.Set
	// Bucket is whether the archive is elsewhere.
	Bucket bool
	// Share is how much of a processor core is used, more than 0, at most 1.
	Share float64
	// By is what this process counts by, see rules.Counting.
	By string
	// NewDeriver makes a deriver that counts by it.
	NewDeriver func() engine.Deriver
	// KeptFrom returns the time before which no numbers of a site are kept; nil: all are.
	KeptFrom func(site string, now time.Time) event.Time
	Metrics  prometheus.Registerer
	Log      *slog.Logger
}

// mostSites is of how many sites one recount is, about: it bounds the queries to the store.
const mostSites = 1000

// Auditor compares the rollup store with the archive. Make one with New.
type Auditor struct {
	o      Options
	stores stores.Set // of Options, the archive slowed down
	pacer  *pacer
	picker picker

	hours, points, wrong prometheus.Counter
	skipped              *prometheus.CounterVec
	last                 prometheus.Gauge

	mu    sync.Mutex // guards what follows
	state state
	said  string // that was logged last of why hours are skipped
}

// state is what Note tells.
type state struct {
	hours, wrongHours int64
	points, wrong     int64
	hour              event.Time // the last one that was judged
	at                time.Time  // when
	waits             string     // why nothing is compared now
}

// New returns an auditor, and registers its metrics.
func New(o Options) *Auditor {
	a := &Auditor{
		o: o, pacer: newPacer(o.Share, o.Bucket, o.Stores.Influx != nil),
		picker:  picker{rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))},
		hours:   prometheus.NewCounter(prometheus.CounterOpts{Name: "millrace_audit_hours_total", Help: "Hours that were counted again from the archive and compared with the rollup store."}),
		points:  prometheus.NewCounter(prometheus.CounterOpts{Name: "millrace_audit_points_total", Help: "Points of the rollup store that were compared."}),
		wrong:   prometheus.NewCounter(prometheus.CounterOpts{Name: "millrace_audit_wrong_total", Help: "Points of the rollup store that are not what the archive gives."}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "millrace_audit_skipped_total", Help: "Hours that could not be compared, or whose differences are no mistake, by reason."}, []string{"reason"}),
		last:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "millrace_audit_last_timestamp_seconds", Help: "When an hour was compared last, in Unix seconds; 0: not since the start."}),
	}
	a.stores = o.Stores
	a.stores.Lake = pacedStore{o.Stores.Lake, a.pacer}
	a.state.waits = "not begun"
	for _, reason := range []string{skipBusy, skipArchive, skipDropped, skipErased, skipStore, skipError} {
		a.skipped.WithLabelValues(reason)
	}
	o.Metrics.MustRegister(a.hours, a.points, a.wrong, a.skipped, a.last, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "millrace_audit_processor_seconds_total", Help: "Processor time of the thread that counts.",
	}, func() float64 { return time.Duration(a.pacer.used.Load()).Seconds() }))
	return a
}

const (
	// shortPause and longPause bound the time between two hours: small archives are not compared
	// again and again without need.
	shortPause, longPause = time.Second, time.Minute
)

// pause is the time between two hours, and between two recounts of one.
func (a *Auditor) pause() time.Duration {
	return min(max(time.Duration(float64(shortPause)/a.o.Share), shortPause), longPause)
}

// Run compares hour after hour until ctx ends, and returns nil.
func (a *Auditor) Run(ctx context.Context) error {
	for a.pacer.sleep(ctx, a.pause()) == nil {
		a.next(ctx)
	}
	return nil
}

// next compares an hour. The goroutine keeps its thread meanwhile, whose time is measured.
func (a *Auditor) next(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a.pacer.begin()
	hour, of, err := a.pick(ctx)
	if err != nil || of == nil {
		a.settle(ctx, hour, nil, err)
		return
	}
	v, err := a.judge(ctx, hour, of)
	a.settle(ctx, hour, &v, err)
}

func (a *Auditor) session() *offline.Session { return offline.Use(nil, a.stores) }

// pick returns an hour that may be compared, and of which sites; nil if there is none now.
func (a *Auditor) pick(ctx context.Context) (event.Time, func(site string) bool, error) {
	if err := a.idle(ctx); err != nil {
		return 0, nil, err
	}
	from, to, why, err := a.session().Closed(ctx, a.o.By)
	if err != nil {
		return 0, nil, err
	}
	hour, found, err := a.picker.pick(ctx, lake.NewReader(a.stores.Lake), from, to)
	if err != nil {
		return 0, nil, err
	}
	if !found {
		if why == "" {
			why = "the archive has no hour to compare"
		}
		a.mu.Lock()
		a.state.waits = why
		a.mu.Unlock()
		return 0, nil, nil
	}
	if err := a.pacer.pace(ctx, false); err != nil {
		return 0, nil, err
	}
	sites, err := a.stores.Rollups().Sites(ctx)
	if err != nil {
		return 0, nil, err
	}
	return hour, a.kept(hour, part(len(sites))), nil
}

// kept leaves out of a part of all sites those that may delete the hour while it is compared.
func (a *Auditor) kept(hour event.Time, of func(site string) bool) func(site string) bool {
	if a.o.KeptFrom == nil {
		return of
	}
	soon := time.Now().Add(expiresSoon)
	return func(site string) bool { return of(site) && hour >= a.o.KeptFrom(site, soon) }
}

// expiresSoon is the longest that the comparison of an hour takes.
const expiresSoon = time.Hour

// part returns a random part of all sites, of mostSites or so if there are n.
func part(n int) func(site string) bool {
	parts := uint64(n+mostSites-1) / mostSites
	if parts <= 1 {
		return func(string) bool { return true }
	}
	seed := maphash.MakeSeed()
	return func(site string) bool { return maphash.String(seed, site)%parts == 0 }
}

func (a *Auditor) recount(ctx context.Context, hour event.Time, of func(string) bool) (offline.Recounted, error) {
	return a.session().Recount(ctx, hour, offline.RecountOptions{NewDeriver: a.o.NewDeriver, Of: of, Pace: a.pacer.query})
}

// settle takes in what became of an hour; v is nil if there was none.
func (a *Auditor) settle(ctx context.Context, hour event.Time, v *verdict, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var why *skip
	switch {
	case ctx.Err() != nil:
		return // it was told to stop: that says nothing about the hour
	case errors.As(err, &why):
	case err != nil:
		why = &skip{skipError, err.Error()}
	}
	if why != nil {
		a.skipped.WithLabelValues(why.reason).Inc()
		a.state.waits = why.why
		if a.said != why.reason && why.reason != skipBusy {
			a.o.Log.Warn("self-audit: an hour is not compared", "hour", hour.Std(), "why", why.why)
		}
		a.said = why.reason
		return
	}
	if v == nil {
		return
	}
	a.said = ""
	a.hours.Inc()
	a.points.Add(float64(v.points))
	a.wrong.Add(float64(v.wrong))
	a.last.SetToCurrentTime()
	s := &a.state
	s.hours, s.points, s.wrong, s.hour, s.at, s.waits = s.hours+1, s.points+v.points, s.wrong+v.wrong, hour, time.Now(), ""
	if v.wrong > 0 {
		s.wrongHours++
		report(a.o.Log, hour, v)
	}
}

// Note says what was compared since the start, and what was wrong.
func (a *Auditor) Note() string {
	a.mu.Lock()
	s := a.state
	a.mu.Unlock()
	text := "no hour was compared yet"
	if s.hours > 0 {
		text = fmt.Sprintf("%d hours with %d numbers compared, last %s at %s", s.hours, s.points,
			s.hour.Std().Format("2006-01-02T15:04Z"), s.at.UTC().Format("2006-01-02T15:04:05Z"))
		if s.wrong > 0 {
			text += fmt.Sprintf("; %d numbers of %d hours are WRONG, the log has which", s.wrong, s.wrongHours)
		}
	}
	if s.waits != "" {
		text += "; waits: " + s.waits
	}
	return text
}
