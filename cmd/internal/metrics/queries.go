package metrics

import (
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Queries are the metrics of the query API.
type Queries struct {
	requests *prometheus.CounterVec   // by endpoint and status
	seconds  *prometheus.HistogramVec // by endpoint
	rows     prometheus.Counter
}

// NewQueries registers them. Endpoints are the names that Answered is called with.
func NewQueries(r prometheus.Registerer, endpoints ...string) *Queries {
	q := &Queries{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_query_requests_total", Help: "Requests of the query API, by the status of their answer.",
		}, []string{"endpoint", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_query_request_seconds", Help: "Time from a request of the query API, with its body, to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"endpoint"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_query_rows_total", Help: "Rows in answers to queries.",
		}),
	}
	for _, e := range endpoints {
		q.requests.WithLabelValues(e, "200")
		q.seconds.WithLabelValues(e)
	}
	r.MustRegister(q.requests, q.seconds, q.rows)
	return q
}

// Answered counts a request.
func (q *Queries) Answered(endpoint string, status int, took time.Duration) {
	q.requests.WithLabelValues(endpoint, strconv.Itoa(status)).Inc()
	q.seconds.WithLabelValues(endpoint).Observe(took.Seconds())
}

// Rows counts the rows of an answer.
func (q *Queries) Rows(n int) { q.rows.Add(float64(n)) }

// Build registers which build this is, and by what it counts: rules names the engine's rules, sites
// what is configured of the sites.
func Build(r prometheus.Registerer, version, revision, rules, sites string) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "millrace_build_info", Help: "1, for the build and what it counts by: two processes with the same rules and sites count the same.",
		ConstLabels: prometheus.Labels{
			"version": version, "revision": revision, "goversion": runtime.Version(), "rules": rules, "sites": sites,
		},
	})
	g.Set(1)
	r.MustRegister(g)
}
