package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/internal/blob"
	"millrace/internal/site"
)

// expireEvery is how often numbers that sites keep no longer are deleted. Queries leave them out at once, so
// this only bounds the disk.
const expireEvery = time.Hour

// expiring is the rollup store as retention needs it.
type expiring interface {
	Sites(ctx context.Context) ([]string, error)
	DeleteBefore(ctx context.Context, site string, before event.Time) (deleted bool, err error)
}

// expire deletes what the sites of the store do not keep at a moment, and returns of how many there was
// something. It reads nothing where no site has a retention.
func expire(ctx context.Context, store expiring, sites *site.Sites, now time.Time) (of int, err error) {
	if !sites.Expire() {
		return 0, nil
	}
	names, err := store.Sites(ctx)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		before := sites.KeptFrom(name, now)
		if before == 0 {
			continue
		}
		deleted, err := store.DeleteBefore(ctx, name, before)
		if err != nil {
			return of, err
		}
		if deleted {
			of++
		}
	}
	return of, nil
}

// retentionOf returns for how long the archive keeps the rows of sites.
func retentionOf(sites *site.Sites) lake.Retention {
	r := lake.Retention{All: sites.Default.Retention, Sites: map[string]int{}}
	for _, of := range sites.All() {
		if of.Retention != r.All {
			r.Sites[of.ID] = of.Retention
		}
	}
	return r
}

// keptIn returns from where on an archive gives all numbers of a site exactly, as of a minute ago at most: what the retention of sites has
// deleted from it is not shown either where another store has it still, nor after a retention was made longer. While the archive does not
// answer it is what it was.
func keptIn(archive blob.Store) func(id string, now time.Time) event.Time {
	var mu sync.Mutex
	var gone *lake.Expired
	var looked time.Time
	return func(id string, _ time.Time) event.Time {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(looked) >= time.Minute {
			ctx, cancel := context.WithTimeout(context.Background(), keptTimeout)
			defer cancel()
			if x, err := lake.NewReader(archive).Expired(ctx); err == nil {
				gone = x
			}
			looked = time.Now()
		}
		if gone == nil {
			return 0
		}
		return gone.KeptFrom(id)
	}
}

// keptTimeout is how long it is waited for the archive.
const keptTimeout = 5 * time.Second

// latest returns the later time of two functions, each of which may be nil; nil if both are.
func latest(a, b func(id string, now time.Time) event.Time) func(id string, now time.Time) event.Time {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(id string, now time.Time) event.Time { return max(a(id, now), b(id, now)) }
}

// retentionMetrics tell an operator whether and when numbers were deleted.
type retentionMetrics struct {
	sites prometheus.Counter
	last  prometheus.Gauge
}

func newRetentionMetrics(r prometheus.Registerer) *retentionMetrics {
	m := &retentionMetrics{
		sites: prometheus.NewCounter(prometheus.CounterOpts{Name: "millrace_retention_expired_sites_total",
			Help: "Sites of which numbers older than their retention were deleted from the local rollup store, each once an hour at most."}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{Name: "millrace_retention_last_success_timestamp_seconds",
			Help: "When the local rollup store last had no more than its sites keep, in Unix seconds."}),
	}
	r.MustRegister(m.sites, m.last)
	return m
}

// expireSites deletes, now and every hour, what sites keep no longer, by the settings that are in force then.
func expireSites(ctx context.Context, store expiring, sites func() *site.Sites, m *retentionMetrics, log *slog.Logger) error {
	t := time.NewTicker(expireEvery)
	defer t.Stop()
	for {
		of, err := expire(ctx, store, sites(), time.Now())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		m.sites.Add(float64(of))
		m.last.SetToCurrentTime()
		if of > 0 {
			log.Info("numbers that sites keep no longer are deleted from the rollup store", "sites", of)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// startRetention has the local store keep no more than its sites want. In InfluxDB it is for the database's
// own rule, and queries leave out what that still has.
func (s *server) startRetention(context.Context) error {
	if s.stores.Local == nil || s.o.Access.Sites == nil {
		return nil
	}
	m := newRetentionMetrics(s.admin.Registry)
	s.background.keep("retention", func(ctx context.Context) error {
		return expireSites(ctx, s.stores.Local, s.sites.get, m, s.log)
	})
	return nil
}
