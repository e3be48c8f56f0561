package server

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/internal/site"
	"millrace/query/statsapi"
)

// sitesEvery is how often the file of sites is looked at. It is compared by its content: times and
// events of files fail on network file systems, in containers and where a link is swapped
// (Kubernetes' ConfigMaps).
const sitesEvery = 2 * time.Second

// liveSites are the sites that are in force: those of the start, or what of the file of sites may
// change while the process runs. Readers take no lock. It implements statsapi.Keys.
type liveSites struct {
	start  *site.Sites
	source *site.Source // nil: nothing changes
	log    *slog.Logger
	// collector gets the sites that come into force; nil without one.
	collector interface{ SetSites(*site.Sites) error }

	now     atomic.Pointer[inForce]
	valid   atomic.Bool
	loaded  atomic.Int64             // when the file was read that is in force, Unix seconds
	waiting atomic.Pointer[[]string] // what of the file waits for the next start; nil for nothing
}

// inForce are sites, with the list that queries need.
type inForce struct {
	*site.Sites
	known []string // nil: any
	goals *enrich.Goals
}

func newLiveSites(a *AccessOptions, log *slog.Logger) *liveSites {
	l := &liveSites{start: a.Sites, source: a.SitesFile, log: log}
	if a.Sites != nil {
		l.set(a.Sites)
	}
	return l
}

func (l *liveSites) set(s *site.Sites) {
	f := &inForce{Sites: s, goals: enrich.NewGoals(s.All(), s.Default)}
	if !s.Any {
		for _, of := range s.Named() {
			f.known = append(f.known, of.ID)
		}
	}
	l.now.Store(f)
	l.valid.Store(true)
	l.loaded.Store(time.Now().Unix())
}

// get returns the sites that are in force.
func (l *liveSites) get() *site.Sites { return l.now.Load().Sites }

// known is query.Options.Sites.
func (l *liveSites) known() []string { return l.now.Load().known }

// reached is query.Options.Reached.
func (l *liveSites) reached(id string) func(name, page string, pageview bool) []string {
	return l.now.Load().goals.Reached(id)
}

// keptFrom returns what says from when on numbers of a site are kept; nil, which is all, without sites.
func (l *liveSites) keptFrom() func(id string, now time.Time) event.Time {
	if l.start == nil {
		return nil
	}
	return func(id string, now time.Time) event.Time { return l.get().KeptFrom(id, now) }
}

// list is statsapi.Options.Sites: those that are taken by name, each once.
func (l *liveSites) list() []statsapi.SiteInfo {
	var list []statsapi.SiteInfo
	seen := map[string]bool{}
	for _, of := range l.get().Named() {
		if !seen[of.ID] {
			list = append(list, statsapi.SiteInfo{ID: of.ID, TimeZone: of.TimeZone.String(), Currency: of.Currency, RetentionDays: of.Retention})
		}
		seen[of.ID] = true
	}
	return list
}

// Allow reports whether the holder of a key may query a site.
func (l *liveSites) Allow(key, site string) bool { return l.get().QueryKeys.Allow(key, site) }

// register registers the metrics of the file.
func (l *liveSites) register(r prometheus.Registerer) {
	gauge := func(name, help string, read func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "millrace_sites_file_" + name, Help: help}, read))
	}
	gauge("valid", "1 if the file of sites is in force as it is, 0 if it is refused and the one before stays in force.", func() float64 {
		if l.valid.Load() {
			return 1
		}
		return 0
	})
	gauge("loaded_timestamp_seconds", "When the file of sites that is in force was read, in Unix seconds.", func() float64 {
		return float64(l.loaded.Load())
	})
	gauge("waiting", "How many settings of the file of sites wait for the next start.", func() float64 { return float64(len(l.waits())) })
}

// waits returns what of the file waits for the next start.
func (l *liveSites) waits() []string {
	if w := l.waiting.Load(); w != nil {
		return *w
	}
	return nil
}

// remark is a line for /readyz?verbose.
func (l *liveSites) remark() string {
	switch w := l.waits(); {
	case !l.valid.Load():
		return "the file is refused, and the one before stays in force"
	case len(w) > 0:
		return strings.Join(w, ", ") + " change when serve is started again: " + site.AfterWaiting
	}
	return "in force"
}

// watch looks at the file until ctx ends.
func (l *liveSites) watch(ctx context.Context) {
	t := time.NewTicker(sitesEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l.look()
		}
	}
}

// look brings a file that has changed into force, or refuses all of it.
func (l *liveSites) look() {
	next, fresh, err := l.source.Read()
	if !fresh {
		return
	}
	var now *site.Sites
	var waiting []string
	if err == nil {
		now, waiting = l.start.InForce(next)
		if l.collector != nil {
			err = l.collector.SetSites(now)
		}
	}
	if err != nil {
		l.valid.Store(false)
		l.log.Error("the file of sites is refused, and the one before stays in force", "err", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	l.set(now)
	l.log.Info("the file of sites is in force", "sites", len(now.Named()), "any site", now.Any)
	if before := l.waits(); !slices.Equal(waiting, before) {
		l.waiting.Store(&waiting)
		switch {
		case len(waiting) > 0:
			l.log.Warn("a part of the file of sites waits for the next start: what is counted by does not change while it is counted",
				"what", strings.Join(waiting, ", "), "then", site.AfterWaiting)
		case len(before) > 0:
			l.log.Info("no part of the file of sites waits for the next start any more")
		}
	}
}
